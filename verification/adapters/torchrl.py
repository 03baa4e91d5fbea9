# SPDX-License-Identifier: MIT
"""TD3 of torchrl in a loop of one's own, with its exploration, its replay buffer and its target updates."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import hypothesis.strategies as st
import torch
from tensordict import TensorDict
from torchrl import data, modules, objectives

from verification.environments import ToyEnv
from verification.loops import Episode, Transition, off_policy
from verification.strategies import observations, transition_batches

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

    from verification.strategies import Transitions

_OBSERVATIONS, _ACTIONS = gym.spaces.Box(-1, 1, (3,)), gym.spaces.Box(-1, 1, (2,))
_PARTS = ("loss", "actor_optimizer", "critic_optimizer", "noise")


class TorchRL:
    """Saved as torchrl's documents say: state dicts of the modules, and ``dumps`` of the replay buffer.

    The loop's own numbers, its count of steps and the generator that everything is drawn from, are saved
    beside them. Each call of ``advance`` has an environment of its own.
    """

    name = "torchrl"

    def configs(self) -> SearchStrategy[dict[str, Any]]:
        """How often the actor is trained, how targets follow, and how exploration shrinks."""
        return st.fixed_dictionaries(
            {
                "hidden": st.integers(3, 6),
                "delay": st.integers(1, 3),
                "tau": st.sampled_from([0.05, 0.5]),
                "annealing": st.sampled_from([5, 50]),
            }
        )

    def batches(self, config: dict[str, Any]) -> SearchStrategy[Transitions]:
        """Transitions."""
        return transition_batches(_OBSERVATIONS, _ACTIONS, batch_sizes=(4,))

    def observations(self, config: dict[str, Any]) -> SearchStrategy[Any]:
        """One observation."""
        return observations(_OBSERVATIONS)

    def build(self, config: dict[str, Any], seed: int) -> SimpleNamespace:
        """A loss with its networks, and what a loop needs besides."""
        torch.manual_seed(seed)
        spec = data.Bounded(-1, 1, _ACTIONS.shape)
        sizes = {"depth": 1, "num_cells": config["hidden"]}
        policy = torch.nn.Sequential(modules.MLP(3, 2, **sizes), torch.nn.Tanh())
        actor = modules.Actor(policy, spec=spec)
        critic = modules.ValueOperator(modules.MLP(5, 1, **sizes), in_keys=["observation", "action"])
        loss = objectives.TD3Loss(actor, critic, action_spec=spec)
        loss.make_value_estimator(gamma=0.9)
        actors, critics = loss.actor_network_params, loss.qvalue_network_params
        storage = data.LazyTensorStorage(16)
        return SimpleNamespace(
            actor=actor,
            loss=loss,
            target=objectives.SoftUpdate(loss, tau=config["tau"]),
            actor_optimizer=torch.optim.Adam(actors.flatten_keys().values(), lr=1e-2),
            critic_optimizer=torch.optim.Adam(critics.flatten_keys().values(), lr=1e-2),
            noise=modules.AdditiveGaussianModule(spec, annealing_num_steps=config["annealing"]),
            buffer=data.TensorDictReplayBuffer(storage=storage, batch_size=4),
            delay=config["delay"],
            updates=0,
        )

    def learn(self, agent: SimpleNamespace, batch: Transitions) -> None:
        """One update."""
        rows = (batch.observation, batch.action, batch.reward, batch.next_observation, batch.terminated)
        _update(agent, _transitions(*map(torch.as_tensor, rows)))

    def act(self, agent: SimpleNamespace, observation: Any) -> torch.Tensor:
        """The action without noise."""
        with torch.no_grad():
            action: torch.Tensor = agent.actor(_seen(observation))["action"]
        return action

    def advance(self, agent: SimpleNamespace, steps: int) -> None:
        """Act with noise, store, sample and learn."""

        def act(observation: Any) -> Any:
            with torch.no_grad():
                action = agent.noise(agent.actor(_seen(observation)))["action"]
            agent.noise.step(1)
            return action.numpy()

        def store(one: Transition) -> None:
            rows = (one.observation, one.action, [one.reward], one.next_observation, [one.terminated])
            agent.buffer.add(_transitions(*map(torch.as_tensor, rows)))

        def learn() -> None:
            if len(agent.buffer) >= 2:
                _update(agent, agent.buffer.sample())

        episode = Episode(ToyEnv(_OBSERVATIONS, _ACTIONS), seed=agent.updates)
        off_policy(episode, steps, act=act, store=store, learn=learn)

    def save(self, agent: SimpleNamespace, path: Path) -> None:
        """A file of state dicts, and a folder of the replay buffer."""
        path.mkdir()
        states = {part: getattr(agent, part).state_dict() for part in _PARTS}
        own = {"updates": agent.updates, "generator": torch.get_rng_state()}
        torch.save({**states, **own}, path / "agent.pt")
        if len(agent.buffer):  # one that holds nothing cannot be written
            agent.buffer.dumps(path / "buffer")

    def load(self, agent: SimpleNamespace, path: Path) -> SimpleNamespace:
        """Each into its part."""
        states = torch.load(path / "agent.pt")
        for part in _PARTS:
            getattr(agent, part).load_state_dict(states[part])
        agent.buffer.empty()
        if (path / "buffer").exists():
            agent.buffer.loads(path / "buffer")
        agent.updates = states["updates"]
        torch.set_rng_state(states["generator"])
        return agent


def _update(agent: SimpleNamespace, batch: TensorDict) -> None:
    losses = agent.loss(batch)
    agent.actor_optimizer.zero_grad()
    agent.critic_optimizer.zero_grad()
    (losses["loss_actor"] + losses["loss_qvalue"]).backward()
    agent.critic_optimizer.step()
    agent.updates += 1
    if agent.updates % agent.delay == 0:
        agent.actor_optimizer.step()
        agent.target.step()


def _seen(observation: Any) -> TensorDict:
    return TensorDict({"observation": torch.as_tensor(observation)}, [])


def _transitions(*rows: torch.Tensor) -> TensorDict:
    """One transition or a batch of them."""
    observation, action, reward, following, terminated = rows
    ended = terminated > 0
    after = {"observation": following, "reward": reward.float(), "terminated": ended, "done": ended}
    rows_before = {"observation": observation, "action": action, "next": after}
    return TensorDict(rows_before, observation.shape[:-1])

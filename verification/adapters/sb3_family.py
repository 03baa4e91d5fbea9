# SPDX-License-Identifier: MIT
"""SAC, DQN and PPO of Stable-Baselines3, TQC and CrossQ of sb3-contrib, saved as their guide says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import hypothesis.strategies as st
import numpy as np
import sb3_contrib
import stable_baselines3
import torch
from stable_baselines3.common import logger, type_aliases, utils, vec_env

from verification.environments import ToyEnv
from verification.strategies import observations, transition_batches

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

    from verification.strategies import Transitions

_ROLLOUT = 4


@dataclass(frozen=True)
class SB3Config:
    """What the five algorithms are built with; each takes the options that it has."""

    observation_space: gym.spaces.Box
    action_space: gym.spaces.Space[Any]
    hidden: tuple[int, ...] = (4,)
    lr: float = 1e-2
    decaying: bool = False
    gamma: float = 0.99
    options: tuple[tuple[str, Any], ...] = ()


def _box(size: int) -> gym.spaces.Box:
    return gym.spaces.Box(-1.0, 1.0, (size,))


class _Algorithm:
    """What the five have in common."""

    algorithm: Any
    discrete = False

    @property
    def name(self) -> str:
        """As on the command line."""
        return f"sb3_{type(self).__name__.lower()}"

    def options(self) -> dict[str, SearchStrategy[Any]]:
        """Arguments of the constructor that hold state, and what is drawn for each."""
        raise NotImplementedError

    def configs(self) -> SearchStrategy[SB3Config]:
        """Small networks, constant and decaying learning rates, and the options of the algorithm."""
        actions = st.integers(2, 3).map(gym.spaces.Discrete) if self.discrete else st.integers(1, 2).map(_box)
        return st.builds(
            SB3Config,
            observation_space=st.integers(1, 3).map(_box),
            action_space=actions,
            hidden=st.lists(st.integers(3, 6), min_size=1, max_size=2).map(tuple),
            decaying=st.booleans(),
            options=st.fixed_dictionaries(self.options()).map(lambda drawn: tuple(drawn.items())),
        )

    def variants(self, config: SB3Config) -> SearchStrategy[SB3Config]:
        """Other hyper-parameters; ``save`` stores all of them."""
        return st.builds(
            lambda lr, gamma: replace(config, lr=lr, gamma=gamma),
            st.sampled_from([1e-3, 1e-2]),
            st.sampled_from([0.9, 0.99]),
        )

    def batches(self, config: SB3Config) -> SearchStrategy[Transitions]:
        """Transitions."""
        action_space: Any = config.action_space
        return transition_batches(config.observation_space, action_space, batch_sizes=(_ROLLOUT,))

    def observations(self, config: SB3Config) -> SearchStrategy[Any]:
        """One observation."""
        return observations(config.observation_space)

    def build(self, config: SB3Config, seed: int) -> Any:
        """An agent that trains in a toy environment."""
        lr = utils.LinearSchedule(config.lr, config.lr / 10, 1.0) if config.decaying else config.lr
        options = dict(config.options)
        extra = {"net_arch": list(config.hidden), **options.pop("policy_kwargs", {})}
        return self.algorithm(
            "MlpPolicy",
            _environment(config),
            learning_rate=lr,
            gamma=config.gamma,
            policy_kwargs=extra,
            device="cpu",
            seed=seed,
            **options,
        )

    def learn(self, agent: Any, batch: Transitions) -> None:
        """One gradient step; ``batch`` stands in for what the replay buffer would have sampled."""
        action = batch.action.reshape(len(batch.reward), -1)
        rest = (action, batch.next_observation, batch.terminated, batch.reward)
        samples = type_aliases.ReplayBufferSamples(
            torch.as_tensor(batch.observation), *map(torch.as_tensor, rest)
        )
        real, agent.replay_buffer = agent.replay_buffer, SimpleNamespace(sample=lambda *_, **__: samples)
        agent.set_logger(logger.Logger(folder=None, output_formats=[]))
        agent.train(gradient_steps=1, batch_size=_ROLLOUT)
        agent.replay_buffer = real

    def act(self, agent: Any, observation: Any) -> Any:
        """The action without noise."""
        return agent.predict(observation, deterministic=True)[0]

    def advance(self, agent: Any, steps: int) -> None:
        """The library's own loop, continued."""
        agent.set_logger(logger.Logger(folder=None, output_formats=[]))
        agent.learn(steps, log_interval=None, reset_num_timesteps=False)

    def save(self, agent: Any, path: Path) -> None:
        """The agent in one file, its replay buffer in another."""
        agent.save(path)
        if hasattr(agent, "replay_buffer"):
            agent.save_replay_buffer(f"{path}_replay_buffer")

    def load(self, agent: Any, path: Path) -> Any:
        """A new agent from both files; of the receiver, only the spaces are used."""
        spaces = SB3Config(agent.observation_space, agent.action_space)
        agent = self.algorithm.load(path, env=_environment(spaces), device="cpu")
        if hasattr(agent, "replay_buffer"):
            agent.load_replay_buffer(f"{path}_replay_buffer")
        return agent


class SAC(_Algorithm):
    """Soft actor-critic, with a fixed or a learned temperature and state-dependent exploration."""

    algorithm: Any = stable_baselines3.SAC

    def options(self) -> dict[str, SearchStrategy[Any]]:
        """The temperature, exploration, and how often targets follow."""
        return {
            **_REPLAY,
            "ent_coef": st.sampled_from(["auto", "auto_0.1", 0.2]),
            "use_sde": st.booleans(),
            "target_update_interval": st.integers(1, 3),
        }


class TQC(SAC):
    """Truncated quantile critics."""

    algorithm: Any = sb3_contrib.TQC


class CrossQ(SAC):
    """Soft actor-critic without target networks, but with batch renormalisation."""

    algorithm: Any = sb3_contrib.CrossQ

    def options(self) -> dict[str, SearchStrategy[Any]]:
        """As SAC, and how often the actor is trained."""
        options = super().options()
        del options["target_update_interval"]
        return {**options, "policy_delay": st.integers(1, 3)}


class DQN(_Algorithm):
    """Deep Q-learning, with its schedule of exploration and of the target network."""

    algorithm = stable_baselines3.DQN
    discrete = True

    def options(self) -> dict[str, SearchStrategy[Any]]:
        """How often the target network is copied, and exploration."""
        return {
            **_REPLAY,
            "target_update_interval": st.integers(1, 4),
            "exploration_fraction": st.sampled_from([0.1, 0.9]),
            "tau": st.sampled_from([1.0, 0.5]),
        }

    def batches(self, config: SB3Config) -> SearchStrategy[Transitions]:
        """Transitions, each with the number of an action."""
        pushes = transition_batches(config.observation_space, _box(1), batch_sizes=(_ROLLOUT,))
        last = config.action_space.n - 1  # type: ignore[attr-defined]
        return pushes.map(
            lambda batch: replace(batch, action=np.rint((batch.action + 1) / 2 * last).astype(np.int64))
        )


class PPO(_Algorithm):
    """Proximal policy optimisation, on rollouts of a few steps."""

    algorithm = stable_baselines3.PPO

    def options(self) -> dict[str, SearchStrategy[Any]]:
        """Short rollouts, and clipping that may decay."""
        return {
            "n_steps": st.just(_ROLLOUT),
            "batch_size": st.just(2),
            "n_epochs": st.integers(1, 2),
            "use_sde": st.booleans(),
            "clip_range": st.sampled_from([0.2, 0.1]),
        }

    def learn(self, agent: Any, batch: Transitions) -> None:
        """One update on a rollout in which the policy acted on the batch's observations."""
        agent.set_logger(logger.Logger(folder=None, output_formats=[]))
        rollout = agent.rollout_buffer
        rollout.reset()
        if agent.use_sde:
            agent.policy.reset_noise(1)  # as at the beginning of every rollout
        for index in range(_ROLLOUT):
            observation = torch.as_tensor(batch.observation[index : index + 1])
            with torch.no_grad():
                action, value, log_prob = agent.policy(observation)
            start = np.array([index == 0 or bool(batch.terminated[index - 1])])
            rollout.add(observation.numpy(), action.numpy(), batch.reward[index], start, value, log_prob)
        rollout.compute_returns_and_advantage(value, batch.terminated[-1])
        agent.train()


# A short warm-up, and a replay buffer that soon wraps around.
_REPLAY = {
    "buffer_size": st.just(16),
    "learning_starts": st.just(2),
    "batch_size": st.just(_ROLLOUT),
    "train_freq": st.integers(1, 2),
}


class _Discretised(gym.ActionWrapper[Any, Any, Any]):
    """The toy environment with a number for an action."""

    def __init__(self, env: ToyEnv, space: gym.spaces.Discrete) -> None:
        super().__init__(env)
        self.action_space = space

    def action(self, action: Any) -> Any:
        """One of evenly spaced pushes."""
        return np.array([2.0 * action / (self.action_space.n - 1) - 1.0], np.float32)  # type: ignore[attr-defined]


def _environment(spaces: SB3Config) -> vec_env.DummyVecEnv:
    def make() -> gym.Env[Any, Any]:
        if isinstance(spaces.action_space, gym.spaces.Discrete):
            return _Discretised(ToyEnv(spaces.observation_space, _box(1)), spaces.action_space)
        return ToyEnv(spaces.observation_space, spaces.action_space)

    return vec_env.DummyVecEnv([make])

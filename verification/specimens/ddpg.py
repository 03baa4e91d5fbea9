# SPDX-License-Identifier: MIT
"""DDPG with what practice adds to it: normalisation, n-step returns, Ornstein-Uhlenbeck noise, warm-up."""

from __future__ import annotations

import collections
import copy
import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces

from verification.specimens.base import SpecimenAdapter
from verification.specimens.episode import Episode
from verification.specimens.networks import first_weights, follow, load_state_dicts, mlp, state_dicts, step
from verification.specimens.noise import OrnsteinUhlenbeck
from verification.specimens.numbers import drawn, varied
from verification.specimens.replay import Replay
from verification.specimens.statistics import RunningStatistics
from verification.strategies import observations, transition_batches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

    from verification.strategies import Transitions

_STATEFUL = ("actor", "critic", "actor_target", "critic_target", "actor_optimizer", "critic_optimizer")
_OWN_CAPTURE = ("observation_statistics", "return_statistics", "noise", "replay", "episode")
_NUMBERS = ("discounted_return", "environment_steps", "updates")


@dataclasses.dataclass(frozen=True)
class DDPGConfig:
    """Sizes and hyper-parameters; ``warm_up`` counts environment steps with random actions."""

    observation_size: int = 2
    action_size: int = 1
    hidden: int = 4
    capacity: int = 12
    batch_size: int = 3
    n_step: int = 3
    warm_up: int = 4
    discount: float = 0.9
    tau: float = 0.1
    learning_rate: float = 0.01
    noise_theta: float = 0.15
    noise_sigma: float = 0.2


class DDPG:
    """Deep deterministic policy gradient (Lillicrap et al. 2016)."""

    def __init__(self, config: DDPGConfig, seed: int) -> None:
        self.config: DDPGConfig = config
        with first_weights(seed):
            self.actor: torch.nn.Sequential = mlp(config.observation_size, config.hidden, config.action_size)
            self.critic: torch.nn.Sequential = mlp(
                config.observation_size + config.action_size, config.hidden, 1
            )
        self.actor_target: torch.nn.Sequential = copy.deepcopy(self.actor)
        self.critic_target: torch.nn.Sequential = copy.deepcopy(self.critic)
        self.actor_optimizer: torch.optim.Adam = torch.optim.Adam(
            self.actor.parameters(), config.learning_rate
        )
        self.critic_optimizer: torch.optim.Adam = torch.optim.Adam(
            self.critic.parameters(), config.learning_rate
        )
        self.observation_statistics: RunningStatistics = RunningStatistics(config.observation_size)
        self.return_statistics: RunningStatistics = RunningStatistics(1)
        self.noise: OrnsteinUhlenbeck = OrnsteinUhlenbeck(config.action_size, seed + 1)
        self.replay: Replay = Replay(config.capacity, config.observation_size, config.action_size)
        self.sampler: torch.Generator = torch.Generator().manual_seed(seed + 2)
        self.episode: Episode = Episode(*_spaces(config), seed)
        # Observation, action and normalised reward of the last steps, which await the n-step return.
        self.pending: collections.deque[tuple[Any, Any, float]] = collections.deque(maxlen=config.n_step)
        self.discounted_return: float = 0.0
        self.environment_steps: int = 0
        self.updates: int = 0

    def act(self, observation: np.ndarray[Any, Any]) -> torch.Tensor:
        """The action without noise, shape ``(action_size,)``."""
        with torch.no_grad():
            return self._action(self.actor, torch.from_numpy(observation))

    def update(self, batch: Transitions) -> None:
        """One step of both networks, which also takes the batch into the observation statistics."""
        self.observation_statistics.update(torch.from_numpy(batch.observation))
        here = self.observation_statistics.normalize(torch.from_numpy(batch.observation))
        action = torch.from_numpy(batch.action)
        with torch.no_grad():
            there = torch.from_numpy(batch.next_observation)
            target = self._value(self.critic_target, there, self._action(self.actor_target, there))
            going_on = 1 - torch.from_numpy(batch.terminated)
            reward = torch.from_numpy(batch.reward) / self.return_statistics.scale().float()
            target = reward + self.config.discount**self.config.n_step * going_on * target
        value = self.critic(torch.cat([here, action], -1))
        step(self.critic_optimizer, (value - target).square().mean())
        chosen = self.actor(here).tanh()
        step(self.actor_optimizer, -self.critic(torch.cat([here, chosen], -1)).mean())
        follow(self.actor_target, self.actor, self.config.tau)
        follow(self.critic_target, self.critic, self.config.tau)
        self.updates += 1

    def advance(self, steps: int) -> None:
        """Act, store and learn; an update for each environment step after the warm-up."""
        for _ in range(steps):
            observation = self.episode.observation
            if self.environment_steps < self.config.warm_up:
                action = self.episode.sample()
            else:
                noise = self.noise.sample(self.config.noise_theta, self.config.noise_sigma)
                action = (self.act(observation) + noise).clamp(-1, 1).numpy()
            following, reward, terminated, total = self.episode.step(action)
            self.discounted_return = self.config.discount * self.discounted_return + reward
            self.return_statistics.update(torch.tensor([[self.discounted_return]]))
            self.pending.append((observation.copy(), action.copy(), reward))
            self._store(following, terminated)
            if total is not None:
                self.pending.clear()
                self.noise.reset()
                self.discounted_return = 0.0
            self.environment_steps += 1
            if self.environment_steps > self.config.warm_up and len(self.replay):
                places = torch.randint(len(self.replay), (self.config.batch_size,), generator=self.sampler)
                self.update(self.replay.transitions(places.numpy()))

    def capture(self) -> dict[str, Any]:
        """Everything that decides the agent's future."""
        return {
            "config": dataclasses.asdict(self.config),
            **state_dicts(self, _STATEFUL),
            **{name: getattr(self, name).capture() for name in _OWN_CAPTURE},
            **{name: getattr(self, name) for name in _NUMBERS},
            "sampler": self.sampler.get_state(),
            "pending": [(torch.tensor(one), torch.tensor(two), reward) for one, two, reward in self.pending],
        }

    def restore(self, contents: dict[str, Any]) -> None:
        """Become the agent that was captured."""
        self.config = DDPGConfig(**contents["config"])
        load_state_dicts(self, _STATEFUL, contents)
        for name in _OWN_CAPTURE:
            getattr(self, name).restore(contents[name])
        for name in _NUMBERS:
            setattr(self, name, contents[name])
        self.sampler.set_state(contents["sampler"])
        pending = [
            (one.numpy().copy(), two.numpy().copy(), reward) for one, two, reward in contents["pending"]
        ]
        self.pending = collections.deque(pending, maxlen=self.config.n_step)

    def _store(self, following: np.ndarray[Any, Any], terminated: bool) -> None:
        """Store what is complete: the oldest pending step, or all of them where nothing follows."""
        while len(self.pending) == self.config.n_step or (terminated and self.pending):
            rewards = [
                reward * self.config.discount**power for power, (_, _, reward) in enumerate(self.pending)
            ]
            observation, action, _ = self.pending.popleft()
            self.replay.add(
                observation=observation,
                action=action,
                reward=sum(rewards),
                next_observation=following,
                terminated=terminated,
            )

    def _action(self, actor: torch.nn.Module, observation: torch.Tensor) -> torch.Tensor:
        action: torch.Tensor = actor(self.observation_statistics.normalize(observation)).tanh()
        return action

    def _value(self, critic: torch.nn.Module, observation: torch.Tensor, action: torch.Tensor) -> Any:
        return critic(torch.cat([self.observation_statistics.normalize(observation), action], -1))


def _spaces(config: DDPGConfig) -> tuple[spaces.Box, spaces.Box]:
    return (
        spaces.Box(-5.0, 5.0, (config.observation_size,), np.float32),
        spaces.Box(-1.0, 1.0, (config.action_size,), np.float32),
    )


class DDPGAdapter(SpecimenAdapter):
    """Drives :class:`DDPG`."""

    name = "ddpg"
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {
        "discount": (0.9, 0.5, 0.99),
        "tau": (0.1, 0.5, 1.0),
        "learning_rate": (0.01, 0.03),
        "noise_theta": (0.15, 0.5),
        "noise_sigma": (0.2, 0.4),
        "warm_up": (4, 2, 9),
    }

    def configs(self) -> SearchStrategy[DDPGConfig]:
        """All hyper-parameters that may differ, and one or two actions."""
        return drawn(DDPGConfig, {**self.choices, "action_size": (1, 2)})

    def variants(self, config: DDPGConfig) -> SearchStrategy[DDPGConfig]:
        """Other hyper-parameters: all of them are in the checkpoint."""
        return varied(config, self.choices)

    def batches(self, config: DDPGConfig) -> SearchStrategy[Transitions]:
        """Transitions of the config's spaces."""
        return transition_batches(*_spaces(config), batch_sizes=(2, 3, 4))

    def observations(self, config: DDPGConfig) -> SearchStrategy[Any]:
        """One observation."""
        return observations(_spaces(config)[0])

    def build(self, config: DDPGConfig, seed: int) -> DDPG:
        """A new agent."""
        return DDPG(config, seed)

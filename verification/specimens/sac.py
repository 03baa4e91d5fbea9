# SPDX-License-Identifier: MIT
"""SAC with a learned temperature, prioritised replay, averaged weights and a fixed replay ratio."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces

from verification.specimens.base import SpecimenAdapter
from verification.specimens.episode import Episode
from verification.specimens.networks import first_weights, follow, load_state_dicts, mlp, state_dicts, step
from verification.specimens.numbers import drawn, varied
from verification.specimens.replay import PrioritizedReplay
from verification.strategies import observations, transition_batches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

    from verification.strategies import Transitions

_STATEFUL = (
    *("actor", "critic", "critic_target", "averaged_actor"),
    *("actor_optimizer", "critic_optimizer", "temperature_optimizer"),
)
_NUMBERS = ("importance", "environment_steps", "gradient_steps")


@dataclasses.dataclass(frozen=True)
class SACConfig:
    """Sizes and hyper-parameters; ``replay_ratio`` is gradient steps for each environment step."""

    observation_size: int = 2
    action_size: int = 1
    hidden: int = 4
    capacity: int = 10
    batch_size: int = 3
    replay_ratio: float = 0.5
    discount: float = 0.9
    tau: float = 0.1
    averaging: float = 0.3
    learning_rate: float = 0.01
    temperature_rate: float = 0.05
    target_entropy: float = -1.0
    priority_exponent: float = 0.6
    importance_growth: float = 0.05


class SAC:
    """Soft actor-critic (Haarnoja et al. 2018) that is evaluated with averaged weights."""

    def __init__(self, config: SACConfig, seed: int) -> None:
        self.config: SACConfig = config
        with first_weights(seed):
            self.actor: torch.nn.Sequential = mlp(
                config.observation_size, config.hidden, 2 * config.action_size
            )
            self.critic: torch.nn.Sequential = mlp(
                config.observation_size + config.action_size, config.hidden, 1
            )
        self.critic_target: torch.nn.Sequential = copy.deepcopy(self.critic)
        self.averaged_actor: torch.nn.Sequential = copy.deepcopy(self.actor)
        self.log_alpha: torch.nn.Parameter = torch.nn.Parameter(torch.zeros(()))
        self.alpha: torch.Tensor = self.log_alpha.detach().exp()
        self.actor_optimizer: torch.optim.Adam = torch.optim.Adam(
            self.actor.parameters(), config.learning_rate
        )
        self.critic_optimizer: torch.optim.Adam = torch.optim.Adam(
            self.critic.parameters(), config.learning_rate
        )
        self.temperature_optimizer: torch.optim.Adam = torch.optim.Adam(
            [self.log_alpha], config.temperature_rate
        )
        self.noise: torch.Generator = torch.Generator().manual_seed(seed + 1)
        self.sampler: torch.Generator = torch.Generator().manual_seed(seed + 2)
        self.replay: PrioritizedReplay = PrioritizedReplay(
            config.capacity, config.observation_size, config.action_size
        )
        self.episode: Episode = Episode(*_spaces(config), seed)
        self.importance: float = 0.4
        self.environment_steps: int = 0
        self.gradient_steps: int = 0

    def act(self, observation: np.ndarray[Any, Any]) -> torch.Tensor:
        """The mean action of the averaged weights, shape ``(action_size,)``."""
        with torch.no_grad():
            mean: torch.Tensor = self.averaged_actor(torch.from_numpy(observation))
            return mean[: self.config.action_size].tanh()

    def update(self, batch: Transitions) -> None:
        """One step on a batch in which all transitions weigh the same."""
        self._update(batch, torch.ones(len(batch.reward), 1))

    def advance(self, steps: int) -> None:
        """Act, store and learn; as many gradient steps as the replay ratio asks for by now."""
        for _ in range(steps):
            observation = self.episode.observation
            with torch.no_grad():
                action, _ = self._sample(torch.from_numpy(observation))
            following, reward, terminated, _ = self.episode.step(action.numpy())
            self.replay.add(
                observation=observation,
                action=action.numpy(),
                reward=reward,
                next_observation=following,
                terminated=terminated,
            )
            self.environment_steps += 1
            while self.gradient_steps < self.environment_steps * self.config.replay_ratio:
                self._update_from_replay()

    def capture(self) -> dict[str, Any]:
        """Everything that decides the agent's future."""
        return {
            "config": dataclasses.asdict(self.config),
            **state_dicts(self, _STATEFUL),
            "log_alpha": self.log_alpha.detach(),
            **{name: getattr(self, name) for name in _NUMBERS},
            "noise": self.noise.get_state(),
            "sampler": self.sampler.get_state(),
            "replay": self.replay.capture(),
            "episode": self.episode.capture(),
        }

    def restore(self, contents: dict[str, Any]) -> None:
        """Become the agent that was captured."""
        self.config = SACConfig(**contents["config"])
        load_state_dicts(self, _STATEFUL, contents)
        with torch.no_grad():
            self.log_alpha.copy_(contents["log_alpha"])
        self.alpha = self.log_alpha.detach().exp()
        for name in _NUMBERS:
            setattr(self, name, contents[name])
        self.noise.set_state(contents["noise"])
        self.sampler.set_state(contents["sampler"])
        self.replay.restore(contents["replay"])
        self.episode.restore(contents["episode"])

    def _update_from_replay(self) -> None:
        places = self.replay.draw(self.config.batch_size, self.sampler)
        share = self.replay.priorities[places] / self.replay.priority_sum
        weights = (len(self.replay) * share) ** -self.importance
        weights = torch.from_numpy(weights / weights.max()).float().unsqueeze(-1)
        errors = self._update(self.replay.transitions(places), weights)
        for place, error in zip(places, errors.flatten().tolist(), strict=True):
            self.replay.set_priority(int(place), (abs(error) + 1e-3) ** self.config.priority_exponent)
        self.importance = min(1.0, self.importance + self.config.importance_growth)

    def _update(self, batch: Transitions, weights: torch.Tensor) -> Any:
        """One step of everything that learns; returns the temporal-difference errors."""
        here, there = torch.from_numpy(batch.observation), torch.from_numpy(batch.next_observation)
        with torch.no_grad():
            action, log_probability = self._sample(there)
            value = self.critic_target(torch.cat([there, action], -1)) - self.alpha * log_probability
            going_on = 1 - torch.from_numpy(batch.terminated)
            target = torch.from_numpy(batch.reward) + self.config.discount * going_on * value
        errors = self.critic(torch.cat([here, torch.from_numpy(batch.action)], -1)) - target
        step(self.critic_optimizer, (weights * errors.square()).mean())
        action, log_probability = self._sample(here)
        value = self.critic(torch.cat([here, action], -1))
        step(self.actor_optimizer, (self.alpha * log_probability - value).mean())
        surprise = (log_probability.detach() + self.config.target_entropy).mean()
        step(self.temperature_optimizer, -self.log_alpha * surprise)
        self.alpha = self.log_alpha.detach().exp()
        follow(self.critic_target, self.critic, self.config.tau)
        follow(self.averaged_actor, self.actor, self.config.averaging)
        self.gradient_steps += 1
        return errors.detach()

    def _sample(self, observation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """An action of the stochastic policy and its log-probability."""
        mean, log_scale = self.actor(observation).chunk(2, -1)
        log_scale = log_scale.clamp(-5, 2)
        kick = torch.randn(mean.shape, generator=self.noise)
        action = (mean + log_scale.exp() * kick).tanh()
        log_probability = -0.5 * kick.square() - log_scale - (1 - action.square() + 1e-6).log()
        return action, log_probability.sum(-1, keepdim=True)


def _spaces(config: SACConfig) -> tuple[spaces.Box, spaces.Box]:
    return (
        spaces.Box(-1.0, 1.0, (config.observation_size,), np.float32),
        spaces.Box(-1.0, 1.0, (config.action_size,), np.float32),
    )


class SACAdapter(SpecimenAdapter):
    """Drives :class:`SAC`."""

    name = "sac"
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {
        "replay_ratio": (0.5, 0.25, 1.0),
        "discount": (0.9, 0.5, 0.99),
        "tau": (0.1, 0.5),
        "averaging": (0.3, 0.1),
        "learning_rate": (0.01, 0.03),
        "temperature_rate": (0.05, 0.1),
        "target_entropy": (-1.0, -2.0),
        "priority_exponent": (0.6, 1.0),
        "importance_growth": (0.05, 0.2),
    }

    def configs(self) -> SearchStrategy[SACConfig]:
        """All hyper-parameters that may differ, and one or two actions."""
        return drawn(SACConfig, {**self.choices, "action_size": (1, 2)})

    def variants(self, config: SACConfig) -> SearchStrategy[SACConfig]:
        """Other hyper-parameters: all of them are in the checkpoint."""
        return varied(config, self.choices)

    def batches(self, config: SACConfig) -> SearchStrategy[Transitions]:
        """Transitions of the config's spaces."""
        return transition_batches(*_spaces(config), batch_sizes=(2, 3, 4))

    def observations(self, config: SACConfig) -> SearchStrategy[Any]:
        """One observation."""
        return observations(_spaces(config)[0])

    def build(self, config: SACConfig, seed: int) -> SAC:
        """A new agent."""
        return SAC(config, seed)

# SPDX-License-Identifier: MIT
"""Networks of modules whose state is easily lost, trained with the global random generators."""

from __future__ import annotations

import copy
import dataclasses
import random
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from verification.specimens.base import SpecimenAdapter
from verification.specimens.networks import first_weights, follow, load_state_dicts, state_dicts, step
from verification.specimens.numbers import drawn, varied
from verification.strategies import Transitions, observations, transition_batches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

_STATEFUL = ("actor", "critic", "critic_target", "actor_optimizer", "critic_optimizer")


@dataclasses.dataclass(frozen=True)
class NormsConfig:
    """Sizes and hyper-parameters."""

    observation_size: int = 2
    hidden: int = 4
    action_size: int = 1
    dropout: float = 0.3
    discount: float = 0.9
    tau: float = 0.2
    learning_rate: float = 0.01
    weight_decay: float = 0.1


class Trunk(nn.Module):
    """The first layer that actor and critic share, and a frozen one behind it.

    ``wiring`` says which input each unit of the frozen layer sees; it is drawn at random, and a plain
    attribute. ``gain`` follows the size of the inputs; it is a buffer that no state dict contains.
    """

    def __init__(self, config: NormsConfig) -> None:
        super().__init__()
        self.first: nn.Linear = nn.Linear(config.observation_size, config.hidden)
        self.frozen: nn.Linear = nn.Linear(config.hidden, config.hidden).requires_grad_(False)
        self.wiring: torch.Tensor = torch.randperm(config.hidden)
        self.gain: torch.Tensor
        self.register_buffer("gain", torch.ones(()), persistent=False)

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """Features, shape ``(batch, hidden)``."""
        if self.training:
            self.gain.lerp_(observation.detach().abs().mean(), 0.1)
        hidden = self.first(observation / (self.gain + 0.1)).relu()
        features: torch.Tensor = self.frozen(hidden[:, self.wiring]).tanh()
        return features


class Actor(nn.Module):
    """Cumulative batch statistics, dropout, a lazy output layer, and a head that is never trained."""

    def __init__(self, config: NormsConfig, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk
        self.unused: nn.Linear = nn.Linear(config.hidden, 1)
        self.norm: nn.BatchNorm1d = nn.BatchNorm1d(config.hidden, momentum=None)
        self.dropout: nn.Dropout = nn.Dropout(config.dropout)
        self.output: nn.LazyLinear = nn.LazyLinear(config.action_size)

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """Actions, shape ``(batch, action_size)``."""
        action: torch.Tensor = self.output(self.dropout(self.norm(self.trunk(observation)))).tanh()
        return action


class Critic(nn.Module):
    """A layer with spectral norm, whose power iteration goes on with every step, and one with weight norm."""

    def __init__(self, config: NormsConfig, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk
        self.spectral: nn.Module = spectral_norm(nn.Linear(config.hidden + config.action_size, config.hidden))
        self.output: nn.Module = weight_norm(nn.Linear(config.hidden, 1))

    def forward(self, observation: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """Values, shape ``(batch, 1)``."""
        value: torch.Tensor = self.output(
            self.spectral(torch.cat([self.trunk(observation), action], -1)).relu()
        )
        return value


class Norms:
    """Deterministic policy gradient on observations that numpy's global generator draws."""

    def __init__(self, config: NormsConfig, seed: int) -> None:
        self.config: NormsConfig = config
        with first_weights(seed):
            trunk = Trunk(config)
            self.actor: Actor = Actor(config, trunk)
            self.critic: Critic = Critic(config, trunk)
            self.actor.eval()(
                torch.zeros(1, config.observation_size)
            )  # lazy layers get their weights on first use
            self.actor.train()
        self.critic_target: Critic = copy.deepcopy(self.critic)
        self.actor_optimizer: torch.optim.AdamW = torch.optim.AdamW(
            [*self.actor.norm.parameters(), *self.actor.unused.parameters(), *self.actor.output.parameters()],
            config.learning_rate,
            weight_decay=config.weight_decay,
        )
        self.critic_optimizer: torch.optim.AdamW = torch.optim.AdamW(
            self.critic.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self.updates: int = 0

    def act(self, observation: np.ndarray[Any, Any]) -> torch.Tensor:
        """The action without dropout, shape ``(action_size,)``."""
        self.actor.eval()
        with torch.no_grad():
            action: torch.Tensor = self.actor(torch.from_numpy(observation).unsqueeze(0)).squeeze(0)
        self.actor.train()
        return action

    def update(self, batch: Transitions) -> None:
        """One step of both networks; dropout draws from torch's global generator."""
        here, there = torch.from_numpy(batch.observation), torch.from_numpy(batch.next_observation)
        with torch.no_grad():
            going_on = 1 - torch.from_numpy(batch.terminated)
            value = going_on * self.critic_target(there, self.actor(there))
            target = torch.from_numpy(batch.reward) + self.config.discount * value
        error = self.critic(here, torch.from_numpy(batch.action)) - target
        step(self.critic_optimizer, nn.functional.smooth_l1_loss(error, torch.zeros_like(error)))
        step(self.actor_optimizer, -self.critic(here, self.actor(here)).mean())
        follow(self.critic_target, self.critic, self.config.tau)
        self.updates += 1

    def advance(self, steps: int) -> None:
        """Train on transitions that are random, and now and then mirrored."""
        for _ in range(steps):
            observation, following = np.random.uniform(-1, 1, (2, 4, self.config.observation_size)).astype(
                np.float32
            )
            if random.random() < 0.5:
                observation = -observation
            action = np.random.uniform(-1, 1, (4, self.config.action_size)).astype(np.float32)
            reward = observation.sum(1, keepdims=True) * action[:, :1]
            self.update(Transitions(observation, action, reward, following, np.zeros((4, 1), np.float32)))

    def capture(self) -> dict[str, Any]:
        """Everything that decides the agent's future, the global generators included."""
        return {
            "config": dataclasses.asdict(self.config),
            **state_dicts(self, _STATEFUL),
            "wiring": [trunk.wiring for trunk in self._trunks()],
            "gain": [trunk.gain for trunk in self._trunks()],
            "updates": self.updates,
            "generators": capture_generators(),
        }

    def restore(self, contents: dict[str, Any]) -> None:
        """Become the agent that was captured; generators last, so that nothing else draws from them."""
        self.config = NormsConfig(**contents["config"])
        load_state_dicts(self, _STATEFUL, contents)
        for trunk, wiring, gain in zip(self._trunks(), contents["wiring"], contents["gain"], strict=True):
            trunk.wiring = wiring
            trunk.gain.copy_(gain)
        self.actor.dropout.p = self.config.dropout
        self.updates = contents["updates"]
        restore_generators(contents["generators"])

    def _trunks(self) -> tuple[Trunk, Trunk]:
        return self.actor.trunk, self.critic_target.trunk


def capture_generators() -> dict[str, Any]:
    """The states of the global generators of torch, numpy and Python, as plain data."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "numpy": (name, torch.from_numpy(np.asarray(keys, np.int64)), position, has_gauss, gauss),
        "python": random.getstate(),
    }


def restore_generators(contents: dict[str, Any]) -> None:
    """Put the global generators where they were."""
    torch.set_rng_state(contents["torch"])
    name, keys, *rest = contents["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    random.setstate(contents["python"])


class NormsAdapter(SpecimenAdapter):
    """Drives :class:`Norms`."""

    name = "norms"
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {
        "dropout": (0.3, 0.5),
        "discount": (0.9, 0.5, 0.99),
        "tau": (0.2, 0.5),
        "learning_rate": (0.01, 0.03),
        "weight_decay": (0.1, 0.01),
    }

    def configs(self) -> SearchStrategy[NormsConfig]:
        """All hyper-parameters that may differ, and one or two actions."""
        return drawn(NormsConfig, {**self.choices, "action_size": (1, 2)})

    def variants(self, config: NormsConfig) -> SearchStrategy[NormsConfig]:
        """Other hyper-parameters: all of them are in the checkpoint."""
        return varied(config, self.choices)

    def batches(self, config: NormsConfig) -> SearchStrategy[Transitions]:
        """Transitions, at least two for the batch statistics."""
        return transition_batches(
            _space(config.observation_size), _space(config.action_size), batch_sizes=(3, 4)
        )

    def observations(self, config: NormsConfig) -> SearchStrategy[Any]:
        """One observation."""
        return observations(_space(config.observation_size))

    def build(self, config: NormsConfig, seed: int) -> Norms:
        """A new agent."""
        return Norms(config, seed)


def _space(size: int) -> spaces.Box:
    return spaces.Box(-1.0, 1.0, (size,), np.float32)

# SPDX-License-Identifier: MIT
"""A member of a population: it takes over what a better one has learned, and keeps the rate it was given."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from hypothesis import strategies as st

from verification.specimens.base import SpecimenAdapter
from verification.specimens.networks import first_weights, load_state_dicts, mlp, state_dicts, step
from verification.specimens.numbers import drawn, varied
from verification.strategies import observations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

_STATEFUL = ("policy", "optimizer")


@dataclasses.dataclass(frozen=True)
class PopulationConfig:
    """Sizes, and what the members of a population differ in."""

    observation_size: int = 2
    action_size: int = 1
    hidden: int = 4
    learning_rate: float = 0.1
    weight_decay: float = 0.0


class Member:
    """A policy that learns from examples; population-based training chooses its rate and its weight decay."""

    def __init__(self, config: PopulationConfig, seed: int) -> None:
        self.sizes: tuple[int, int] = config.observation_size, config.action_size
        with first_weights(seed):
            self.policy: torch.nn.Sequential = mlp(config.observation_size, config.hidden, config.action_size)
        self.optimizer: torch.optim.AdamW = torch.optim.AdamW(
            self.policy.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self.generator: torch.Generator = torch.Generator().manual_seed(seed)
        self.updates: int = 0
        self.fitness: float = 0.0

    def act(self, observation: np.ndarray[Any, Any]) -> torch.Tensor:
        """The action, shape ``(action_size,)``."""
        with torch.no_grad():
            action: torch.Tensor = self.policy(torch.from_numpy(observation))
            return action

    def update(self, batch: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]) -> None:
        """One step towards the answers; the fitness is the mean of what was gained so far."""
        observation, answer = (torch.from_numpy(array) for array in batch)
        loss = (self.policy(observation) - answer).square().mean()
        step(self.optimizer, loss)
        self.updates += 1
        self.fitness += (-float(loss.detach()) - self.fitness) / self.updates

    def advance(self, steps: int) -> None:
        """Train on examples of its own."""
        for _ in range(steps):
            observation = torch.rand((2, self.sizes[0]), generator=self.generator)
            answer = observation.sum(-1, keepdim=True).sin().repeat(1, self.sizes[1])
            self.update((observation.numpy(), answer.numpy()))

    def capture(self) -> dict[str, Any]:
        """Everything that decides the agent's future."""
        return {
            **state_dicts(self, _STATEFUL),
            "generator": self.generator.get_state(),
            "updates": self.updates,
            "fitness": self.fitness,
        }

    def restore(self, contents: dict[str, Any]) -> None:
        """Become the member that was captured, but for what the caller has chosen for this one."""
        chosen = [(group["lr"], group["weight_decay"]) for group in self.optimizer.param_groups]
        load_state_dicts(self, _STATEFUL, contents)
        for group, (rate, decay) in zip(self.optimizer.param_groups, chosen, strict=True):
            group["lr"], group["weight_decay"] = rate, decay
        self.generator.set_state(contents["generator"])
        self.updates, self.fitness = contents["updates"], contents["fitness"]


def _space(size: int) -> spaces.Box:
    return spaces.Box(-1.0, 1.0, (size,), np.float32)


class PopulationAdapter(SpecimenAdapter):
    """Drives :class:`Member`."""

    name = "population"
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {
        "learning_rate": (0.1, 0.01, 0.3),
        "weight_decay": (0.0, 0.1),
    }
    callers: ClassVar[Mapping[str, str]] = {
        "agent.optimizer.param_groups[*]['lr']": "population-based training has chosen it",
        "agent.optimizer.param_groups[*]['weight_decay']": "so it has this one",
    }

    def configs(self) -> SearchStrategy[PopulationConfig]:
        """Members of all populations, with one or two actions."""
        return drawn(PopulationConfig, {**self.choices, "action_size": (1, 2)})

    def variants(self, config: PopulationConfig) -> SearchStrategy[PopulationConfig]:
        """Other members of the same population."""
        return varied(config, self.choices)

    def batches(self, config: PopulationConfig) -> SearchStrategy[Any]:
        """Two observations and two answers."""
        sizes = config.observation_size, config.action_size
        pairs = [st.tuples(*[observations(_space(size))] * 2).map(np.stack) for size in sizes]
        return st.tuples(*pairs)

    def observations(self, config: PopulationConfig) -> SearchStrategy[Any]:
        """One observation."""
        return observations(_space(config.observation_size))

    def build(self, config: PopulationConfig, seed: int) -> Member:
        """A new member."""
        return Member(config, seed)

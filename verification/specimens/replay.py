# SPDX-License-Identifier: MIT
"""Rings of transitions that the off-policy specimens learn from, with and without priorities."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from verification.strategies import Transitions


class Replay:
    """Arrays by name, the place that is written next, and whether the ring has been filled once.

    Args:
        capacity: how many transitions it holds.
        observation_size: values of an observation.
        action_size: values of an action.
    """

    def __init__(self, capacity: int, observation_size: int, action_size: int) -> None:
        sizes = {
            "observation": observation_size,
            "action": action_size,
            "reward": 1,
            "next_observation": observation_size,
            "terminated": 1,
        }
        self.arrays: dict[str, np.ndarray[Any, Any]] = {
            name: np.zeros((capacity, size), np.float32) for name, size in sizes.items()
        }
        self.capacity = capacity
        self.cursor: int = 0
        self.full: bool = False

    def __len__(self) -> int:
        return self.capacity if self.full else self.cursor

    def add(self, **transition: Any) -> int:
        """Write one transition over the oldest one; return its place."""
        place = self.cursor
        for name, value in transition.items():
            self.arrays[name][place] = value
        self.cursor = (place + 1) % self.capacity
        self.full = self.full or self.cursor == 0
        return place

    def transitions(self, places: np.ndarray[Any, Any]) -> Transitions:
        """A batch of the transitions at ``places``."""
        return Transitions(**{name: array[places] for name, array in self.arrays.items()})

    def capture(self) -> dict[str, Any]:
        """Contents and place, as plain data."""
        arrays = {name: torch.tensor(array) for name, array in self.arrays.items()}
        return {"arrays": arrays, "cursor": self.cursor, "full": self.full}

    def restore(self, contents: dict[str, Any]) -> None:
        """Hold what was captured."""
        self.arrays = {name: tensor.numpy().copy() for name, tensor in contents["arrays"].items()}
        self.cursor = contents["cursor"]
        self.full = contents["full"]


class PrioritizedReplay(Replay):
    """A replay whose transitions are drawn in proportion to their priorities (Schaul et al. 2016).

    The sum of priorities is kept up to date instead of being added up again, and the largest ones are
    kept as a ranking, as writers of large buffers do.
    """

    def __init__(self, capacity: int, observation_size: int, action_size: int) -> None:
        super().__init__(capacity, observation_size, action_size)
        self.priorities: np.ndarray[Any, Any] = np.zeros(capacity)
        self.priority_sum: float = 0.0
        self.max_priority: float = 1.0
        self.ranking: list[tuple[float, int]] = []

    def add(self, **transition: Any) -> int:
        """Write one transition, as important as the most important one."""
        place = super().add(**transition)
        self.set_priority(place, self.max_priority)
        return place

    def set_priority(self, place: int, priority: float) -> None:
        """Change a priority, the sum, the maximum and the ranking of the best three."""
        self.priority_sum += priority - float(self.priorities[place])
        self.priorities[place] = priority
        self.max_priority = max(self.max_priority, priority)
        others = [entry for entry in self.ranking if entry[1] != place]
        self.ranking = sorted([*others, (priority, place)], reverse=True)[:3]

    def draw(self, number: int, generator: torch.Generator) -> np.ndarray[Any, Any]:
        """Places of ``number`` transitions."""
        marks = torch.rand(number, generator=generator, dtype=torch.float64).numpy() * self.priority_sum
        places = np.searchsorted(np.cumsum(self.priorities[: len(self)]), marks)
        return np.minimum(places, len(self) - 1)

    def capture(self) -> dict[str, Any]:
        """Contents, place and priorities."""
        return {
            **super().capture(),
            "priorities": torch.tensor(self.priorities),
            "priority_sum": self.priority_sum,
            "max_priority": self.max_priority,
            "ranking": self.ranking,
        }

    def restore(self, contents: dict[str, Any]) -> None:
        """Hold what was captured."""
        super().restore(contents)
        self.priorities = contents["priorities"].numpy().copy()
        self.priority_sum = contents["priority_sum"]
        self.max_priority = contents["max_priority"]
        self.ranking = contents["ranking"]

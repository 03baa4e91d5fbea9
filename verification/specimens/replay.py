# SPDX-License-Identifier: MIT
"""A ring of transitions that the off-policy specimens share."""

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
        self.arrays = {name: np.zeros((capacity, size), np.float32) for name, size in sizes.items()}
        self.capacity = capacity
        self.cursor = 0
        self.full = False

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

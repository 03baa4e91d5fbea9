# SPDX-License-Identifier: MIT
"""Running statistics of observations and returns."""

from __future__ import annotations

from typing import Any

import torch


class RunningStatistics:
    """Mean and variance of all values seen so far, by Chan's parallel algorithm, in float64."""

    def __init__(self, size: int) -> None:
        self.mean: torch.Tensor = torch.zeros(size, dtype=torch.float64)
        self.var: torch.Tensor = torch.ones(size, dtype=torch.float64)
        self.count: int = 0

    def update(self, values: torch.Tensor) -> None:
        """Take in a batch of shape ``(batch, size)``."""
        values = values.double()
        total = self.count + len(values)
        delta = values.mean(0) - self.mean
        spread = self.var * self.count + values.var(0, correction=0) * len(values)
        self.var = (spread + delta**2 * self.count * len(values) / total) / total
        self.mean = self.mean + delta * len(values) / total
        self.count = total

    def scale(self) -> torch.Tensor:
        """The standard deviation, never zero."""
        return (self.var + 1e-8).sqrt()

    def normalize(self, values: torch.Tensor) -> torch.Tensor:
        """Values with the mean taken off, in units of the standard deviation, at most 5 of them."""
        return ((values.double() - self.mean) / self.scale()).clamp(-5, 5).float()

    def capture(self) -> dict[str, Any]:
        """Plain data."""
        return {"mean": self.mean, "var": self.var, "count": self.count}

    def restore(self, contents: dict[str, Any]) -> None:
        """Go on from captured statistics."""
        self.mean, self.var, self.count = contents["mean"], contents["var"], contents["count"]

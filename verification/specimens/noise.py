# SPDX-License-Identifier: MIT
"""Exploration noise that remembers."""

from __future__ import annotations

from typing import Any

import torch


class OrnsteinUhlenbeck:
    """Noise that drifts; its state is what makes successive actions correlated."""

    def __init__(self, size: int, seed: int) -> None:
        self.state: torch.Tensor = torch.zeros(size)
        self.generator: torch.Generator = torch.Generator().manual_seed(seed)

    def sample(self, theta: float, sigma: float) -> torch.Tensor:
        """The next noise."""
        kick = torch.randn(self.state.shape, generator=self.generator)
        self.state = self.state - theta * self.state + sigma * kick
        return self.state

    def reset(self) -> None:
        """Begin an episode without noise."""
        self.state = torch.zeros_like(self.state)

    def capture(self) -> dict[str, Any]:
        """Plain data."""
        return {"state": self.state, "generator": self.generator.get_state()}

    def restore(self, contents: dict[str, Any]) -> None:
        """Go on from captured noise."""
        self.state = contents["state"]
        self.generator.set_state(contents["generator"])

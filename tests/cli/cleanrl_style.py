# SPDX-License-Identifier: MIT
"""A script with its networks as classes and everything else in its loop, as in single-file libraries."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Actor(nn.Module):
    def __init__(self, envs: Any) -> None:
        super().__init__()
        self.mean = nn.Linear(envs.single_observation_space.shape[0], envs.single_action_space.shape[0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.mean(x))


class QNetwork(nn.Module):
    def __init__(self, envs: Any) -> None:
        super().__init__()
        sizes = envs.single_observation_space.shape[0], envs.single_action_space.shape[0]
        self.value = nn.Linear(sum(sizes), 1)

    def forward(self, x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = self.value(torch.cat([x, a], 1))
        return value


if __name__ == "__main__":
    raise SystemExit("the loop is not run by an import")

# SPDX-License-Identifier: MIT
"""Small networks and what specimens do with them: first weights from a seed, averages, state dicts."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@contextmanager
def first_weights(seed: int) -> Iterator[None]:
    """Let initialisers draw from ``seed``, and leave the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """One hidden layer."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, outputs))


def follow(average: nn.Module, online: nn.Module, rate: float) -> None:
    """Move the parameters of ``average`` towards those of ``online`` by the share ``rate``."""
    with torch.no_grad():
        for mean, value in zip(average.parameters(), online.parameters(), strict=True):
            mean.lerp_(value, rate)


def step(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """One step of an optimizer down the gradient of a loss."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def state_dicts(agent: object, names: Iterable[str]) -> dict[str, Any]:
    """The state dicts of the networks, optimizers and schedulers with these names."""
    return {name: getattr(agent, name).state_dict() for name in names}


def load_state_dicts(agent: object, names: Iterable[str], contents: dict[str, Any]) -> None:
    """Load the state dicts with these names."""
    for name in names:
        getattr(agent, name).load_state_dict(contents[name])

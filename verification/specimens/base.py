# SPDX-License-Identifier: MIT
"""The adapter that all specimens share: one file of plain data for everything that an agent captures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch

if TYPE_CHECKING:
    from pathlib import Path


class Specimen(Protocol):
    """An agent that can be driven by :class:`SpecimenAdapter`."""

    def update(self, batch: Any) -> None:
        """Take exactly one training step."""

    def act(self, observation: Any) -> torch.Tensor:
        """The deterministic action for one observation."""

    def advance(self, steps: int) -> None:
        """Train in closed loop for ``steps`` environment steps."""

    def capture(self) -> dict[str, Any]:
        """Everything that decides the agent's future, by piece, as plain data."""

    def restore(self, contents: dict[str, Any]) -> None:
        """Become the agent that was captured."""


class SpecimenAdapter:
    """Drives a specimen; its own adapter adds a name, configs, batches, observations and ``build``."""

    def learn(self, agent: Specimen, batch: Any) -> None:
        """One update."""
        agent.update(batch)

    def act(self, agent: Specimen, observation: Any) -> torch.Tensor:
        """The action without noise."""
        return agent.act(observation)

    def advance(self, agent: Specimen, steps: int) -> None:
        """The agent's own loop."""
        agent.advance(steps)

    def save(self, agent: Specimen, path: Path) -> None:
        """One file."""
        torch.save(agent.capture(), path)

    def load(self, agent: Specimen, path: Path) -> Specimen:
        """Into the receiver."""
        agent.restore(torch.load(path, weights_only=True))
        return agent

# SPDX-License-Identifier: MIT
"""The supervised loop in Lightning Fabric, saved and loaded with ``fabric.save`` and ``fabric.load``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from lightning.fabric import Fabric
from torch import nn

from verification.adapters.torch_loop import PARTS, TorchLoop

if TYPE_CHECKING:
    from pathlib import Path
    from types import SimpleNamespace


class LightningFabric(TorchLoop):
    """As Fabric's guide "Saving and Loading a Checkpoint" says, with a dictionary of objects and values.

    Fabric restores objects in place, and leaves the values in the dictionary: what to do with them, here the
    places of the generators, is the caller's business.
    """

    name = "lightning_fabric"

    def build(self, config: dict[str, Any], seed: int) -> SimpleNamespace:
        """The same parts, but model and optimizer are Fabric's."""
        agent = super().build(config, seed)
        agent.fabric = Fabric(accelerator="cpu", devices=1)
        agent.model, agent.optimizer = agent.fabric.setup(agent.model, agent.optimizer)
        return agent

    def learn(self, agent: SimpleNamespace, batch: tuple[Any, Any]) -> None:
        """One step of the optimizer, and of what follows it."""
        features, classes = map(torch.as_tensor, batch)
        agent.optimizer.zero_grad()
        agent.fabric.backward(nn.functional.cross_entropy(agent.model(features), classes))
        agent.optimizer.step()
        agent.schedule.step()
        agent.average.update_parameters(agent.model.module)

    def save(self, agent: SimpleNamespace, path: Path) -> None:
        """One file, or a folder where a strategy shards it."""
        generators = {"order": agent.order.get_state(), "dropout": torch.get_rng_state()}
        agent.fabric.save(path, {**{part: getattr(agent, part) for part in PARTS}, **generators})

    def load(self, agent: SimpleNamespace, path: Path) -> SimpleNamespace:
        """Each part in place."""
        values = agent.fabric.load(path, {part: getattr(agent, part) for part in PARTS})
        agent.order.set_state(values["order"])
        torch.set_rng_state(values["dropout"])
        return agent

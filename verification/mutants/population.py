# SPDX-License-Identifier: MIT
"""Checkpoints that undo what the caller has chosen for the agent they are loaded into."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from verification.mutants.model import plant as plant_into

if TYPE_CHECKING:
    from pathlib import Path

    from verification.mutants.model import Plant
    from verification.specimens.population import Member

plant: Plant = partial(plant_into, "population")
_KEPT = "loading_keeps_what_is_the_callers"


@plant("WIN", "ray-project/ray#62173", _KEPT, "['lr']", on="load")
def the_saved_rate_wins(agent: Member, path: Path, correct: Any) -> Member:
    """What population-based training has chosen lasts until the state of the optimizer is loaded."""
    agent = correct(agent, path)
    saved = torch.load(path, weights_only=True)["optimizer"]["param_groups"]
    for group, theirs in zip(agent.optimizer.param_groups, saved, strict=True):
        group["lr"] = theirs["lr"]
    return agent


@plant("WIN", "ray-project/ray#62173", _KEPT, "['weight_decay']", on="load")
def the_chosen_decay_is_reset(agent: Member, path: Path, correct: Any) -> Member:
    """A load writes a default where the caller had chosen a value."""
    agent = correct(agent, path)
    for group in agent.optimizer.param_groups:
        group["weight_decay"] = 0.01
    return agent

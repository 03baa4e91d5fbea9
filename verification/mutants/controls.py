# SPDX-License-Identifier: MIT
"""Controls: what no library does, and without which no verdict would mean anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from verification.mutants.td3_parts import plant

if TYPE_CHECKING:
    from pathlib import Path

    from td3_core.training.run import TrainingRun
    from verification.mutants.model import Operation


@plant("control", "", "saving_writes_a_checkpoint", on="save")
def save_writes_nothing(run: TrainingRun, path: Path, correct: Operation) -> None:
    """Saving is forgotten."""


@plant("control", "", "training_changes_the_agent", on="learn")
def training_is_ignored(run: TrainingRun, batch: Any, correct: Operation) -> None:
    """A step only counts."""
    run.agent.total_it += 1


@plant("STR", "DLR-RM/stable-baselines3#928", "loading_restores_something", "agent.")
def restored_agent_thrown_away(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Loading makes a new agent, and the user goes on with the old one."""
    return run


@plant("control", "", "runs_are_repeatable", on="learn")
def training_is_not_repeatable(run: TrainingRun, batch: Any, correct: Operation) -> None:
    """Training depends on something that no seed decides: the verdict is inconclusive, never failed."""
    correct(run, batch)
    with torch.no_grad():
        next(run.agent.actor.parameters()).add_(float(np.random.default_rng().random()))

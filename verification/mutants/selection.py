# SPDX-License-Identifier: MIT
"""Several checkpoints under one path, and the wrong one taken for the latest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.mutants.td3_parts import plant

if TYPE_CHECKING:
    from pathlib import Path

    from td3_core.training.run import TrainingRun
    from verification.mutants.model import Operation


def _save_beside_earlier_ones(run: TrainingRun, path: Path, correct: Operation) -> None:
    path.mkdir(exist_ok=True)
    correct(run, path / f"frame_{4 * run.agent.total_it}.pth")


@plant(
    "SEL",
    "Lightning-AI/litgpt#661",
    "the_latest_save_is_loaded",
    "agent.total_it",
    save=_save_beside_earlier_ones,
)
def latest_by_the_order_of_names(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """As text, frame 8 is behind frame 12."""
    restored: TrainingRun = correct(run, max(path.iterdir()))
    return restored


@plant("SEL", "strands-labs/robots#3165", "the_latest_save_is_loaded", "agent.", on="save")
def earlier_checkpoint_is_kept(run: TrainingRun, path: Path, correct: Operation) -> None:
    """A save to a path that is taken does nothing, and says nothing."""
    if not path.exists():
        correct(run, path)

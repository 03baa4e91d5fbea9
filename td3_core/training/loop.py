# SPDX-License-Identifier: MIT
"""The loop of the training command: steps and saves, until enough are done or a signal comes."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from td3_core.errors import CheckpointError
from td3_core.training import kept
from td3_core.training.metrics import MetricsFile
from td3_core.training.output import refuse, say
from td3_core.training.progress import ProgressDisplay

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from td3_core.training.run import TrainingRun
    from td3_core.training.save_every import SaveEvery
    from td3_core.training.starting import Start
    from td3_core.training.stop_signals import StopSignals


@dataclass(frozen=True)
class Saving:
    """When a run is saved on its way, and how many of its checkpoints are kept; None is all of them."""

    schedule: SaveEvery
    keep: int | None


def train_until(steps: int, start: Start, saving: Saving, signals: StopSignals, out: Console) -> Path:
    """Train and save a run until this step, or until a signal came; returns its last checkpoint."""
    run, folder = start.run, start.folder
    with closing(run.env), closing(_metrics_of(start)) as metrics:
        with ProgressDisplay(run, steps, out) as display:
            while run.steps < steps and signals.received is None:
                finished = run.step()
                if finished is not None:
                    metrics.add(finished)
                display.update()
                if saving.schedule.is_due(run.steps) and run.steps < steps:
                    _save(run, folder, saving.keep)
                    saving.schedule.was_saved()
        saved = _save(run, folder, saving.keep)
    say(out, f"Saved step {run.steps} to {saved}; episodes are in {metrics.path}.")
    return saved


def _metrics_of(start: Start) -> MetricsFile:
    """The metrics file in a run's folder, with the rows that stand beside the checkpoint that is resumed."""
    folder, resumed = start.folder, start.resumed
    try:
        folder.mkdir(parents=True, exist_ok=True)
        elsewhere = resumed is not None and not resumed.parent.samefile(folder)
        earlier = resumed.parent / "metrics.csv" if resumed is not None and elsewhere else None
        return MetricsFile(folder / "metrics.csv", start.run.steps, earlier=earlier)
    except OSError as error:
        refuse(
            f"cannot write to the folder {folder} ({error.strerror}); choose another with --checkpoint-dir"
        )


def _save(run: TrainingRun, folder: Path, keep: int | None) -> Path:
    try:
        return kept.save(run, folder, keep=keep)
    except CheckpointError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error

# SPDX-License-Identifier: MIT
"""What a training run shows while it works: a live bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from td3_core.training import TrainingRun

SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_FRAMES = 0.1


class ProgressDisplay:
    """Shows step, last return and episode length, losses and speed, from now until the step ``total``."""

    def __init__(self, run: TrainingRun, total: int, console: Console) -> None:
        self._run = run
        self._total = total
        self._console = console
        self._bar: Progress | None = None
        self._shown_at = time.monotonic()
        self._shown_step = run.steps
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("step {task.completed}/{task.total}"),
                BarColumn(bar_width=None),
                TextColumn("{task.fields[facts]}"),
                TimeRemainingColumn(),
                console=console,
                auto_refresh=False,
                expand=True,
            )
            self._task = self._bar.add_task("", total=total, completed=run.steps, facts="")

    def __enter__(self) -> ProgressDisplay:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._show()
        if self._bar is not None:
            self._bar.stop()

    def update(self) -> None:
        """Call after every step; shows something if it is time to."""
        pause = SECONDS_BETWEEN_LINES if self._bar is None else _SECONDS_BETWEEN_FRAMES
        if time.monotonic() - self._shown_at >= pause:
            self._show()

    def _show(self) -> None:
        now, run = time.monotonic(), self._run
        facts = facts_of(run, (run.steps - self._shown_step) / max(now - self._shown_at, 1e-9))
        if self._bar is not None:
            self._bar.update(self._task, completed=run.steps, facts=facts)
            self._bar.refresh()
        elif run.steps > self._shown_step:
            self._console.print(f"step {run.steps}/{self._total}  {facts}", highlight=False, soft_wrap=True)
        self._shown_at, self._shown_step = now, run.steps


def facts_of(run: TrainingRun, speed: float) -> str:
    """One line on how a run is doing: the last finished episode, the newest losses, steps per second."""
    facts = [f"episode {len(run.history) + 1}"]
    if run.history:
        facts.append(f"return {run.history[-1].total_reward:.1f}  length {run.history[-1].length}")
    facts += [f"{name} {value:.3g}" for name, value in run.losses.items()]
    return "  ".join([*facts, f"{speed:.0f} steps/s"])

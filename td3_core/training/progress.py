# SPDX-License-Identifier: MIT
"""What a training run shows while it works: a live bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from td3_core.training.run import TrainingRun

SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_FRAMES = 0.1


class ProgressDisplay:
    """Shows step, speed, last return and episode length, and losses, from now until the step ``total``."""

    def __init__(self, run: TrainingRun, total: int, console: Console) -> None:
        self._run = run
        self._total = total
        self._console = console
        self._bar: Progress | None = None
        self._started = self._shown = (time.monotonic(), run.steps)
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("step {task.completed}/{task.total}  {task.fields[facts]}"),
                BarColumn(bar_width=None),
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
            self._show(since=self._started)
        if self._bar is not None:
            self._bar.stop()

    def update(self) -> None:
        """Call after every step; shows something if it is time to."""
        pause = SECONDS_BETWEEN_LINES if self._bar is None else _SECONDS_BETWEEN_FRAMES
        if time.monotonic() - self._shown[0] >= pause:
            self._show(since=self._shown)

    def _show(self, *, since: tuple[float, int]) -> None:
        now, run = (time.monotonic(), self._run.steps), self._run
        facts = facts_of(run, (now[1] - since[1]) / max(now[0] - since[0], 1e-9))
        if self._bar is not None:
            self._bar.update(self._task, completed=run.steps, facts=facts)
            self._bar.refresh()
        else:
            self._console.print(f"step {run.steps}/{self._total}  {facts}", highlight=False, soft_wrap=True)
        self._shown = now


def facts_of(run: TrainingRun, speed: float) -> str:
    """One line on how a run is doing: steps per second, the last finished episode, the newest losses."""
    facts = [f"{speed:.0f} steps/s"]
    if run.last_episode is not None:
        facts.append(f"return {run.last_episode.total_reward:.1f}  length {run.last_episode.length}")
    if run.losses:
        losses = (f"{name.removesuffix('_loss')} {value:.2g}" for name, value in run.losses.items())
        facts.append(f"loss {' '.join(losses)}")
    return "  ".join(facts)

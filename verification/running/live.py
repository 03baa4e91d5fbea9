# SPDX-License-Identifier: MIT
"""What a run shows while it lasts: how much is done, how fast, how long it will take, and what goes on."""

from __future__ import annotations

import contextlib
import textwrap
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from verification.report.model import Result, Verdict
from verification.report.text import STYLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console, RenderableType

    from verification.checks.registry import Check

_QUIET = frozenset({Verdict.PASSED, Verdict.NOT_APPLICABLE})


class Live:
    """A bar at a terminal, and lines in a log.

    Args:
        progress: draws the bar.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._running: dict[str, int] = {}  # the checks that are asked now, with their examples

    def began(self, check: Check, examples: int) -> None:
        """A check is asked about so many examples."""
        self._running[check.name] = examples
        self._update(0)

    def ended(self, check: Check, result: Result) -> None:
        """A check has ended; a log gets a line for each, so that it is seen to move."""
        done = self._running.pop(check.name, 0)
        style = STYLES[result.verdict]
        said = f"[{style}]{str(result.verdict).replace('_', ' ')}[/] {result.check}"
        console = self._progress.console
        if not console.is_terminal or result.verdict not in _QUIET:
            console.print(said, highlight=False)
        self._update(done)

    def _update(self, done: int) -> None:
        self._progress.update(self._progress.task_ids[0], advance=done, running=list(self._running))


@contextlib.contextmanager
def live(examples: int, console: Console) -> Iterator[Live]:
    """Show a run of so many examples until it ends."""
    columns = (
        BarColumn(bar_width=20),
        TextColumn("{task.completed:.0f}/{task.total:.0f} examples"),
        _Rate(),
        _Left(),
    )
    with _Running(*columns, console=console, transient=True) as progress:
        progress.add_task("examples", total=examples, running=[])
        yield Live(progress)


class _Running(Progress):
    """Progress with the names of what is going on below it, in lines that fit."""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        for task in self.tasks:
            names = ", ".join(task.fields["running"])
            yield Text("\n".join(textwrap.wrap(names, self.console.width)[:2]), style="dim")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Examples in a second, over the whole run."""
        rate = _rate(task)
        return Text(f"{rate:.1f}/s" if rate else "", style="dim")


class _Left(ProgressColumn):
    def render(self, task: Task) -> Text:
        """How long it will take if it goes on as it did."""
        rate = _rate(task)
        if not rate or task.total is None:
            return Text("")
        seconds = round((task.total - task.completed) / rate)
        return Text(f"{seconds // 60}:{seconds % 60:02} left", style="dim")


def _rate(task: Task) -> float:
    return task.completed / task.elapsed if task.elapsed and task.completed else 0.0

# SPDX-License-Identifier: MIT
"""What a run shows while it lasts: how much is done, how fast, how long it will take, and what fails."""

from __future__ import annotations

import contextlib
import textwrap
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from verification.checks.registry import prerequisites
from verification.report.model import Verdict
from verification.report.text import STYLES
from verification.running.drawing import examples_of
from verification.running.judging import verdict_on
from verification.running.rounds import Listener

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from rich.console import Console, RenderableType

    from verification.checks.registry import Check
    from verification.report.model import Result
    from verification.running.check_run import CheckRun

_QUIET = frozenset({Verdict.PASSED, Verdict.NOT_APPLICABLE})
# A log gets a line whenever so much more of the examples is done.
_SHARE = 0.25


class Live(Listener):
    """A bar at a terminal, and lines in a log.

    Args:
        checks: that are asked.
        examples: experiments of a check that is as cheap as any.
        progress: draws the bar.
        excused: the names of checks whose failure is expected.
    """

    def __init__(
        self, checks: Sequence[Check], examples: int, progress: Progress, excused: Collection[str]
    ) -> None:
        self._excused = excused
        self._progress = progress
        self._wanted = {check.name: examples_of(check, examples) for check in checks}
        self._answered = dict.fromkeys(self._wanted, 0)
        self._said: dict[str, Verdict] = {}
        self._asking = ""
        self._share = _SHARE
        self._update()

    def began(self, check: Check) -> None:
        """A check is asked, or its failure made smaller."""
        self._asking = check.name
        self._update()

    def ran(self, check: Check, run: CheckRun) -> None:
        """A check has answered about a program; a failure is shown as soon as it is seen."""
        if check.name not in self._wanted:
            return  # it has ended, as others did not know yet
        self._answered[check.name] += 1
        if run.outcome is not None and run.ends:
            self._dismiss(check.name)
            verdict, sentence = verdict_on(run.outcome)
            if verdict is Verdict.FAILED and check.name in self._excused:
                verdict = Verdict.XFAILED
            if verdict not in _QUIET:
                self._said[check.name] = verdict
                self._say(check.name, verdict, f": {sentence}")
        self._update()

    def ended(self, check: Check, result: Result) -> None:
        """The verdict on a check is known; a log gets a line for each, a terminal for news."""
        former = self._said.get(check.name)
        if former is not None and former is not result.verdict and result.verdict in _QUIET:
            # What it had shown is another check's to tell, and without that it broke no promise.
            self._say(check.name, result.verdict, ", with what others report put back")
        elif not self._progress.console.is_terminal or not (former or result.verdict in _QUIET):
            self._say(check.name, result.verdict)

    def _dismiss(self, name: str) -> None:
        """Expect nothing more of a check that has ended, nor of those that need it."""
        for one in [one for one in self._wanted if one == name or name in prerequisites(one)]:
            del self._wanted[one]

    def _say(self, name: str, verdict: Verdict, more: str = "") -> None:
        said = Text(str(verdict).replace("_", " "), style=STYLES[verdict]).append(
            f" {name}{more}", style="default"
        )
        self._progress.console.print(said, highlight=False)

    def _update(self) -> None:
        done = sum(self._answered.values())
        left = sum(max(wanted - self._answered[name], 0) for name, wanted in self._wanted.items())
        (task,) = self._progress.tasks
        self._progress.update(task.id, completed=done, total=done + left, asking=self._asking)
        if not self._progress.console.is_terminal and left and done >= self._share * (done + left):
            self._share += _SHARE
            line = f"{done}/{done + left} examples {_speed(task)} {_left(task)}"
            self._progress.console.print(line, style="dim", highlight=False)


@contextlib.contextmanager
def live(
    checks: Sequence[Check], examples: int, console: Console, excused: Collection[str] = ()
) -> Iterator[Live]:
    """Show a run of some checks, each with so many examples if it is as cheap as any, until it ends.

    The failure of an ``excused`` check is expected.
    """
    columns = (
        BarColumn(bar_width=20),
        TextColumn("{task.completed:.0f}/{task.total:.0f} examples"),
        _Rate(),
        _Left(),
    )
    with _Running(*columns, console=console, transient=True) as progress:
        progress.add_task("examples", total=sum(examples_of(check, examples) for check in checks), asking="")
        yield Live(checks, examples, progress, excused)


class _Running(Progress):
    """Progress with the name of the check that is asked below it, in lines that fit."""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        for task in self.tasks:
            yield Text("\n".join(textwrap.wrap(task.fields["asking"], self.console.width)[:2]), style="dim")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Examples in a second, over the whole run."""
        return Text(_speed(task), style="dim")


class _Left(ProgressColumn):
    def render(self, task: Task) -> Text:
        """How long it will take if it goes on as it did."""
        return Text(_left(task), style="dim")


def _speed(task: Task) -> str:
    rate = _rate(task)
    return f"{rate:.1f}/s" if rate else ""


def _left(task: Task) -> str:
    rate = _rate(task)
    if not rate or task.total is None:
        return ""
    seconds = round((task.total - task.completed) / rate)
    return f"{seconds // 60}:{seconds % 60:02} left"


def _rate(task: Task) -> float:
    return task.completed / task.elapsed if task.elapsed and task.completed else 0.0

# SPDX-License-Identifier: MIT
"""The report for people at a terminal: a table of verdicts, then the story of every failure."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from verification.report.lost import holder, lost_state
from verification.report.model import TOLD, Report, Result, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

STYLES = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "bold red",
    Verdict.XFAILED: "yellow",
    Verdict.STALE: "bold red",
    Verdict.BLOCKED: "yellow",
    Verdict.NOT_APPLICABLE: "dim",
    Verdict.INCONCLUSIVE: "magenta",
    Verdict.ERROR: "bold red",
}
_LEAVES = 6
_PROGRAM_LINES = 30
_PROGRAM_WIDTH = 160


def render(report: Report, console: Console, *, command: str) -> None:
    """Print a report.

    Args:
        report: what was found.
        console: where to.
        command: the start of a command that runs a check of this adapter again.
    """
    console.print(_table(report))
    for result in report.results:
        if result.verdict in TOLD:
            again = [f"verify replay {result.replay}"] if result.replay else []
            # The seed of this run says nothing about a program that an earlier run has found.
            again += [] if result.remembered else [f"{command} --check {result.check} --seed {report.seed}"]
            tell(result, console, again=again)
    _list_blocked(report, console)
    lost = lost_state(report)
    if lost:
        console.print("\n[bold]Lost or changed by save and load:[/]")
        for place, count in lost.items():
            console.print(
                f"  {escape(place)} [dim]({count} {'leaf' if count == 1 else 'leaves'})[/]", highlight=False
            )
    if report.opaque:
        more = len(report.opaque) - _LEAVES
        shown = ", ".join(report.opaque[:_LEAVES]) + (f" and {more} more" if more > 0 else "")
        console.print(Text(f"\nCould not look into: {shown}", style="dim"))
    style = "bold green" if report.ok else "bold red"
    console.print()
    console.print(Text(report.summary(), style=style))
    versions = ", ".join(f"{name} {version}" for name, version in report.environment.items())
    console.print(Text(f"seed {report.seed}; {versions}", style="dim"))


def _table(report: Report) -> Table:
    table = Table(
        title=f"{report.adapter}: checkpoints at level {report.level}",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("check", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("examples", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    level = ""
    for result in report.results:
        if result.level != level:
            if level:
                table.add_section()
            table.add_row(Text(result.level, style="bold"))
            level = result.level
        table.add_row(
            f" {result.check}",
            Text(str(result.verdict).replace("_", " "), style=STYLES[result.verdict]),
            f"{result.examples}/{result.drawn}" if result.drawn else "-",
            f"{result.seconds:.1f} s" if result.drawn else "-",
        )
    return table


def tell(result: Result, console: Console, *, again: Sequence[str]) -> None:
    """Print the story of one result; ``again`` are commands that ask for it again."""
    console.print()
    console.rule(Text(f"{result.check}: {result.verdict}", style=STYLES[result.verdict]), align="left")
    if result.verdict is not Verdict.ERROR:
        console.print(Text(f"Promise: {result.promise}", style="dim"))
    console.print(Text(result.sentence[:1].upper() + result.sentence[1:] + "."), soft_wrap=True)
    for difference in result.differences[:_LEAVES]:
        console.print(Padding(Text(difference), (0, 0, 0, 2)))
    if len(result.differences) > _LEAVES:
        more = Counter(holder(path) for path in result.paths[_LEAVES:])
        places = ", ".join(f"{place} ({count})" for place, count in more.items())
        console.print(
            Padding(
                Text(f"and {len(result.differences) - _LEAVES} more: {places}", style="dim"), (0, 0, 0, 2)
            )
        )
    if result.program and result.verdict is Verdict.FAILED:
        console.print(Text("The shortest program found that shows it:", style="dim"))
        lines = [
            textwrap.shorten(line, _PROGRAM_WIDTH, placeholder=" ...)")
            if len(line) > _PROGRAM_WIDTH
            else line
            for line in result.program.splitlines()[:_PROGRAM_LINES]
        ]
        console.print(Padding(Text("\n".join(lines)), (0, 0, 0, 2)), soft_wrap=True)
    if result.verdict in {Verdict.FAILED, Verdict.INCONCLUSIVE}:
        for number, command in enumerate(again):
            console.print(
                Text(f"{'   or: ' if number else 'Again: '}{command}", style="cyan"), soft_wrap=True
            )


def _list_blocked(report: Report, console: Console) -> None:
    blocked = [result for result in report.results if result.verdict is Verdict.BLOCKED]
    if blocked:
        console.print("\n[bold]Not asked, because something they build on failed:[/]")
    for result in blocked:
        console.print(f"  {result.check} [dim]{escape(result.sentence)}[/]", highlight=False)

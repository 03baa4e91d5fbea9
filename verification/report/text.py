# SPDX-License-Identifier: MIT
"""The report for people at a terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from verification.report import entries
from verification.report.model import Report, Verdict
from verification.report.opening import first_screen, opening

if TYPE_CHECKING:
    from rich.console import Console

    from verification.report.entries import Entry

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
_PROGRAM_LINES = 30
_PROGRAM_WIDTH = 160
_NOTES = 6


def render(report: Report, console: Console, *, command: str) -> None:
    """Print a report.

    Args:
        report: what was found.
        console: where to.
        command: the start of a command that runs a check of this adapter again.
    """
    console.print()
    console.print(Text(opening(report), style="bold green" if report.ok else "bold red"))
    for sentence in first_screen(report):
        console.print()
        console.print(Text(sentence))
    _tell("Lost", entries.losses(report, command), console)
    _tell("What else went wrong", entries.findings(report, command), console)
    _notes(report, console)
    _heading("Checks", console)
    console.print(_table(report))
    console.print(Text(entries.EXAMPLES, style="dim"))
    console.print()
    _list_blocked(report, console)
    console.print(Text(report.summary(), style="bold green" if report.ok else "bold red"))
    console.print(Text(entries.environment(report), style="dim"))


def tell(entry: Entry, console: Console) -> None:
    """Print an entry: its line, and what belongs to it."""
    console.print(Text(entry.title, style=STYLES[entry.verdict]))
    for word, sentence in entry.facts:
        line = Text(f"{word}: ", style="dim")
        console.print(Padding(line.append(sentence, style="not dim"), (0, 0, 0, 2)))
    if entry.values:
        console.print(Padding(Text(entries.VALUES, style="dim"), (0, 0, 0, 2)))
    for value in entry.values:
        console.print(Padding(Text(value), (0, 0, 0, 4)))
    if entry.program:
        console.print(Padding(Text(entries.PROGRAM, style="dim"), (0, 0, 0, 2)))
        lines = [_shortened(line) for line in entry.program.splitlines()[:_PROGRAM_LINES]]
        console.print(Text("\n".join(f"    {line}" for line in lines)), soft_wrap=True)
    for word, command in entry.commands:
        console.print(Text(f"  {word}: {command}", style="cyan"), soft_wrap=True)


def _tell(heading: str, found: list[Entry], console: Console) -> None:
    if found:
        _heading(heading, console)
    for number, entry in enumerate(found):
        if number:
            console.print()
        tell(entry, console)


def _heading(words: str, console: Console) -> None:
    console.print()
    console.rule(Text(words, style="bold"), align="left", style="dim")


def _notes(report: Report, console: Console) -> None:
    if report.notes:
        _heading(entries.noted(report), console)
        for note in report.notes[:_NOTES]:
            console.print(Text(str(note), style="dim"))
        if (more := len(report.notes) - _NOTES) > 0:
            console.print(Text(f"and {more} more, in the other forms of the report", style="dim"))


def _table(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
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


def _list_blocked(report: Report, console: Console) -> None:
    blocked = [result for result in report.results if result.verdict is Verdict.BLOCKED]
    if blocked:
        console.print(Text("Not asked, because something they build on failed:", style="bold"))
    for result in blocked:
        console.print(Padding(Text(f"{result.check} {result.sentence}"), (0, 0, 0, 2)))
    if blocked:
        console.print()


def _shortened(line: str) -> str:
    if len(line) <= _PROGRAM_WIDTH:
        return line
    return textwrap.shorten(line, _PROGRAM_WIDTH, placeholder=" ...)")

# SPDX-License-Identifier: MIT
"""The report for people at a terminal."""

from __future__ import annotations

import shlex
import textwrap
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from verification.report import entries
from verification.report.model import Report, Verdict
from verification.report.opening import limits, opening, survived
from verification.report.wording import called, noted

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
# Names of checks that wait for the same one.
_BLOCKED = 3


def render(report: Report, console: Console, *, command: str) -> None:
    """Print a report.

    Args:
        report: what was found.
        console: where to.
        command: the start of a command that runs a check of this adapter again.
    """
    console.print()
    _say(opening(report), console, style="bold green" if report.ok else "bold red")
    if came_back := survived(report):
        console.print()
        _say(came_back, console)
    lost = entries.losses(report, command)
    if lost:
        _heading("Lost", console)
    for entry in lost:
        _say(entry.title, console, style=STYLES[entry.verdict])
        if entry.hint:
            _say(entry.hint, console, word="Hint: ", indent=2)
    if lost:
        _heading("How it was found", console)
    for number, entry in enumerate(lost):
        _detail(entry, console, number)
    what = "What else went wrong" if lost else "What went wrong"
    _tell(what, entries.findings(report, command), console)
    _notes(report, console)
    if report.results:
        _heading("Checks", console)
        console.print(_table(report))
        _list_blocked(report, console)
        _say(entries.EXAMPLES, console, style="dim")
    for sentence in limits(report):
        _say(sentence, console, style="dim")
    console.print()
    _say(report.summary(), console, style="bold green" if report.ok else "bold red")
    _say(entries.environment(report), console, style="dim")


def tell(entry: Entry, console: Console) -> None:
    """Print an entry: its line, and what belongs to it."""
    _say(entry.title, console, style=STYLES[entry.verdict])
    _evidence(entry, console)


def _detail(entry: Entry, console: Console, number: int) -> None:
    """What belongs to a loss whose line and hint stand above."""
    if number:
        console.print()
    assert entry.loss is not None
    _say(called(entry.loss.name), console, style=STYLES[entry.verdict])
    _evidence(entry, console, without="Hint")


def _evidence(entry: Entry, console: Console, *, without: str = "") -> None:
    for word, sentence in entry.facts:
        if word != without:
            _say(sentence, console, word=f"{word}: ", indent=2)
    if entry.values:
        _say(entries.VALUES, console, indent=2, style="dim")
    for value in entry.values:
        _say(value, console, indent=4)
    if entry.program:
        _say(entries.PROGRAM, console, indent=2, style="dim")
    for line in entry.program.splitlines()[:_PROGRAM_LINES]:
        _say(_shortened(line), console, indent=4, hanging=4)
    for word, command in entry.commands:
        for line in _command(f"  {word}: ", command, console.width):
            console.print(Text(line, style="cyan"), soft_wrap=True)


def _tell(heading: str, found: list[Entry], console: Console) -> None:
    if found:
        _heading(heading, console)
    for number, entry in enumerate(found):
        if number:
            console.print()
        tell(entry, console)


def _say(
    text: str, console: Console, *, word: str = "", indent: int = 0, hanging: int = 0, style: str = ""
) -> None:
    """Print a text in lines that fit, without cutting a word; ``word`` stands before it, dimmed."""
    lines = textwrap.wrap(
        word + text,
        width=console.width,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hanging),
        break_long_words=False,
        break_on_hyphens=False,
    )
    told = Text("\n".join(lines), style=style)
    told.stylize("dim", indent, indent + len(word))
    console.print(told, soft_wrap=True)


def _heading(words: str, console: Console) -> None:
    console.print()
    console.rule(Text(words, style="bold"), align="left", style="dim")


def _notes(report: Report, console: Console) -> None:
    if report.notes:
        _heading(entries.noted(report), console)
        for note in report.notes[:_NOTES]:
            _say(noted(note), console, style="dim")
        if (more := len(report.notes) - _NOTES) > 0:
            console.print(Text(f"and {more} more, in the other forms of the report", style="dim"))


def _table(report: Report) -> Table:
    """The checks that were run; those that were not are listed by what has blocked them."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("check", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("examples", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    level = ""
    for result in report.results:
        if result.verdict is Verdict.BLOCKED:
            continue
        if result.level != level:
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
    """One line for each cause."""
    for cause, checks in entries.not_run(report).items():
        number = "1 check" if len(checks) == 1 else f"{len(checks)} checks"
        more = f" and {len(checks) - _BLOCKED} more" if len(checks) > _BLOCKED else ""
        _say(
            f"{number} not run, {cause}: {', '.join(checks[:_BLOCKED])}{more}",
            console,
            style=STYLES[Verdict.BLOCKED],
        )
    if entries.not_run(report):
        console.print()


def _command(before: str, command: str, width: int) -> list[str]:
    """A command in lines that fit and can be pasted into a shell as they are."""
    lines = [before.rstrip()]
    for word in map(shlex.quote, shlex.split(command)):
        if len(lines[-1]) + len(word) + 3 > width and lines[-1].strip() != before.strip():
            lines[-1] += " \\"
            lines.append(f"    {word}")
        else:
            lines[-1] += f" {word}"
    return lines


def _shortened(line: str) -> str:
    if len(line) <= _PROGRAM_WIDTH:
        return line
    return textwrap.shorten(line, _PROGRAM_WIDTH, placeholder=" ...)")

# SPDX-License-Identifier: MIT
"""The command ``verify compare``: what got lost since an earlier report."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from verification.cli.refusing import refused

if TYPE_CHECKING:
    from verification.report.since import Since

EPILOG = (
    "Exit codes: 0 nothing got lost, 1 something did, 2 a file is no report, 3 what passed before is not "
    "known any more."
)


def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD.json", help="An earlier report.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.json", help="A later one.")],
) -> None:
    """Say what got lost between two reports of verify check --report json, what was mended, and what is new.

    With the same seed both runs draw the same programs; with others, a loss may be found by one of them only.
    """
    from verification.errors import UsageError
    from verification.report.saved import read_report
    from verification.report.since import changes_since

    try:
        since = changes_since(read_report(old), read_report(new))
    except UsageError as error:
        raise refused(error) from None
    _show(since, Console(file=sys.stdout, highlight=False))
    raise typer.Exit(since.exit_code)


def _show(since: Since, console: Console) -> None:
    number = len(since.lost)
    first = f"{number} {'thing' if number == 1 else 'things'} got lost" if number else "Nothing got lost"
    console.print(Text(f"{first} since the earlier report.", style="bold red" if number else "bold green"))
    for heading, lines, style in (
        ("Lost since", since.lost, "red"),
        ("Not known any more", since.unknown, "yellow"),
        ("New", since.new, "yellow"),
        ("Mended", since.mended, "green"),
        ("Lost still", since.still, "dim"),
        ("The runs were not alike", since.circumstances, "dim"),
    ):
        if lines:
            console.print(Text(f"\n{heading}:", style="bold"))
        for line in lines:
            console.print(Padding(Text(line, style=style), (0, 0, 0, 2)))

# SPDX-License-Identifier: MIT
"""The command ``verify merge``: one report of the shards of a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from verification.cli.forms import Format, formats_in, make_folder, show
from verification.cli.refusing import refused

EPILOG = (
    "Exit codes: those of verify check: 0 conformant, 1 a promise was broken or an expected failure passed, "
    "2 the files are not all shards of one run, 3 inconclusive, 5 nothing ran."
)


def merge(
    files: Annotated[
        list[Path], typer.Argument(metavar="SHARD.json...", help="The JSON reports of all shards of a run.")
    ],
    *,
    report: Annotated[
        str, typer.Option(help="Forms of the report, with commas: text, json, html, junit, md.")
    ] = "text",
    output: Annotated[Path, typer.Option(help="The folder for reports in files.")] = Path("reports"),
) -> None:
    """Make one report of those of all shards, verify check --shard K/N --report json, of one run.

    The verdict is that of a run of everything at once: a check fails if it has failed in any shard.
    """
    from verification.errors import UsageError
    from verification.report.merging import merge as merged
    from verification.report.saved import read_report

    try:
        formats = formats_in(report)
        if Format.SARIF in formats:
            raise UsageError("--report sarif names lines of the adapter, which verify merge does not load")
        result = merged({file: read_report(file) for file in files})
        if formats - {Format.TEXT}:
            make_folder(output)
    except UsageError as error:
        raise refused(error) from None
    show(result, formats, output, Console(file=sys.stdout))
    raise typer.Exit(result.exit_code)

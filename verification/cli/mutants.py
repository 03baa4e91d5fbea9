# SPDX-License-Identifier: MIT
"""The command ``verify mutants``: see that the suite bites."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from verification.cli.refusing import refused
from verification.report.model import ExitCode

if TYPE_CHECKING:
    from verification.mutants.matrix import Row
    from verification.mutants.model import Mutant


def mutants(
    target: Annotated[
        str | None,
        typer.Argument(
            help="Plant the bugs that fit any agent into this adapter's; by default, all into built-in ones."
        ),
    ] = None,
    *,
    only: Annotated[
        list[str] | None, typer.Option(help="Only this mutant, class of bugs, or agent; may be repeated.")
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, help="Of the programs; may be repeated. 0 by default.")
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="Programs a hunt at most.")] = 20,
    workers: Annotated[str, typer.Option("--workers", "-n", help="Processes, or auto: one a core.")] = "auto",
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", help="Run every program, to see all checks that may fail.")
    ] = False,
    harmless: Annotated[
        bool, typer.Option("--harmless", help="Plant harmless changes instead: no check may fail.")
    ] = False,
    markdown: Annotated[
        Path | None, typer.Option(help="Write the matrix into this file, too, with classes and threads.")
    ] = None,
) -> None:
    """Plant known bugs into correct agents, and show which checks find them, and how soon."""
    from verification.errors import AdapterError, UsageError
    from verification.mutants.matrix import choose, hunt_all, summary
    from verification.mutants.page import page
    from verification.processes.pool import parse_workers

    console = Console(file=sys.stdout)
    seeds = seed or [0]
    try:
        number = parse_workers(workers)
        if harmless:
            raise typer.Exit(_spare(console, target, only, seeds=seeds, examples=examples, workers=number))
        chosen = choose(target, only)
        with _progress(console, len(chosen) * len(seeds)) as progress:
            rows = hunt_all(
                target,
                chosen,
                seeds=seeds,
                examples=examples,
                workers=number,
                exhaustive=exhaustive,
                progress=lambda row: _tell(progress, row),
            )
    except (UsageError, AdapterError) as error:
        raise refused(error) from None
    console.print(_table(rows, chosen))
    if markdown is not None:
        markdown.write_text(page(rows, chosen))
        console.print(f"matrix: {markdown}", highlight=False)
    ok = all(row.ok for row in rows)
    console.print(Text(summary(rows), style="bold green" if ok else "bold red"))
    raise typer.Exit(ExitCode.CONFORMANT if ok else ExitCode.FAILED)


def _spare(
    console: Console,
    target: str | None,
    only: list[str] | None,
    *,
    seeds: list[int],
    examples: int,
    workers: int,
) -> ExitCode:
    """Plant harmless changes, and report which of them somebody was blamed for."""
    from verification.errors import UsageError
    from verification.mutants import spared

    if target is not None:
        raise UsageError("--harmless plants into built-in agents; name one of them with --only")
    rows = spared.spare_all(
        spared.choose(only),
        seeds=seeds,
        examples=examples,
        workers=workers,
        progress=lambda row: console.print(
            f"{'ok' if row.ok else 'WRONG'} {row.agent} {row.change}: {row}", markup=False, highlight=False
        ),
    )
    wrong = sum(not row.ok for row in rows)
    console.print(f"{len(rows) - wrong} of {len(rows)} spared and noted as they should be", highlight=False)
    return ExitCode.FAILED if wrong else ExitCode.CONFORMANT


def _table(rows: list[Row], chosen: dict[str, Mutant]) -> Table:
    """The matrix, agent by agent."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("mutant", overflow="fold", ratio=5)
    table.add_column("class", no_wrap=True)
    table.add_column("killed by", overflow="fold", ratio=5)
    for column in ("seed", "examples", "time"):
        table.add_column(column, justify="right", no_wrap=True)
    agent = ""
    for row in sorted(rows, key=lambda row: chosen[row.mutant].agent):
        mutant = chosen[row.mutant]
        if mutant.agent != agent:
            agent = mutant.agent
            table.add_section()
            table.add_row(Text(agent, style="bold"))
        table.add_row(
            Text(f" {row.mutant}", style="" if row.ok else "bold red"),
            mutant.bug_class,
            _killers(row),
            str(row.seed),
            str(row.kill.examples),
            f"{row.kill.seconds:.1f} s",
        )
    return table


def _killers(row: Row) -> Text:
    """The checks that failed, with those that should have and did not, or did and should not have."""
    if not row.effective:
        return Text("nothing to damage", style="dim")
    if not row.kill.checks:
        return Text("survived", style="bold red")
    text = Text("\n").join([Text(check) for check in row.kill.checks])
    if not row.ok:
        text.append(f"\nexpected: {', '.join(row.wanted)}", style="red")
    return text


def _progress(console: Console, total: int) -> Progress:
    columns = (
        TextColumn("hunting"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]}"),
    )
    progress = Progress(*columns, console=console, transient=True)
    progress.add_task("mutants", total=total, last="starting")
    return progress


def _tell(progress: Progress, row: Row) -> None:
    said = f"{'killed' if row.kill.checks else 'survived'} {row.mutant}"
    # A terminal has the bar; a log gets a line for every mutant, so that it is seen to move.
    if not progress.console.is_terminal:
        progress.console.print(said, highlight=False)
    progress.update(progress.task_ids[0], advance=1, last=said)

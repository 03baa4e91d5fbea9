# SPDX-License-Identifier: MIT
"""``verify state``: what the suite sees of an agent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from verification.cli.refusing import refused
from verification.processes.temporary_folders import temporary_folder

if TYPE_CHECKING:
    from verification.engine.survey import Component, Survey
    from verification.program import Program

# Of several programs the one with the most training before its last checkpoint.
_PROGRAMS = 6
# How many of the values of one holder are named.
_NAMED = 4
_STYLES = {"comes back": "green", "lost": "bold red", "partly lost": "bold red", "differs": "yellow"}
_KINDS = {
    "ONLINE": "network",
    "TARGET": "target network",
    "OPTIMIZER": "optimizer",
    "SCHEDULE": "schedule",
    "GENERATOR": "generator",
    "COUNTER": "changing",
    "HYPER_PARAMETER": "constant",
    "MODE": "modes",
    "OTHER": "other",
}
_WORDS = """\
After a load: "comes back" as it was; "lost", and something follows from that; "differs", and nothing was
seen to follow; "as built", because a receiver has it without a load, so that nothing is known. Read:
whether training or acting comes to differ where it is changed on purpose; "not seen" in as many steps as
were looked at; "-": not asked of such values."""


def state(
    target: Annotated[str, typer.Argument(help="As for verify check.")],
    *,
    seed: Annotated[int, typer.Option(min=0, help="Of the agent and of what it does.")] = 0,
) -> None:
    """Show what the suite sees of an agent: every component, its size, what a load restores, what is read.

    Nothing is judged here; verify check does that.
    """
    from verification.errors import AdapterError, UsageError
    from verification.processes.pool import WorkerPool
    from verification.processes.worker import WorkerDied
    from verification.running.places import by_target

    console = Console(file=sys.stdout)
    try:
        by_target(target)()
        with WorkerPool(1) as pool:  # an agent that crashes ends that process and not the command
            found = pool.submit(_survey, target, seed).result()
    except (UsageError, AdapterError, WorkerDied) as error:
        raise refused(error) from None
    _show(found, console)


def _survey(target: str, seed: int) -> Survey:
    """What a process of its own does."""
    from verification.engine.experiment import Experiment
    from verification.engine.global_rng import isolated
    from verification.engine.survey import survey
    from verification.program import trained
    from verification.running.drawing import draw
    from verification.running.places import by_target
    from verification.running.rehearsal import rehearse_here

    adapter = by_target(target)()
    rehearse_here(adapter, seed)
    closed_loop = hasattr(adapter, "advance")
    programs = draw(adapter, closed_loop=closed_loop, seed=seed, examples=_PROGRAMS)

    def training(program: Program) -> int:
        return trained(program.steps[: program.cuts[-1]])

    with isolated(), temporary_folder() as folder:
        program = max(programs, key=training)
        return survey(Experiment(adapter, program, Path(folder), closed_loop=closed_loop))


def _show(found: Survey, console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("component", overflow="fold")
    table.add_column("kind", no_wrap=True)
    table.add_column("values", justify="right", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("a load", no_wrap=True)
    table.add_column("read", no_wrap=True)
    for one in found.components:
        table.add_row(
            Text(_named(one)),
            _KINDS.get(one.part.name, one.part.value),
            f"{one.leaves:,}",
            in_bytes(one.size) if one.size else "-",
            Text(one.after, style=_STYLES.get(one.after, "dim")),
            Text(one.read, style="" if one.read == "yes" else "dim"),
        )
    leaves, size = sum(one.leaves for one in found.components), sum(one.size for one in found.components)
    console.print(
        f"{found.adapter} after {found.steps}: {leaves:,} values, {in_bytes(size)}", highlight=False
    )
    console.print(table)
    for paths, words in ((found.opaque, "Could not look into"), (found.elsewhere, "In another process")):
        for path, kind in paths.items():
            console.print(Text(f"{words}: {path} ({kind})", style="yellow"))
    if found.problem:
        console.print(Text(f"Nothing is known of a load: {found.problem}", style="bold red"))
    console.print(Text(" ".join(_WORDS.split()), style="dim"))


def _named(component: Component) -> str:
    """A component's path, and the values that are told together."""
    if not component.names:
        return component.path
    if len(component.names) == 1:
        return f"{component.path}.{component.names[0]}"
    named = ", ".join(component.names[:_NAMED])
    more = f" and {len(component.names) - _NAMED} more" if len(component.names) > _NAMED else ""
    return f"{component.path}: {named}{more}"


def in_bytes(number: int) -> str:
    """A size as people read it."""
    size, unit = float(number), "B"
    for larger in ("kB", "MB", "GB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"

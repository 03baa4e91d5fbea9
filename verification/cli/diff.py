# SPDX-License-Identifier: MIT
"""The command ``verify diff``: what two checkpoint files hold, compared bit for bit."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from verification.cli.refusing import refused
from verification.report.model import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from verification.checkpoint_files.comparing import Comparison, Component

EPILOG = "Exit codes: 0 equal, 1 different, 2 a file cannot be read, or not without running code from it."
# Leaves of one component that are told, components that a sentence names.
_LEAVES = 6
_NAMED = 3


def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="A checkpoint: a file, or a folder of files.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    *,
    whole: Annotated[bool, typer.Option("--all", help="Tell of every leaf that differs.")] = False,
) -> None:
    """Compare what two checkpoints hold, leaf by leaf and bit by bit, without running code from them.

    Reads files of torch, numpy and safetensors, and archives and folders of those, such as the .zip of
    Stable-Baselines3.
    """
    from verification.checkpoint_files.comparing import compare_contents
    from verification.checkpoint_files.reading import read
    from verification.errors import UsageError

    console = Console(file=sys.stdout, highlight=False)
    try:
        comparison = compare_contents(read(first), read(second))
    except UsageError as error:
        raise refused(error) from None
    _show(comparison, first, second, console, most=None if whole else _LEAVES)
    raise typer.Exit(ExitCode.CONFORMANT if comparison.equal else ExitCode.FAILED)


def _show(comparison: Comparison, first: Path, second: Path, console: Console, *, most: int | None) -> None:
    different = [component for component in comparison.components if not component.equal]
    console.print(Text(_sentence(comparison, different), style="bold red" if different else "bold green"))
    console.print(Text(f"A: {first}\nB: {second}", style="dim"))
    for heading, lines in (
        ("What differs, by component", [str(component) for component in different]),
        ("What differs, value by value", [line for one in different for line in _values(one, most)]),
    ):
        if lines:
            console.print(Text(f"\n{heading}:", style="bold"))
        for line in lines:
            console.print(Padding(Text(line), (0, 0, 0, 2)))
    equal = [component.name for component in comparison.components if component.equal]
    if equal and different:
        console.print(Text(f"\nEqual, bit for bit: {', '.join(equal)}."))
    if comparison.unread:
        console.print(Text("\nCompared by its bytes alone:", style="dim"))
    for line in _unread(comparison, most):
        console.print(Padding(Text(line, style="dim"), (0, 0, 0, 2)))


def _sentence(comparison: Comparison, different: Sequence[Component]) -> str:
    number = len(comparison.components)
    if not different:
        values = sum(component.values for component in comparison.components)
        return f"Equal, bit for bit: {_counted(values, 'value')} in {_counted(number, 'component')}."
    names = [component.name for component in different[:_NAMED]]
    named = ", ".join([*names, *_more(len(different), _NAMED)])
    return f"They differ in {len(different)} of {_counted(number, 'component')}: {named}."


def _values(component: Component, most: int | None) -> Iterator[str]:
    for where, missing in (("only in A", component.only_first), ("only in B", component.only_second)):
        # Of a component that one of them has alone everything is said already.
        if missing and missing[0].values != component.values:
            yield from (f"{one} is {where}" for one in missing[:most])
            yield from _more(len(missing), most)
    yield from map(str, component.changed[:most])
    yield from _more(len(component.changed), most)


def _unread(comparison: Comparison, most: int | None) -> Iterator[str]:
    """A line for each reason."""
    reasons: dict[str, list[str]] = {}
    for path, why in comparison.unread.items():
        reasons.setdefault(why, []).append(path)
    for why, paths in reasons.items():
        named = ", ".join([*paths[:most], *_more(len(paths), most)])
        yield f"{named} {why}" if len(paths) == 1 else f"{named}, each of which {why}"


def _more(number: int, most: int | None) -> list[str]:
    return [f"and {number - most} more"] if most is not None and number > most else []


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"

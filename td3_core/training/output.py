# SPDX-License-Identifier: MIT
"""What the training command prints: on a terminal, in a log, or into a pipe that somebody may close."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

import typer
from rich.console import Console


class _Lasting:
    """Standard output that goes on as if nothing had happened once nobody reads it any more."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stdout, name)

    def write(self, text: str) -> int:
        try:
            sys.stdout.write(text)
        except OSError:
            _discard()
        return len(text)

    def flush(self) -> None:
        try:
            sys.stdout.flush()
        except OSError:
            _discard()


def _discard() -> None:
    """Let what is written to standard output from now on, and what waits to be, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def console() -> Console:
    """A console that does not end the program when standard output is closed, as by ``| head``."""
    return Console() if sys.stdout is None else Console(file=_Lasting())  # type: ignore[arg-type]  # all it uses


def say(console: Console, text: str) -> None:
    """Print a sentence as it is."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def refuse(sentence: str) -> NoReturn:
    """Say why the command cannot be carried out, and end it with exit code 2."""
    typer.echo(f"Error: {sentence}" + ("" if sentence.endswith("?") else "."), err=True)
    raise typer.Exit(2)

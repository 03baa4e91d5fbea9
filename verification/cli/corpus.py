# SPDX-License-Identifier: MIT
"""The commands ``verify corpus write`` and ``verify corpus read``: save here, load there."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from verification.cli.refusing import refused
from verification.report.model import ExitCode

corpus: typer.Typer = typer.Typer(no_args_is_help=True)

_Folder = Annotated[Path, typer.Argument(help="The folder of the corpus.")]
_ADAPTERS = "A built-in adapter or module:object"


@corpus.command(epilog="Exit codes: 0 written, 2 usage, 3 inconclusive.")
def write(
    folder: _Folder,
    target: Annotated[str, typer.Argument(metavar="[ADAPTER]", help=f"{_ADAPTERS}.")] = "td3_core",
    *,
    examples: Annotated[int, typer.Option(min=1, help="Checkpoints.")] = 8,
    seed: Annotated[int | None, typer.Option(min=0, help="Draw the same agents again.")] = None,
) -> None:
    """Train and save drawn agents, and record what a load restores and what follows."""
    from verification.adapters.find import load_adapter
    from verification.corpus import text
    from verification.corpus.writing import write_corpus
    from verification.errors import AdapterError, CheckFailure, Inconclusive, UsageError

    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    console = Console(file=sys.stdout)
    try:
        manifest = write_corpus(folder, target, load_adapter(target), examples=examples, seed=seed)
    except (UsageError, AdapterError) as error:
        raise refused(error) from None
    except CheckFailure as failure:
        raise refused(failure.sentence, ExitCode.FAILED) from None
    except Inconclusive as why:
        raise refused(str(why), ExitCode.INCONCLUSIVE) from None
    console.print(text.written(manifest), highlight=False)
    if said := text.unrestored(manifest):
        console.print(said, highlight=False, markup=False)
    console.print(f"corpus: {folder}", highlight=False, soft_wrap=True)


@corpus.command(
    epilog="Exit codes: 0 every checkpoint loads with the state that was saved, and, under the same "
    "versions, is followed by the same; 1 one does not; 2 usage."
)
def read(
    folder: _Folder,
    target: Annotated[
        str | None,
        typer.Argument(metavar="[ADAPTER]", help=f"{_ADAPTERS}; by default, the one that wrote it."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Load a corpus under these versions, and compare with what was recorded under those that wrote it.

    A corpus can name code to run: read none that somebody else has made.
    """
    from verification.adapters.find import load_adapter
    from verification.corpus import text
    from verification.corpus.manifest import read_manifest
    from verification.corpus.reading import read_corpus
    from verification.errors import AdapterError, UsageError

    try:
        manifest = read_manifest(folder)
        reading = read_corpus(folder, load_adapter(target or manifest.target), manifest)
    except (UsageError, AdapterError) as error:
        raise refused(error) from None
    if as_json:
        typer.echo(json.dumps(text.as_data(reading), indent=1))
    else:
        console = Console(file=sys.stdout)
        console.print(text.written(manifest), highlight=False)
        console.print(f"read with {text.versions(reading.environment)}", highlight=False)
        console.print(text.table(reading))
        for line in filter(None, (*text.details(reading), text.unrestored(manifest))):
            console.print(line, highlight=False, markup=False)
        style = "bold green" if reading.ok else "bold red"
        console.print(text.conclusion(reading), style=style, highlight=False)
    raise typer.Exit(ExitCode.CONFORMANT if reading.ok else ExitCode.FAILED)

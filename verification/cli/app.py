# SPDX-License-Identifier: MIT
"""The command ``verify``, which is also ``python -m verification``."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated, TextIO, cast

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from verification.cli import compare, diff, explain, merge
from verification.cli.corpus import corpus
from verification.cli.forms import Format, formats_in, make_folder, show
from verification.cli.init import init
from verification.cli.mutants import mutants
from verification.cli.refusing import refused
from verification.cli.state import state
from verification.cli.streams import Lasting
from verification.report.model import ExitCode

app: typer.Typer = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

baseline: typer.Typer = typer.Typer(no_args_is_help=True)
app.add_typer(baseline, name="baseline", help="Keep the file of expected failures up to date.")
app.add_typer(corpus, name="corpus", help="Save under one version, load under another.")

_EPILOG = (
    "Exit codes: 0 conformant, 1 a promise was broken or an expected failure passed, 2 usage, "
    "3 inconclusive, 5 nothing ran, 130 interrupted, 143 terminated."
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"verify {metadata.version('td3-verification')}")
        raise typer.Exit


@app.callback()
def verify(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version, and end.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Check that a training run that is saved and loaded goes on as if nothing had happened."""


_Target = Annotated[
    str,
    typer.Argument(
        help="A built-in adapter (td3_core, stable_baselines3, tianshou), module:object, file.py:object, or "
        "a script with the functions build, learn, save and load, such as my_train.py."
    ),
]
_Level = Annotated[
    str,
    typer.Option(
        help="What the agent promises: protocol, weights, training, resume, durable or portable; each "
        "includes those before."
    ),
]
_Checks = Annotated[
    list[str] | None, typer.Option("--check", help="Only this check and its prerequisites; may be repeated.")
]
_Examples = Annotated[int | None, typer.Option(min=1, help="Experiments a check; 20 by default.")]
_Seed = Annotated[
    int | None, typer.Option(min=0, help="Draw the same examples as a run that printed this seed.")
]
_Workers = Annotated[str, typer.Option("--workers", "-n", help="Processes, or auto: one a core.")]


@app.command(epilog=_EPILOG)
def check(
    target: _Target,
    *,
    level: _Level = "resume",
    checks: _Checks = None,
    examples: _Examples = None,
    seed: _Seed = None,
    workers: _Workers = "auto",
    report: Annotated[
        str,
        typer.Option(help="Forms of the report, with commas: text, json, html, junit, md, sarif."),
    ] = "text",
    output: Annotated[Path, typer.Option(help="The folder for reports in files.")] = Path("reports"),
    expected_failures: Annotated[
        Path | None, typer.Option(help="A TOML file whose table expected_failures has lines: check = reason.")
    ] = None,
    min_checks: Annotated[int, typer.Option(min=0, help="Fail if fewer checks passed.")] = 0,
    horizon: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Steps that some programs take before a checkpoint, and that are looked at after a load; "
            "12 by default, or what the adapter says.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail for differences of which nothing follows, too.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="A first verdict, in about 20 seconds for a small agent: the cheap checks, with 3 "
            "experiments each. The report says what was not run.",
        ),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="K/N",
            help="Run every Nth example only, from the Kth on. All N shards get the same --seed, and "
            "verify merge makes one report of theirs.",
        ),
    ] = None,
) -> None:
    """Check the checkpoints of an agent implementation."""
    from verification.errors import AdapterError, UsageError
    from verification.running.interruption import interruptible
    from verification.running.parallel import check_in_parallel
    from verification.shard import Shard

    # A console without a file of its own would follow the redirection of pytest's output.
    console = Console(file=sys.stdout)
    try:
        formats = formats_in(report)
        share = None if shard is None else Shard.parse(shard)
        if share and Format.JSON not in formats:
            raise UsageError("--shard needs --report json, which verify merge reads")
        if formats - {Format.TEXT}:
            make_folder(output)
        with interruptible() as interruption:
            result = check_in_parallel(
                target,
                level=level,
                checks=checks,
                examples=examples,
                seed=seed,
                workers=workers,
                expected_failures=expected_failures,
                console=console,
                horizon=horizon,
                quick=quick,
                partial=True,
                shard=share,
            )
    except (UsageError, AdapterError) as error:
        raise refused(error) from None
    except KeyboardInterrupt:
        console.print("interrupted before a check was run", style="red")
        raise typer.Exit(interruption.exit_code) from None
    options = [] if level == "resume" else [f"--level {level}"]
    options += [] if examples is None else [f"--examples {examples}"]
    options += [] if horizon is None else [f"--horizon {horizon}"]
    options += ["--quick"] if quick else []
    again = " ".join(["verify check", shlex.quote(target), *options])
    result = dataclasses.replace(result, strict=strict, command=again)
    show(result, formats, output, console, target=target)
    if interruption.signal:
        console.print("interrupted: this is what was found until then", style="red", highlight=False)
        raise typer.Exit(interruption.exit_code)
    code = result.exit_code
    try:
        result.require(min_checks)
    except AssertionError as error:
        console.print(f"--min-checks: {error}", style="red", highlight=False)
        code = code or ExitCode.FAILED
    raise typer.Exit(code)


@baseline.command()
def update(
    target: _Target,
    *,
    file: Annotated[Path, typer.Option(help="The file of expected failures.")] = Path("conformance.toml"),
    level: _Level = "resume",
    checks: _Checks = None,
    examples: _Examples = None,
    seed: _Seed = None,
    workers: _Workers = "auto",
) -> None:
    """Check an agent, expect from now on what fails, and no longer expect what passes.

    Writes the file that verify check --expected-failures reads. Entries that people wrote stay as they are.
    """
    from verification.errors import AdapterError, UsageError
    from verification.expected_failures.update import update as bring_up_to_date
    from verification.running.parallel import check_in_parallel

    console = Console(file=sys.stdout)
    try:
        if not file.parent.is_dir():
            raise UsageError(f"--file is {file}, but there is no folder {file.parent}")
        result = check_in_parallel(
            target,
            level=level,
            checks=checks,
            examples=examples,
            seed=seed,
            workers=workers,
            expected_failures=file if file.exists() else None,
            console=console,
        )
        changes = bring_up_to_date(file, result)
    except (UsageError, AdapterError) as error:
        raise refused(error) from None
    for word, style, entries in (
        ("added", "yellow", changes.added),
        ("changed", "yellow", changes.changed),
        ("kept", "dim", changes.kept),
        ("removed", "green", changes.removed),
        ("not excused", "bold red", changes.left),
    ):
        for name, why in entries.items():
            console.print(f"[{style}]{word}[/] {name}: {escape(why)}", highlight=False, soft_wrap=True)
    console.print(f"expected failures: {file}", highlight=False)
    raise typer.Exit(ExitCode.FAILED if changes.left else ExitCode.CONFORMANT)


@app.command()
def replay(
    name: Annotated[
        str | None, typer.Argument(metavar="ID", help="As a report prints it; without it, all are listed.")
    ] = None,
    *,
    script: Annotated[
        bool, typer.Option("--script", help="Print a Python script that shows the failure.")
    ] = False,
) -> None:
    """Repeat a failure that an earlier check has kept, on exactly its program; forget it if it passes now.

    Failures are kept in .verify/failures/ in the current folder.
    """
    from verification.cli import replay as replays
    from verification.counterexamples.store import FOLDER, find
    from verification.errors import AdapterError, UsageError

    console = Console()
    try:
        if name is None:
            replays.show(FOLDER, console)
            return
        failure = find(FOLDER, name)
        if script:
            typer.echo(replays.as_script(failure), nl=False)
            return
        verdict = replays.replay(failure, console)
    except (UsageError, AdapterError) as error:
        raise refused(error) from None
    raise typer.Exit(verdict)


@app.command("list")
def list_checks(
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what each check promises, why, and what it builds on.")
    ] = False,
) -> None:
    """List levels, checks and built-in adapters."""
    from verification.adapters.find import BUILT_IN
    from verification.checks.registry import all_checks
    from verification.levels import Level

    console = Console()
    if explain:
        for one in all_checks().values():
            console.print(f"[bold]{one.name}[/] ({one.level})", highlight=False)
            after = f"Builds on {', '.join(one.after)}." if one.after else ""
            for text in filter(None, (one.promise, one.reason, after)):
                console.print(Padding(Text(text), (0, 0, 0, 2)))
            console.print()
    else:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("level")
        table.add_column("check", no_wrap=True)
        table.add_column("promise")
        for one in all_checks().values():
            table.add_row(str(one.level), one.name, one.promise)
        console.print(table)
    for one_level in Level:
        if any(one.level == one_level for one in all_checks().values()):
            console.print(f"[bold]{one_level}[/]: {one_level.promise}", highlight=False)
    console.print(f"built-in adapters: {', '.join(BUILT_IN)}", highlight=False)


app.command()(explain.explain)
app.command(epilog=compare.EPILOG)(compare.compare)
app.command(epilog=diff.EPILOG)(diff.diff)
app.command(epilog=merge.EPILOG)(merge.merge)
app.command()(state)
app.command()(init)
app.command(epilog="Exit codes: 0 every mutant was killed by its checks, 1 one was not, 2 usage.")(mutants)


def main() -> None:
    """The console script."""
    if sys.stdout is not None:  # as it is where there is none
        sys.stdout = cast("TextIO", Lasting(sys.stdout))
    app(prog_name="verify")

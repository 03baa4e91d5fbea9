# SPDX-License-Identifier: MIT
"""Kept failures: listed, repeated on exactly their program, and written as scripts."""

from __future__ import annotations

import collections
import importlib
import inspect
import time
from typing import TYPE_CHECKING

from rich.table import Table

from verification.adapters.find import load_adapter, place_of
from verification.checks.registry import all_checks
from verification.counterexamples.source import NoSource, Source
from verification.counterexamples.store import forget, read
from verification.errors import UsageError
from verification.report.model import ExitCode, Report, Verdict
from verification.report.text import tell
from verification.running.property import Tally, ask, judge

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from verification.checks.registry import Check
    from verification.counterexamples.store import StoredFailure
    from verification.program import Program


def show(folder: Path, console: Console) -> None:
    """List the failures in a folder."""
    stored, sentences = read(folder)
    for sentence in sentences:
        console.print(sentence, markup=False, highlight=False)
    if not stored:
        console.print(f"no failures are kept in {folder}", highlight=False)
        return
    table = Table("ID", "adapter", "check", "failure", "when")
    for one in stored:
        when = one.when.replace("T", " ")[:16]
        table.add_row(one.id, one.target, one.check, one.sentence, when)
    console.print(table)


def replay(failure: StoredFailure, console: Console) -> ExitCode:
    """Ask the failed check about the failing program again, and tell the story.

    A failure that is gone is forgotten.

    Raises:
        UsageError: if the adapter or the check no longer exists, or the program cannot be read.
    """
    check, adapter = _check(failure), load_adapter(failure.target)
    program = _program(failure)
    tally, outcome = Tally(drawn=1), None
    started = time.monotonic()
    try:
        ask(check, adapter, program, tally)
    except Exception as error:  # a verdict is made of it
        outcome = error
    if outcome is None:
        forget(failure)
        console.print(
            f"{check.name} passes now on the program kept as {failure.id}, which is forgotten",
            highlight=False,
        )
        return ExitCode.CONFORMANT
    result = judge(check, tally, outcome, time.monotonic() - started)
    tell(result, console, again=[f"verify replay {failure.id}"])
    if result.verdict is Verdict.FAILED:
        console.print(f"As a script: verify replay {failure.id} --script", style="dim", highlight=False)
    return Report(adapter.name, str(check.level), (result,), 0, {}).exit_code


def script(failure: StoredFailure) -> str:
    """A Python script that asks the failed check about the failing program: it exits with 1 if that fails.

    Values are written out. What has no form as source is read from the file of the failure.

    Raises:
        UsageError: as :func:`replay` does.
    """
    check = _check(failure)
    load_adapter(failure.target)
    program, source = _program(failure), Source()
    lines = _program_lines(program, source)
    stored = any("stored." in line for line in lines)
    source.imports |= {
        "import sys",
        "import tempfile",
        "from pathlib import Path",
        "from verification.errors import CheckFailure",
        "from verification.engine.experiment import Experiment",
        "from verification.checks.registry import all_checks",
        "from verification.engine.global_rng import isolated",
        "from verification.program import Program",
        *(["import pickle"] if stored else []),
    }
    opened = f'stored = pickle.loads(Path({str(failure.file)!r}).read_bytes().partition(b"\\n")[2])'
    return _SCRIPT.format(
        check=check.name,
        target=failure.target,
        sentence=failure.sentence,
        id=failure.id,
        adapter=_adapter(failure.target, source),
        imports=_imports(source.imports),
        stored=f"{opened}\n" if stored else "",
        program="\n".join(lines),
        promise=check.promise,
        closed_loop=check.closed_loop,
    )


_SCRIPT = '''\
"""{check} fails for {target}: {sentence}.

Printed by `verify replay {id} --script`. It exits with 1 as long as the check fails.
"""

{imports}

{adapter}
{stored}
# One run does these steps and is never saved: the reference. Others are saved after as many steps as `cuts`
# say, loaded into an agent built from `receiver_config` and `receiver_seed`, and do the steps that are left.
program = Program(
{program}
)


def main() -> None:
    # {promise}
    check = all_checks()[{check!r}]
    with isolated(), tempfile.TemporaryDirectory() as folder:
        experiment = Experiment(adapter, program, Path(folder), closed_loop={closed_loop})
        try:
            check.function(experiment)
        except CheckFailure as failure:
            sys.exit(str(failure))
    print("{check} passes now")


if __name__ == "__main__":
    main()
'''


def _imports(lines: set[str]) -> str:
    """Import statements, one for each module."""
    names = collections.defaultdict(list)
    for line in sorted(lines):
        statement, _, name = line.partition(" import ")
        names[statement].append(name)
    return "\n".join(
        f"{statement} import {', '.join(found)}" if found != [""] else statement
        for statement, found in sorted(names.items(), key=lambda one: (one[0].startswith("from"), one[0]))
    )


def _program_lines(program: Program, source: Source) -> list[str]:
    lines = [
        f"    {name}={_expression(getattr(program, name), f'stored.{name}', source)},"
        for name in ("config", "receiver_config", "seed", "receiver_seed")
    ]
    lines += _steps("steps", program.steps, source)
    lines.append(f"    cuts={source.of(program.cuts)},")
    lines += _steps("receiver_steps", program.receiver_steps, source)
    lines.append(f"    probe={_expression(program.probe, 'stored.probe', source)},")
    lines.append(f"    entropy={program.entropy},")
    lines += ["    bystander=True,"] if program.bystander else []
    return lines


def _steps(name: str, steps: tuple[object, ...], source: Source) -> list[str]:
    inside = [
        f"        {_expression(step, f'stored.{name}[{index}]', source)}," for index, step in enumerate(steps)
    ]
    return [f"    {name}=(", *inside, "    ),"]


def _expression(value: object, otherwise: str, source: Source) -> str:
    try:
        return source.of(value)
    except NoSource:
        return otherwise


def _adapter(target: str, source: Source) -> str:
    """The line that makes the adapter."""
    module, _, name = place_of(target).partition(":")
    source.imports.add(f"from {module} import {name}")
    return (
        f"adapter = {name}{'()' if inspect.isclass(getattr(importlib.import_module(module), name)) else ''}"
    )


def _check(failure: StoredFailure) -> Check:
    checks = all_checks()
    if failure.check not in checks:
        forget(failure)
        raise UsageError(
            f"the check {failure.check} of the failure {failure.id} no longer exists; it was dropped"
        )
    return checks[failure.check]


def _program(failure: StoredFailure) -> Program:
    try:
        return failure.program()
    except UsageError as error:
        forget(failure)
        raise UsageError(f"{error}; it was dropped") from None

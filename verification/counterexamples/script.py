# SPDX-License-Identifier: MIT
"""Kept failures as Python scripts that show them: values are written out, and nothing is hidden in a file."""

from __future__ import annotations

import collections
import dataclasses
import importlib
import inspect
from typing import TYPE_CHECKING

from verification.adapters.find import place_of
from verification.counterexamples.source import NoSource, Source

if TYPE_CHECKING:
    from verification.checks.registry import Check
    from verification.counterexamples.store import StoredFailure
    from verification.program import Program


def script(failure: StoredFailure, program: Program, check: Check) -> str:
    """A Python script that runs a check on a program: it exits with 1 if that fails.

    What has no form as source is read from the file of the failure.

    Args:
        failure: what the script shows; its adapter can be imported.
        program: of the failure.
        check: the one that failed.
    """
    source = Source()
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
        *(["from verification.counterexamples.store import program_in"] if stored else []),
    }
    opened = f"stored = program_in(Path({str(failure.file)!r}))"
    return _SCRIPT.format(
        check=check.name,
        target=failure.target,
        sentence=failure.sentence,
        id=failure.id,
        adapter=_adapter(failure.target, source),
        imports=imports_of(source.imports),
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


def imports_of(lines: set[str]) -> str:
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
    """The arguments of the program, but for those that have their default."""
    lines: list[str] = []
    for field in dataclasses.fields(program):
        name, value = field.name, getattr(program, field.name)
        if name.endswith("steps"):
            lines += _steps(name, value, source)
        elif field.default is dataclasses.MISSING or value != field.default:
            lines.append(f"    {name}={_expression(value, f'stored.{name}', source)},")
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
    if module.endswith(".py"):  # a file, or the functions of a script
        source.imports.add("from verification.adapters.find import load_adapter")
        return f"adapter = load_adapter({target!r})"
    source.imports.add(f"from {module} import {name}")
    return (
        f"adapter = {name}{'()' if inspect.isclass(getattr(importlib.import_module(module), name)) else ''}"
    )

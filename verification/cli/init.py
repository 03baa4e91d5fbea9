# SPDX-License-Identifier: MIT
"""``verify init``: write a first adapter for a class, and try it."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from verification.cli.refusing import refused

if TYPE_CHECKING:
    from verification.scaffolding.inspecting import Inspected


def init(
    target: Annotated[
        str,
        typer.Argument(
            help="A class of agents, as module:Class or file.py:Class; or a script that defines its networks."
        ),
    ],
    *,
    output: Annotated[Path, typer.Option(help="The folder for the files.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
) -> None:
    """Inspect a class, write an adapter and a test for it, try it, and name the lines left to you."""
    from verification.adapters.find import target_is_script
    from verification.errors import AdapterError, UsageError
    from verification.scaffolding.writing import marks, snake, test_text, workflow_line

    console = Console(file=sys.stdout)
    try:
        if not output.is_dir():
            raise UsageError(f"--output is {output}, which is no folder")
        whole = target_is_script(target)
        found = _networks_of(target) if whole else [inspect_target(target)]
        name = Path(target).stem.title().replace("_", "") if whole else found[0].name
        module = f"{snake(name)}_adapter"
        adapter, test = output / f"{module}.py", output / f"test_{snake(name)}.py"
        for file in (adapter, test):
            if file.exists() and not force:
                raise UsageError(
                    f"{file} is there already; --force writes over it, --output writes elsewhere"
                )
        problem = _write_script(name, found, adapter) if whole else _write_what_runs(found[0], adapter)
        test.write_text(test_text(name, module), encoding="utf-8")
    except (UsageError, AdapterError) as error:
        raise refused(error) from None
    console.print(f"wrote {adapter} and {test}", highlight=False)
    for number, line in marks(adapter.read_text(encoding="utf-8")):
        console.print(Text(f"  line {number}: {line}", style="dim"), soft_wrap=True)
    if problem:
        console.print(Text(f"It does not run yet: {problem}", style="yellow"), soft_wrap=True)
    else:
        console.print(Text("A rehearsal ran: it builds, trains, saves and loads.", style="green"))
    console.print(Text(f"Next: verify check {adapter}:{name}Adapter --quick"), soft_wrap=True)
    console.print(Text(f"In a workflow: {workflow_line(name, module)}"), soft_wrap=True)


def _networks_of(target: str) -> list[Inspected]:
    """The networks that a script defines.

    Raises:
        UsageError: if there are none.
    """
    from verification.adapters.find import import_file
    from verification.errors import UsageError
    from verification.scaffolding.inspecting import inspect_script

    found = inspect_script(import_file(target))
    if not found:
        raise UsageError(f"{target} defines no network; name the class of your agents: {target}:MyAgent")
    return found


def _write_script(name: str, networks: list[Inspected], file: Path) -> str:
    from verification.scaffolding.writing import FILL_IN, script_text

    file.write_text(script_text(name, networks[0].module, networks), encoding="utf-8")
    return f"the lines with {FILL_IN!r} need you"


def inspect_target(target: str) -> Inspected:
    """The class that a target names.

    Raises:
        UsageError: if there is none.
    """
    from verification.adapters.find import find_object
    from verification.errors import UsageError
    from verification.scaffolding.inspecting import inspect_class

    found = find_object(target)
    if not inspect.isclass(found):
        raise UsageError(f"{target} is no class, but {type(found).__name__}; name the class of your agents")
    module = target.partition(":")[0]
    return inspect_class(found, found.__module__ if module.endswith(".py") else module)


def _write_what_runs(found: Inspected, file: Path) -> str:
    """Write the adapter in the first form in which it runs; return why none does, if so."""
    from verification.scaffolding.writing import FILL_IN, FORMS, adapter_text, is_complete

    forms = [(form, acts) for acts in (True, False) for form in FORMS if acts or found.transition]
    problems = []
    for form, acts in forms if found.act or found.transition else [(FORMS[0], False)]:
        text = adapter_text(found, form=form, acts=acts)
        file.write_text(text, encoding="utf-8")
        if not is_complete(text):
            return f"the lines with {FILL_IN!r} need you"
        if not (problem := _rehearsed(f"{file}:{found.name}Adapter")):
            return ""
        problems.append(problem)
        if "act()" not in problem and "learn()" not in problem:  # another form changes nothing
            break
    file.write_text(adapter_text(found), encoding="utf-8")
    return problems[0]


def _rehearsed(target: str) -> str:
    """What is wrong with an adapter; empty if it runs."""
    from verification.processes.worker import Worker, WorkerDied

    try:
        with Worker() as worker:
            return str(worker.ask(_rehearse, target))
    except WorkerDied as died:
        return str(died)


def _rehearse(target: str) -> str:
    """What a process of its own does."""
    from verification.adapters.find import load_adapter
    from verification.errors import AdapterError, UsageError
    from verification.running.rehearsal import rehearse_here

    try:
        rehearse_here(load_adapter(target))
    except (UsageError, AdapterError) as error:
        return str(error)
    return ""

# SPDX-License-Identifier: MIT
"""``verify replay``: kept failures are listed, repeated on exactly their program, or printed as scripts."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rich.table import Table

from verification.adapters.find import load_adapter
from verification.checks.registry import all_checks
from verification.counterexamples.program_json import UnknownName
from verification.counterexamples.script import script
from verification.counterexamples.store import forget, read
from verification.engine.inventory import Inventory
from verification.errors import UsageError
from verification.report.entries import findings, losses
from verification.report.model import ExitCode, Report
from verification.report.text import tell
from verification.running.asking import ask_alone
from verification.running.drawing import names_drawn
from verification.running.explaining import explained
from verification.running.judging import Tally, judge

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from verification.adapter import Adapter
    from verification.checks.registry import Check
    from verification.counterexamples.store import StoredFailure
    from verification.program import Program

# Programs from which is learnt what a kept one may name; rare names need many.
_DRAWN = 50


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
    """Run the failed check on the failing program again, and explain what happens.

    A failure that is gone is forgotten.

    Raises:
        UsageError: if the adapter or the check no longer exists, or the program cannot be read.
    """
    check, adapter = _check(failure), load_adapter(failure.target)
    program = _program(failure, adapter)
    inventory = Inventory()
    answer = ask_alone(check, adapter, program, inventory=inventory)
    if answer.outcome is None:
        forget(failure)
        console.print(
            f"{check.name} passes now on the program kept as {failure.id}, which is forgotten",
            highlight=False,
        )
        return ExitCode.CONFORMANT
    tally = Tally(remembered=True, notes=tuple(inventory.notes.values()))
    tally.add(answer)
    result = judge(check, tally, answer.outcome, answer.seconds)
    result = dataclasses.replace(result, replay=failure.id)
    report = Report(adapter.name, str(check.level), (result,), 0, {})
    for entry in [*losses(report), *findings(report)]:
        tell(entry, console)
    return report.exit_code


def as_script(failure: StoredFailure) -> str:
    """The failure as a Python script: of what is lost, one that needs no suite, else one that runs the check.

    Raises:
        UsageError: as :func:`replay` does.
    """
    check, adapter = _check(failure), load_adapter(failure.target)
    program = _program(failure, adapter)
    if lossy := ask_alone(check, adapter, program).failure:
        explained(check, adapter, program, lossy, target=failure.target)
        proof = next((loss.script for loss in lossy.losses if loss.script), "")
        if proof:
            return proof
    return script(failure, program, check)


def _check(failure: StoredFailure) -> Check:
    checks = all_checks()
    if failure.check not in checks:
        forget(failure)
        raise UsageError(
            f"the check {failure.check} of the failure {failure.id} no longer exists; it was dropped"
        )
    return checks[failure.check]


def _program(failure: StoredFailure, adapter: Adapter) -> Program:
    try:
        return dataclasses.replace(failure, names=names_drawn(adapter, examples=_DRAWN)).program()
    except UnknownName as error:
        raise UsageError(f"the failure kept as {failure.id} was not read: {error}") from None
    except UsageError as error:
        forget(failure)
        raise UsageError(f"{error}; it was dropped") from None

# SPDX-License-Identifier: MIT
"""``verify replay``: kept failures are listed, repeated on exactly their program, or printed as scripts."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import textwrap
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

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
from verification.running.check_run import alone, run_check, run_check_alone
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

# A failure that comes and goes is not taken for one that is gone.
_TRIES = 3
# Characters of a failure in the list.
_SENTENCE = 220
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
    for one in stored:
        when = one.when.replace("T", " ")[:16]
        console.print(Text(f"{one.id}  {one.target}  {when}", style="bold"), soft_wrap=True)
        for line in (one.check, textwrap.shorten(one.sentence, _SENTENCE, placeholder=" ...")):
            console.print(Padding(Text(line), (0, 0, 0, 2)))


def replay(failure: StoredFailure, console: Console) -> ExitCode:
    """Run the failed check on the failing program again, and explain what happens.

    One that passes is run again, as what was inconclusive may fail the next time; then it is forgotten.

    Raises:
        UsageError: if the adapter or the check no longer exists, or the program cannot be read.
    """
    check, adapter = _check(failure), load_adapter(failure.target)
    program = _program(failure, adapter)
    passed, inventory = 0, Inventory()
    while (run := run_check_alone(check, adapter, program, inventory=inventory)).outcome is None:
        passed, inventory = passed + 1, Inventory()
        if passed < _TRIES:
            continue
        forget(failure)
        console.print(
            f"{check.name} passes now on the program kept as {failure.id}, in each of {_TRIES} tries; it is "
            "forgotten",
            highlight=False,
        )
        return ExitCode.CONFORMANT
    if passed:
        times = "once" if passed == 1 else f"{passed} times"
        console.print(f"It passed {times} before it failed: it comes and goes.\n", highlight=False)
    tally = Tally(remembered=True, notes=tuple(inventory.notes.values()))
    tally.add(run)
    result = judge(check, tally, run.outcome, run.seconds)
    result = dataclasses.replace(result, replay=failure.id)
    report = Report(adapter.name, str(check.level), (result,), 0, {})
    for entry in [*losses(report), *findings(report)]:
        tell(entry, console)
    return report.exit_code


def as_script(failure: StoredFailure) -> str:
    """The failure as a Python script: of what is lost, one that needs no suite, else one that runs the check.

    What the agent prints meanwhile goes to standard error, so that it is not taken for the script's.

    Raises:
        UsageError: as :func:`replay` does.
    """
    check, adapter = _check(failure), load_adapter(failure.target)
    program = _program(failure, adapter)
    with contextlib.redirect_stdout(sys.stderr), alone(check, adapter, program) as experiment:
        if lossy := run_check(check, experiment).failure:
            explained(experiment, lossy, target=failure.target)
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

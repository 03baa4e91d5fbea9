# SPDX-License-Identifier: MIT
"""The runs of the checks on all programs so far, and what they come to."""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING

from verification.engine.inventory import Inventory, established
from verification.report.model import Verdict
from verification.report.verdicts import blocked_by, established_before
from verification.running.judging import Tally, verdict_on
from verification.running.program_run import Known, ProgramRun, turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verification.checks.registry import Check
    from verification.errors import CheckFailure
    from verification.losses import Loss, Piece
    from verification.running.check_run import CheckRun


class History:
    """The runs of all checks, by the number of the program. Programs that were kept are below 0.

    A check ends with the first program that it fails. It is run on that one again if another check, which
    it builds on, turns out to report the same loss: it comes to what would be reported if each check were
    run on all programs before the next check is.

    Args:
        checks: in their order.
        examples: experiments of a check that is as cheap as any.
    """

    def __init__(self, checks: Sequence[Check], examples: int) -> None:
        self._checks = checks
        self._runs: dict[str, dict[int, CheckRun]] = {check.name: {} for check in checks}
        self._programs = {False: examples, True: examples}
        self._inventories = {False: Inventory(), True: Inventory()}
        self._pieces: dict[bool, tuple[Piece, ...]] = {False: (), True: ()}
        self._same: dict[Loss, Loss] = {}  # one of each: most programs show those that are known
        self._ended: dict[str, int] = {}
        self._blocked: set[str] = set()
        self.known: Known = self._settled()

    def add(self, number: int, program_run: ProgramRun) -> None:
        """Add what came of a program, and see what is known now."""
        for run in program_run.runs:
            losses = tuple(self._same.setdefault(loss, loss) for loss in run.losses)
            self._runs[run.check][number] = dataclasses.replace(run, losses=losses)
        for closed_loop, learned in program_run.learned.items():
            self._inventories[closed_loop] = self._inventories[closed_loop].copy()
            self._inventories[closed_loop].learn(learned)
        for closed_loop, pieces in program_run.pieces.items():
            self._pieces[closed_loop] = max(self._pieces[closed_loop], pieces, key=len)
        self._programs |= program_run.programs
        self.known = self._settled()

    def ended(self, check: Check) -> int | None:
        """The number of the program that has ended a check; ``None`` if none has."""
        return self._ended.get(check.name)

    def is_whole(self, check: Check) -> bool:
        """Whether a check need not be run on any other program."""
        return check.name in self._ended or not self._open(check)

    def failed(self) -> dict[str, CheckFailure | None]:
        """The failures of checks that have not passed; ``None`` where the agent broke no promise by it.

        Those that need one of them are not among them.
        """
        found: dict[str, CheckFailure | None] = {}
        for check in self._checks:
            if self.known.verdicts.get(check.name, Verdict.NOT_APPLICABLE) is not Verdict.NOT_APPLICABLE:
                end = self._ended.get(check.name)
                if end is not None:
                    found[check.name] = self._runs[check.name][end].failure
                elif not self._open(check):
                    found[check.name] = None  # it had to count, and never has
        return found

    def missing(self) -> dict[int, list[Check]]:
        """The checks that have still to be run, by the number of the program."""
        found: dict[int, list[Check]] = collections.defaultdict(list)
        for check in self._checks:
            if check.name not in self._ended and check.name not in self._blocked:
                for number in self._open(check):
                    found[number].append(check)
        return dict(sorted(found.items()))

    def tally(self, check: Check) -> Tally:
        """What came of a check, up to the program that has ended it."""
        runs, end = self._runs[check.name], self._ended.get(check.name)
        remembered = end is not None and end < 0
        tally = Tally(remembered=remembered, notes=tuple(self._inventories[check.closed_loop].notes.values()))
        if end is None and any(run.judged for run in runs.values()):
            tally.pieces = self._pieces[check.closed_loop]
        for number in sorted(runs):
            if number == end or (not remembered and number >= 0 and (end is None or number < end)):
                tally.add(runs[number])
        return tally

    def _open(self, check: Check) -> list[int]:
        runs = self._runs[check.name]
        return [number for number in turns(check, self._programs[check.closed_loop]) if number not in runs]

    def _settled(self) -> Known:
        """What is known: of the checks in their order, so that those before each one are settled."""
        self._ended, self._blocked = {}, set()
        verdicts: dict[str, Verdict] = {}
        lost: dict[str, tuple[str, ...]] = {}
        for check in self._checks:
            runs = self._runs[check.name]
            if blocked_by(check.name, verdicts):
                self._blocked.add(check.name)
                continue
            end = _end(runs)
            while end is not None and _is_reported(runs[end], established_before(check.name, lost)):
                del runs[end]
                end = _end(runs)
            if end is not None:
                self._ended[check.name] = end
                outcome = runs[end].outcome
                assert outcome is not None
                verdicts[check.name], _ = verdict_on(outcome)
                lost[check.name] = runs[end].lost
            elif check.never_counted and not any(run.counted for run in runs.values()):
                verdicts[check.name] = Verdict.INCONCLUSIVE  # what needs it waits until it has
        return Known(verdicts, lost, dict(self._inventories), dict(self._programs))


def _end(runs: dict[int, CheckRun]) -> int | None:
    """The first program that ends a check."""
    return min((number for number, run in runs.items() if run.ends), default=None)


def _is_reported(run: CheckRun, reported: tuple[str, ...]) -> bool:
    """Whether a failure names what others turn out to report, which was not put back."""
    new = [path for path in reported if path not in run.reported]
    return any(established(path, new) for path in run.lost)

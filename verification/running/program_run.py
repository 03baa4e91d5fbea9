# SPDX-License-Identifier: MIT
"""Runs the checks on one program: each behind those before it, none that needs one that has failed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verification.errors import AdapterError, CheckFailure, Inconclusive, NotApplicable, RefusedState
from verification.report.verdicts import blocked_by, established_before
from verification.running.check_run import CheckRun, run_check
from verification.running.judging import verdict_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from verification.checks.registry import Check
    from verification.engine.experiment import Experiment
    from verification.engine.inventory import Inventory
    from verification.losses import Piece
    from verification.report.model import Verdict


# What ends a check, or an example of it; anything else is a crash.
_OUTCOMES = (CheckFailure, Inconclusive, NotApplicable, AdapterError, RefusedState)


@dataclass(frozen=True)
class Known:
    """What is known of an agent before the checks are run on a program.

    Attributes:
        verdicts: on checks that have ended; ``inconclusive`` on those that have to count and have not yet.
        lost: of each check that has ended, by its name, the paths of the losses that it reports.
        inventories: what was seen so far, by whether it was in closed loop.
        programs: how many there are, by the same.
    """

    verdicts: Mapping[str, Verdict]
    lost: Mapping[str, tuple[str, ...]]
    inventories: Mapping[bool, Inventory]
    programs: Mapping[bool, int]

    @property
    def ended(self) -> dict[str, Verdict]:
        """The verdicts on checks that have ended; none on those that are only waited for."""
        return {name: verdict for name, verdict in self.verdicts.items() if name in self.lost}

    def wants(self, check: Check, number: int) -> bool:
        """Whether a check is still to be run on the program of a number."""
        if check.name in self.lost or blocked_by(check.name, self.ended):
            return False
        return number in turns(check, self.programs[check.closed_loop])


@dataclass(frozen=True)
class ProgramRun:
    """What came of running the checks on one program.

    Attributes:
        runs: in the order in which the checks were run.
        learned: what was seen of the agent that was not known before, by whether it was in closed loop.
        programs: how many there are, by the same, as far as that has turned out.
        pieces: what became of each leaf in one load that was judged, by the same.
    """

    runs: list[CheckRun]
    learned: Mapping[bool, Inventory] = field(default_factory=dict)
    programs: Mapping[bool, int] = field(default_factory=dict)
    pieces: Mapping[bool, tuple[Piece, ...]] = field(default_factory=dict)


def run_on_program(
    checks: Iterable[Check],
    known: Known,
    experiment_of: Callable[[Check], Experiment | None],
    begin: Callable[[Check], None] = lambda _: None,
) -> Iterator[CheckRun]:
    """Run some checks on one program.

    What comes of it can be kept, and sent to another process: it holds nothing of an experiment.

    Args:
        checks: in their order.
        known: what is known from other programs.
        experiment_of: the experiment that a check is run on; ``None`` if it has no such program.
        begin: called before each check that is run.
    """
    verdicts, lost = dict(known.verdicts), dict(known.lost)
    for check in checks:
        if blocked_by(check.name, verdicts):
            continue
        begin(check)
        try:
            experiment = experiment_of(check)
        except Exception as error:  # nothing can be drawn, for one
            run = _plain(CheckRun(check.name, outcome=error))
        else:
            if experiment is None:
                continue
            run = _plain(run_check(check, experiment, established_before(check.name, lost)))
        yield run
        if run.outcome is not None and run.ends:
            verdicts[check.name], _ = verdict_on(run.outcome)
            lost[check.name] = run.lost
        elif run.counted:
            verdicts.pop(check.name, None)  # what needs it to count has waited


def turns(check: Check, programs: int) -> range:
    """On which of so many programs a check is run: the dearer it is, the fewer; one at least."""
    last = range(max(programs - 1, 0), programs)
    return range(check.cost - 1, programs, check.cost) or last


def _plain(run: CheckRun) -> CheckRun:
    """A run without what holds its experiment, and with an outcome that another process knows."""
    outcome = run.outcome
    if outcome is None:
        return run
    if not isinstance(outcome, _OUTCOMES):
        return dataclasses.replace(run, outcome=AdapterError(f"{type(outcome).__name__}: {outcome}"))
    outcome.__cause__ = outcome.__context__ = None
    return dataclasses.replace(run, outcome=outcome.with_traceback(None))

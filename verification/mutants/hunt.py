# SPDX-License-Identifier: MIT
"""The hunt for a mutant: every check is asked about one program after another, until one of them fails.

The programs are those that the checks would draw with the same seed and number of examples. Asking example
by example instead of check by check shows how many experiments a bug survives.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from verification.checks.registry import all_checks, earlier, prerequisites, select
from verification.engine.experiment import Experiment
from verification.engine.global_rng import isolated
from verification.engine.inventory import Inventory, established
from verification.errors import AdapterError, CheckFailure, Inconclusive, NotApplicable, RefusedState
from verification.levels import Level
from verification.losses import merged
from verification.mutants.model import MutantAdapter
from verification.processes.temporary_folders import temporary_folder
from verification.report.model import Verdict
from verification.running.drawing import DEFAULT_EXAMPLES, draw
from verification.running.schedule import Schedule
from verification.state import compare

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from verification.adapter import Adapter
    from verification.checks.registry import Check
    from verification.mutants.model import Mutant
    from verification.program import Program


# Programs of which the correct agent's runs are kept. Most mutants are killed by these.
_KEPT = 4


@dataclass(frozen=True)
class Drawn:
    """The programs that the checks draw for an adapter: those on given batches, and those in closed loop."""

    on_batches: Sequence[Program]
    closed_loop: Sequence[Program]
    _correct: dict[tuple[int, bool], Experiment] = field(default_factory=dict)

    def experiment(
        self, adapter: Adapter, number: int, directory: Path, inventory: Inventory, *, closed_loop: bool
    ) -> Experiment:
        """The experiment of a mutant on one of the programs.

        A mutant that only saves or loads wrongly trains like the correct agent, whose runs it shares.
        """
        program = (self.closed_loop if closed_loop else self.on_batches)[number]
        experiment = Experiment(adapter, program, directory, closed_loop=closed_loop, inventory=inventory)
        if number < _KEPT and isinstance(adapter, MutantAdapter) and adapter.trains_right:
            if (number, closed_loop) not in self._correct:
                correct = Experiment(adapter.adapter, program, directory, closed_loop=closed_loop)
                self._correct[number, closed_loop] = correct
            experiment.adopt(self._correct[number, closed_loop])
        return experiment


@dataclass(frozen=True)
class Kill:
    """How a mutant fared.

    Attributes:
        checks: those that failed, in the order of the checks, each by a loss of its own. Empty if the mutant
            survived.
        lost: what they named as lost.
        leaves: all leaves that differ in these failures.
        examples: programs tried until the first failure, or in vain.
        seconds: how long that took.
        notes: paths of what differed without a consequence.
    """

    checks: tuple[str, ...]
    lost: tuple[str, ...]
    leaves: tuple[str, ...]
    examples: int
    seconds: float
    notes: tuple[str, ...] = ()


def draw_programs(adapter: Adapter, *, seed: int, examples: int = DEFAULT_EXAMPLES) -> Drawn:
    """The programs that checks of ``adapter`` with this seed and number of examples draw."""
    return Drawn(
        on_batches=draw(adapter, closed_loop=False, seed=seed, examples=examples),
        closed_loop=draw(adapter, closed_loop=True, seed=seed, examples=examples),
    )


def hunt(
    adapter: Adapter,
    drawn: Drawn,
    *,
    level: Level | str = Level.RESUME,
    wanted: Collection[str] = (),
    ignored: Collection[str] = (),
    more: int = 0,
    exhaustive: bool = False,
) -> Kill:
    """Ask the checks up to ``level`` about each program in turn; stop behind the first that fails one.

    Args:
        adapter: the mutant's.
        drawn: what to run.
        level: the highest level asked.
        wanted: go on until all of these checks have failed.
        more: where they are not known, go on for so many programs behind the first failure, which may build
            on another one that its program could not show.
        ignored: checks not to ask, nor what builds on them, because the correct agent fails them.
        exhaustive: go on to the last program.
    """
    interview = _Interview(adapter, [check for check in select(level) if not _builds_on(check, ignored)])
    started = time.monotonic()
    examples, seconds = 0, 0.0
    for number in range(min(len(drawn.on_batches), len(drawn.closed_loop))):
        with temporary_folder() as directory, isolated():
            interview.ask(number, drawn, Path(directory))
        if not seconds:
            examples = number + 1
            seconds = time.monotonic() - started if interview.failures else 0.0
        enough = interview.failures.keys() >= set(wanted) if wanted else number + 1 >= examples + more
        if interview.failures and enough and not exhaustive:
            break
    names = interview.roots()
    seconds = seconds or time.monotonic() - started
    return Kill(names, interview.lost(names), interview.leaves(names), examples, seconds, interview.notes)


def level_of(mutant: Mutant) -> Level:
    """The lowest level whose checks include those that should kill the mutant."""
    return max((all_checks()[name].level for name in mutant.killed_by), default=Level.RESUME)


def has_effect(mutant: Adapter, correct: Adapter, drawn: Drawn) -> bool:
    """Whether a wrong load ever restores another agent than the correct one does."""
    for closed_loop, programs_of_a_kind in ((False, drawn.on_batches), (True, drawn.closed_loop)):
        for program in programs_of_a_kind:
            with temporary_folder() as directory, isolated():
                right = Experiment(correct, program, Path(directory), closed_loop=closed_loop)
                wrong = Experiment(mutant, program, Path(directory), closed_loop=closed_loop)
                for cut, files in right.checkpoints.items():
                    expected = right.driver.snapshot(right.load(cut))
                    found = wrong.driver.load(wrong.receiver(), files)
                    if compare(expected, wrong.driver.snapshot(found)):
                        return True
    return False


def _builds_on(check: Check, names: Collection[str]) -> bool:
    return check.name in names or bool(prerequisites(check.name) & set(names))


class _Interview:
    """What the checks have said about one adapter so far."""

    def __init__(self, adapter: Adapter, checks: Sequence[Check]) -> None:
        self.failures: dict[str, CheckFailure | None] = {}
        self._adapter = adapter
        self._checks = checks
        self._inventories = {closed_loop: Inventory() for closed_loop in (False, True)}
        # What builds on a check that has to count waits until it has.
        self._verdicts = {check.name: Verdict.INCONCLUSIVE for check in checks if check.never_counted}

    def ask(self, number: int, drawn: Drawn, directory: Path) -> None:
        """Ask whatever can still say something new about one program of each kind."""
        experiments = []
        for closed_loop in (False, True):
            folder = directory / str(closed_loop)
            folder.mkdir()
            inventory = self._inventories[closed_loop]
            experiments.append(
                drawn.experiment(self._adapter, number, folder, inventory, closed_loop=closed_loop)
            )
        schedule = Schedule(self._checks, self._verdicts)
        while check := schedule.next():
            # The dearer a check, the fewer examples it gets.
            its_turn = number % check.cost == check.cost - 1
            if its_turn and check.name not in self.failures and not schedule.blocked_by(check):
                self._ask(check, experiments[check.closed_loop])
            schedule.done(check, self._verdicts.get(check.name))

    def roots(self) -> tuple[str, ...]:
        """The checks that failed, but for those that need one that did, or tell only what another has."""
        for check in self._checks:
            if check.never_counted and self._verdicts[check.name] is Verdict.INCONCLUSIVE:
                self.failures.setdefault(check.name, None)
        failed = self.failures.keys()
        return tuple(
            check.name
            for check in self._checks
            if check.name in failed and not prerequisites(check.name) & failed and not self._is_told(check)
        )

    def lost(self, names: Iterable[str]) -> tuple[str, ...]:
        """What the failures of some checks name."""
        failures = [failure for name in names if (failure := self.failures[name]) is not None]
        return tuple(loss.name for loss in merged(loss for failure in failures for loss in failure.losses))

    @property
    def notes(self) -> tuple[str, ...]:
        """Paths of what differed without a consequence."""
        return tuple(path for inventory in self._inventories.values() for path in inventory.notes)

    def leaves(self, names: Iterable[str]) -> tuple[str, ...]:
        """The paths of all leaves in the failures of some checks."""
        failures = [failure for name in names if (failure := self.failures[name]) is not None]
        return tuple(dict.fromkeys(one.path for failure in failures for one in failure.differences))

    def _established(self, check: Check) -> tuple[str, ...]:
        """Paths of the losses that checks before this one have told of."""
        before = earlier(check.name)
        return tuple(
            loss.path
            for name, failure in self.failures.items()
            if name in before and failure is not None
            for loss in failure.losses
        )

    def _is_told(self, check: Check) -> bool:
        """Whether a check has failed only by what another one tells of in a later program."""
        failure = self.failures[check.name]
        paths = self._established(check)
        return (
            failure is not None
            and bool(failure.losses)
            and all(established(loss.path, paths) for loss in failure.losses)
        )

    def _ask(self, check: Check, experiment: Experiment) -> None:
        experiment.begin(self._established(check))
        try:
            check.function(experiment)
        except CheckFailure as failure:
            self._fail(check, failure)
        except (Inconclusive, AdapterError):
            self._fail(check, None)
        except (NotApplicable, RefusedState):
            return
        else:
            if experiment.counted:
                self._verdicts[check.name] = Verdict.PASSED

    def _fail(self, check: Check, failure: CheckFailure | None) -> None:
        self.failures[check.name] = failure
        self._verdicts[check.name] = Verdict.FAILED

# SPDX-License-Identifier: MIT
"""The hunt for a mutant: every check is run on one program after another, until one of them fails.

The programs are those that the checks would draw with the same seed and number of examples. Asking example
by example instead of check by check shows how many experiments a bug survives.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from verification.checks.registry import all_checks, prerequisites, select
from verification.engine.experiment import Experiment
from verification.engine.global_rng import isolated
from verification.levels import Level
from verification.losses import merged
from verification.mutants.model import MutantAdapter
from verification.processes.temporary_folders import temporary_folder
from verification.running.drawing import DEFAULT_EXAMPLES, draw
from verification.running.experiments import Experiments
from verification.running.history import History
from verification.running.program_run import ProgramRun, run_on_program
from verification.state import compare

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from verification.adapter import Adapter
    from verification.checks.registry import Check
    from verification.engine.inventory import Inventory
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
    """Run the checks up to ``level`` on each program in turn; stop behind the first that fails one.

    Args:
        adapter: the mutant's.
        drawn: what to run.
        level: the highest level that is run.
        wanted: go on until all of these checks have failed.
        more: where they are not known, go on for so many programs behind the first failure, which may build
            on another one that its program could not show.
        ignored: checks not to run, nor what builds on them, because the correct agent fails them.
        exhaustive: go on to the last program.
    """
    programs = min(len(drawn.on_batches), len(drawn.closed_loop))
    checks = [check for check in select(level) if check.cost <= programs and not _builds_on(check, ignored)]
    history = History(checks, programs)
    started = time.monotonic()
    examples, seconds = 0, 0.0
    for number in range(programs):
        due = [check for check in checks if history.known.wants(check, number)]
        _run(adapter, drawn, number, due, history)
        # Some had to wait for others, or had reported what others turned out to report.
        for earlier, waiting in history.missing().items():
            if earlier <= number:
                _run(adapter, drawn, earlier, waiting, history)
        failed = history.failed()
        if not seconds:
            examples = number + 1
            seconds = time.monotonic() - started if failed else 0.0
        enough = failed.keys() >= set(wanted) if wanted else number + 1 >= examples + more
        if failed and enough and not exhaustive:
            break
    failures = history.failed()
    seconds = seconds or time.monotonic() - started
    found = [failure for failure in failures.values() if failure is not None]
    return Kill(
        tuple(failures),
        tuple(loss.name for loss in merged(loss for failure in found for loss in failure.losses)),
        tuple(dict.fromkeys(one.path for failure in found for one in failure.differences)),
        examples,
        seconds,
        tuple(path for inventory in history.known.inventories.values() for path in inventory.notes),
    )


def _run(adapter: Adapter, drawn: Drawn, number: int, checks: Sequence[Check], history: History) -> None:
    """Run some checks on one program of either kind."""
    known = history.known
    with temporary_folder() as directory, isolated():

        def make(kind: bool, folder: Path, inventory: Inventory) -> Experiment:
            return drawn.experiment(adapter, number, folder, inventory, closed_loop=kind)

        experiments = Experiments(known, Path(directory), make)
        runs = list(run_on_program(checks, known, experiments.of))
        learned = experiments.learned()
    history.add(number, ProgramRun(runs, learned))


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

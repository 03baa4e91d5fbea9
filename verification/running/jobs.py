# SPDX-License-Identifier: MIT
"""What a worker is given: a program, on which it runs every check, or a failure, to conclude it."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verification.counterexamples.store import forget
from verification.engine.experiment import Experiment
from verification.engine.fates import fates
from verification.engine.global_rng import isolated
from verification.processes.temporary_folders import temporary_folder
from verification.running.concluding import concluded, explain, keep
from verification.running.drawing import draw
from verification.running.experiments import Experiments
from verification.running.judging import judge
from verification.running.partial import PartialWriter
from verification.running.program_run import Known, ProgramRun, run_on_program
from verification.running.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from verification.adapter import Adapter
    from verification.checks.registry import Check
    from verification.counterexamples.store import FailureStore, StoredFailure
    from verification.engine.inventory import Inventory
    from verification.losses import Piece
    from verification.program import Program
    from verification.report.model import Result
    from verification.running.check_run import CheckRun
    from verification.running.judging import Tally
    from verification.running.places import Finder
    from verification.shard import Shard

# Checks set the process's generators and flags: threads of one process have to take turns. A check may run
# another one, where building an adapter does.
_turn = threading.RLock()


@dataclass(frozen=True)
class RunOptions:
    """How the checks are run.

    Attributes:
        seed: draws the programs, the same for every check, wherever it runs.
        examples: experiments a check.
        shrink: whether smaller failures are looked for.
        store: keeps failing programs.
        horizon: how far is looked before a checkpoint and after it; by default the adapter's own.
        shard: whose share of the examples is run; by default all.
    """

    seed: int
    examples: int
    shrink: bool = True
    store: FailureStore | None = None
    horizon: int | None = None
    shard: Shard | None = None

    @property
    def share(self) -> int:
        """Of so many experiments a check those that are made here."""
        return len(self.shard.share(range(self.examples))) if self.shard else self.examples


@dataclass(frozen=True)
class Task:
    """A program that some checks are run on.

    Attributes:
        number: which of those that are drawn; below 0 for one that an earlier run has kept.
        checks: in their order.
        stored: what an earlier run has kept of it.
    """

    number: int
    checks: tuple[Check, ...]
    stored: StoredFailure | None = None

    def program(self, adapter: Adapter, options: RunOptions, *, closed_loop: bool) -> Program | None:
        """The program; ``None`` if not so many are drawn."""
        if self.stored is not None:
            return self.stored.program()
        drawn = _drawn(adapter, options, closed_loop=closed_loop)
        return drawn[self.number] if self.number < len(drawn) else None


def prepare(find: Finder, options: RunOptions, kinds: Iterable[bool]) -> None:
    """Do beforehand what a worker's first job would wait for: import the adapter, and draw its programs."""
    with _turn:
        for closed_loop in kinds:
            _drawn(find(), options, closed_loop=closed_loop)


def run_task(find: Finder, options: RunOptions, task: Task, known: Known, file: Path) -> ProgramRun:
    """Run some checks on one program.

    Args:
        find: finds the adapter.
        options: how.
        task: the program, and the checks.
        known: what is known from other programs.
        file: gets what comes of each check at once.
    """
    with _turn, temporary_folder() as folder, PartialWriter(file) as writer:
        if task.stored is not None:  # which comes before anything has counted
            known = dataclasses.replace(known, verdicts=known.ended)
        adapter = find()

        def make(kind: bool, place: Path, inventory: Inventory) -> Experiment | None:
            program = task.program(adapter, options, closed_loop=kind)
            if program is None:
                return None
            return Experiment(adapter, program, place, closed_loop=kind, inventory=inventory)

        experiments = Experiments(known, Path(folder), make)
        runs: list[CheckRun] = []
        for run in run_on_program(task.checks, known, experiments.of, writer.began):
            if task.stored is not None and run.failure is None:
                if run.outcome is None:
                    forget(task.stored)
                continue  # the adapter has changed; drawn programs show how it is now
            writer.ended(run)
            runs.append(run)
        drawn = [] if task.stored else experiments.made
        return ProgramRun(
            runs,
            experiments.learned(),
            {kind: len(_drawn(adapter, options, closed_loop=kind)) for kind in drawn},
            {kind: _pieces(one) for kind, one in experiments.made.items() if one is not None},
        )


def conclude(find: Finder, options: RunOptions, task: Task, tally: Tally) -> Result:
    """Repeat a failure, make its program smaller, explain it and keep it.

    Args:
        find: finds the adapter.
        options: how.
        task: the program with which the one check has ended.
        tally: what has come of it until then, and with what it has ended.
    """
    (check,), store, adapter = task.checks, options.store, find()
    with _turn:
        outcome, program = tally.outcome, task.program(adapter, options, closed_loop=check.closed_loop)
        if outcome is not None and program is not None:
            first = program
            with Repeating(check, adapter, tally) as again:
                outcome, program = concluded(again, first, shrink=options.shrink)
                programs = (program,) if program is first else (program, first)
                tally.pieces = explain(again, programs, outcome, target=store.target if store else "")
        return keep(check, program, judge(check, tally, outcome, tally.seconds), store)


def _drawn(adapter: Adapter, options: RunOptions, *, closed_loop: bool) -> Sequence[Program]:
    return draw(
        adapter,
        closed_loop=closed_loop,
        seed=options.seed,
        examples=options.examples,
        horizon=options.horizon,
        shard=options.shard,
    )


def _pieces(experiment: Experiment) -> tuple[Piece, ...]:
    """What became of each leaf in the first load of an experiment that was judged."""
    if not experiment.judgements:
        return ()
    cut, used = min(experiment.judgements)
    with isolated():
        return fates(experiment, cut, used=used)

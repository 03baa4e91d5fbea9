# SPDX-License-Identifier: MIT
"""Hands one program after another to workers, and adds what comes of them in their order."""

from __future__ import annotations

import collections
import dataclasses
from concurrent.futures import FIRST_COMPLETED, wait
from typing import TYPE_CHECKING

from verification.errors import AdapterError, UsageError
from verification.levels import Level
from verification.processes.worker import WorkerDied
from verification.running.check_run import CheckRun
from verification.running.history import History
from verification.running.jobs import RunOptions, Task, prepare, run_task
from verification.running.partial import PartialReader
from verification.running.program_run import Known, ProgramRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Executor, Future
    from pathlib import Path

    from verification.checks.registry import Check
    from verification.counterexamples.store import StoredFailure
    from verification.report.model import Result
    from verification.running.places import Finder

# Seconds between two looks at what has come of the jobs so far.
_GLANCE = 0.2


class Listener:
    """Hears what goes on; this one does nothing about it."""

    def began(self, check: Check) -> None:
        """A check is run, or its failure made smaller."""

    def ran(self, check: Check, run: CheckRun) -> None:
        """A check was run on a program."""

    def ended(self, check: Check, result: Result) -> None:
        """The verdict on a check is known."""


class Rounds:
    """All programs that some checks are run on.

    What comes of them is added in their order. Each begins with what was known when half of those before it
    had been added, so that the report is the same for any number of workers, and none waits for long. The
    first is run alone: most mistakes show in it.

    Args:
        find: finds the adapter where a job is done.
        checks: in their order.
        options: how.
        executor: does the jobs.
        at_once: how many are handed over before one is done; ``None`` for as many as can be.
        listener: hears what goes on.
        folder: where jobs write what has come of them so far.

    Attributes:
        history: what has come of the programs.
        stored: the failures of earlier runs that are run again, by the number of their program.
    """

    def __init__(
        self,
        find: Finder,
        checks: Sequence[Check],
        options: RunOptions,
        *,
        executor: Executor,
        at_once: int | None,
        listener: Listener,
        folder: Path,
    ) -> None:
        self.history: History = History(checks, options.share)
        kept = [
            (one, check) for check in checks for one in (options.store.of(check) if options.store else ())
        ]
        self.stored: dict[int, StoredFailure] = {
            number: one for number, (one, _) in enumerate(kept, start=-len(kept))
        }
        remembered = [Task(n, (check,), one) for n, (one, check) in enumerate(kept, start=-len(kept))]
        self._find = find
        self._checks = {check.name: check for check in checks}
        self._options = options
        self._executor = executor
        self._at_once = at_once
        self._listener = listener
        self._folder = folder
        self._waiting = collections.deque([*remembered, *_drawn(checks, options.share)])
        self._running: dict[Future[ProgramRun], _Job] = {}
        self._jobs: collections.deque[_Job] = collections.deque()  # those that are not added yet
        self._begun = self._added = 0
        self._known = {0: self.history.known}  # when so many jobs were added
        self._least = 0  # so many of them every job knows now

    def run(self) -> None:
        """Run every check on its programs.

        Raises:
            UsageError: if a worker cannot find the adapter.
        """
        self._begin()
        self._prepare_others()
        while self._waiting or self._running:
            while self._waiting or self._running:
                while self._has_room() and self._begin():
                    pass
                if self._running:
                    self._look()
            # Some had to wait for others, or have reported what others turned out to report.
            self._least = self._begun
            missing = self.history.missing()
            self._waiting.extend(Task(number, tuple(checks)) for number, checks in missing.items())

    def give_up(self) -> None:
        """Add what has come of the jobs that have not ended."""
        while self._jobs:
            job = self._jobs.popleft()
            job.partial.more()
            self.history.add(job.task.number, job.result or ProgramRun(job.partial.runs))

    def _prepare_others(self) -> None:
        """Let workers that the first job leaves idle begin; if they cannot, their first job will raise."""
        kinds = {check.closed_loop for check in self._checks.values()}
        for _ in range(1, self._at_once or 1):
            self._executor.submit(prepare, self._find, self._options, kinds)

    def _has_room(self) -> bool:
        return self._at_once is None or len(self._running) < self._at_once

    def _begin(self) -> bool:
        """Hand over the next job; whether there is one that need not wait for others."""
        enough = max(self._least, (self._begun + 1) // 2)
        if not self._waiting or enough > self._added:
            return False
        for former in [number for number in self._known if number < enough]:
            del self._known[former]
        known, task = self._known[enough], self._waiting.popleft()
        task = dataclasses.replace(task, checks=tuple(_due(task, known)))
        if task.checks:
            file = self._folder / f"{self._begun}.runs"
            job = _Job(task, PartialReader(file))
            self._jobs.append(job)
            self._begun += 1
            future = self._executor.submit(run_task, self._find, self._options, task, known, file)
            self._running[future] = job
        return True

    def _look(self) -> None:
        """Report what has come of the jobs, and add what is whole."""
        ended = wait(self._running, timeout=_GLANCE, return_when=FIRST_COMPLETED).done
        for job in self._running.values():
            self._report(job.partial.more())
            if job.partial.running:
                self._listener.began(self._checks[job.partial.running])
        for future in ended:
            job, error = self._running[future], future.exception()
            if isinstance(error, UsageError):
                raise error
            known = len(job.partial.runs)
            job.result = future.result() if error is None else job.broken_by(error)
            self._report(job.result.runs[known:])
            del self._running[future]
        while self._jobs and (result := self._jobs[0].result):
            self.history.add(self._jobs.popleft().task.number, result)
            self._added += 1
            self._known[self._added] = self.history.known

    def _report(self, runs: Iterable[CheckRun]) -> None:
        for run in runs:
            check = self._checks[run.check]
            self._listener.began(check)
            self._listener.ran(check, run)


@dataclasses.dataclass
class _Job:
    """A program that checks are run on.

    Attributes:
        task: the program, and the checks.
        partial: what has come of it so far.
        result: what has come of it in the end; ``None`` until then.
    """

    task: Task
    partial: PartialReader
    result: ProgramRun | None = None

    def broken_by(self, error: BaseException) -> ProgramRun:
        """What has come of it if the job ended with an exception: the check that was run is to blame."""
        self.partial.more()
        done = {run.check for run in self.partial.runs}
        left = [check.name for check in self.task.checks if check.name not in done]
        sentence = str(error) if isinstance(error, WorkerDied) else f"{type(error).__name__}: {error}"
        # A check that was not run must not pass.
        broken = [CheckRun(self.partial.running or left[0], outcome=AdapterError(sentence))] if left else []
        return ProgramRun([*self.partial.runs, *broken])


def _drawn(checks: Iterable[Check], examples: int) -> Iterator[Task]:
    """The programs that are drawn; what takes processes of its own, and shares nothing, comes behind them."""
    together = tuple(check for check in checks if check.level < Level.DURABLE)
    apart = [check for check in checks if check.level >= Level.DURABLE]
    for number in range(examples):
        yield Task(number, together)
    for check in apart:
        for number in range(examples):
            yield Task(number, (check,))


def _due(task: Task, known: Known) -> Iterator[Check]:
    """The checks that are still to be run on a program."""
    for check in task.checks:
        if check.name not in known.lost if task.stored else known.wants(check, task.number):
            yield check

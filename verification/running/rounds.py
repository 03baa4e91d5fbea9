# SPDX-License-Identifier: MIT
"""Hands one program after another to workers, and adds what is said about them in their order."""

from __future__ import annotations

import collections
import dataclasses
from concurrent.futures import FIRST_COMPLETED, wait
from typing import TYPE_CHECKING

from verification.errors import AdapterError, UsageError
from verification.levels import Level
from verification.processes.worker import WorkerDied
from verification.running.answers import Answers
from verification.running.asking import Answer
from verification.running.interview import Known, Said
from verification.running.jobs import Asked, Subject, ask_about, prepare
from verification.running.partial import Heard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Executor, Future
    from pathlib import Path

    from verification.checks.registry import Check
    from verification.counterexamples.store import StoredFailure
    from verification.report.model import Result
    from verification.running.places import Finder

# Seconds between two looks at what jobs have said so far.
_GLANCE = 0.2


class Listener:
    """Is told what goes on; this one does nothing about it."""

    def began(self, check: Check) -> None:
        """A check is asked, or its failure made smaller."""

    def answered(self, check: Check, answer: Answer) -> None:
        """A check has answered about a program."""

    def ended(self, check: Check, result: Result) -> None:
        """The verdict on a check is known."""


class Rounds:
    """All programs that some checks are asked about.

    What was said is added in the order of the programs. Each is asked about with what was known when half of
    those before it had been added, so that the report is the same for any number of workers, and none waits
    for long. The first is asked about alone: most mistakes show in it.

    Args:
        find: finds the adapter where a job is done.
        checks: in their order.
        asked: how.
        executor: does the jobs.
        at_once: how many are handed over before one is done; ``None`` for as many as can be.
        listener: is told what goes on.
        folder: where jobs write what they have said so far.

    Attributes:
        answers: what was said.
        stored: the failures of earlier runs that are asked about, by the number of their program.
    """

    def __init__(
        self,
        find: Finder,
        checks: Sequence[Check],
        asked: Asked,
        *,
        executor: Executor,
        at_once: int | None,
        listener: Listener,
        folder: Path,
    ) -> None:
        self.answers: Answers = Answers(checks, asked.share)
        kept = [(one, check) for check in checks for one in (asked.store.of(check) if asked.store else ())]
        self.stored: dict[int, StoredFailure] = {
            number: one for number, (one, _) in enumerate(kept, start=-len(kept))
        }
        remembered = [Subject(n, (check,), one) for n, (one, check) in enumerate(kept, start=-len(kept))]
        self._find = find
        self._checks = {check.name: check for check in checks}
        self._asked = asked
        self._executor = executor
        self._at_once = at_once
        self._listener = listener
        self._folder = folder
        self._waiting = collections.deque([*remembered, *_drawn(checks, asked.share)])
        self._running: dict[Future[Said], _Job] = {}
        self._jobs: collections.deque[_Job] = collections.deque()  # those that are not added yet
        self._begun = self._added = 0
        self._known = {0: self.answers.known}  # when so many jobs were added
        self._least = 0  # so many of them is everything asked with now

    def ask(self) -> None:
        """Ask every check about its programs.

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
            # Some had to wait for others, or have told what others turned out to tell.
            self._least = self._begun
            missing = self.answers.missing()
            self._waiting.extend(Subject(number, tuple(checks)) for number, checks in missing.items())

    def give_up(self) -> None:
        """Add what was said in the jobs that have not ended."""
        while self._jobs:
            job = self._jobs.popleft()
            job.heard.more()
            self.answers.add(job.subject.number, job.said or Said(job.heard.answers))

    def _prepare_others(self) -> None:
        """Let workers that the first job leaves idle begin; if they cannot, their first job will say it."""
        kinds = {check.closed_loop for check in self._checks.values()}
        for _ in range(1, self._at_once or 1):
            self._executor.submit(prepare, self._find, self._asked, kinds)

    def _has_room(self) -> bool:
        return self._at_once is None or len(self._running) < self._at_once

    def _begin(self) -> bool:
        """Hand over the next job; whether there is one that need not wait for others."""
        enough = max(self._least, (self._begun + 1) // 2)
        if not self._waiting or enough > self._added:
            return False
        for former in [number for number in self._known if number < enough]:
            del self._known[former]
        known, subject = self._known[enough], self._waiting.popleft()
        subject = dataclasses.replace(subject, checks=tuple(_due(subject, known)))
        if subject.checks:
            file = self._folder / f"{self._begun}.answers"
            job = _Job(subject, Heard(file))
            self._jobs.append(job)
            self._begun += 1
            future = self._executor.submit(ask_about, self._find, self._asked, subject, known, file)
            self._running[future] = job
        return True

    def _look(self) -> None:
        """Tell what jobs have said, and add what is whole."""
        ended = wait(self._running, timeout=_GLANCE, return_when=FIRST_COMPLETED).done
        for job in self._running.values():
            self._tell(job.heard.more())
            if job.heard.asking:
                self._listener.began(self._checks[job.heard.asking])
        for future in ended:
            job, error = self._running[future], future.exception()
            if isinstance(error, UsageError):
                raise error
            told = len(job.heard.answers)
            job.said = future.result() if error is None else job.broken_by(error)
            self._tell(job.said.answers[told:])
            del self._running[future]
        while self._jobs and (said := self._jobs[0].said):
            self.answers.add(self._jobs.popleft().subject.number, said)
            self._added += 1
            self._known[self._added] = self.answers.known

    def _tell(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            check = self._checks[answer.check]
            self._listener.began(check)
            self._listener.answered(check, answer)


@dataclasses.dataclass
class _Job:
    """A program that checks are asked about.

    Attributes:
        subject: the program, and the checks.
        heard: what they have said so far.
        said: what they have said in the end; ``None`` until then.
    """

    subject: Subject
    heard: Heard
    said: Said | None = None

    def broken_by(self, error: BaseException) -> Said:
        """What was said if the job has ended with an exception: the check that was asked is to blame."""
        self.heard.more()
        answered = {answer.check for answer in self.heard.answers}
        left = [check.name for check in self.subject.checks if check.name not in answered]
        sentence = str(error) if isinstance(error, WorkerDied) else f"{type(error).__name__}: {error}"
        # A missing answer must not pass for a good one.
        broken = [Answer(self.heard.asking or left[0], outcome=AdapterError(sentence))] if left else []
        return Said([*self.heard.answers, *broken])


def _drawn(checks: Iterable[Check], examples: int) -> Iterator[Subject]:
    """The programs that are drawn; what takes processes of its own, and shares nothing, comes behind them."""
    together = tuple(check for check in checks if check.level < Level.DURABLE)
    apart = [check for check in checks if check.level >= Level.DURABLE]
    for number in range(examples):
        yield Subject(number, together)
    for check in apart:
        for number in range(examples):
            yield Subject(number, (check,))


def _due(subject: Subject, known: Known) -> Iterator[Check]:
    """The checks that are still to be asked about a program."""
    for check in subject.checks:
        if check.name not in known.lost if subject.stored else known.asks(check, subject.number):
            yield check

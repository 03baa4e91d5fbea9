# SPDX-License-Identifier: MIT
"""Runs checks on any executor: in this process, in a pool of workers, or on other machines.

Breadth first: a job is a program, about which every check is asked that is ready. All of them share its
experiment, which is gone with the job, and the first program shows what is wrong with most broken agents.
"""

from __future__ import annotations

import collections
import dataclasses
import tempfile
from concurrent.futures import FIRST_COMPLETED, as_completed, wait
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from verification.errors import AdapterError, CheckFailure, Inconclusive, UsageError
from verification.expected_failures.entries import is_expected
from verification.levels import Level
from verification.processes.parcel import refuse_while_defining
from verification.processes.worker import WorkerDied
from verification.report.model import Result, Verdict
from verification.report.verdicts import blocked, blocked_by, mark_expected
from verification.running.answers import Answers
from verification.running.asking import Answer
from verification.running.interview import Said
from verification.running.jobs import Asked, Subject, ask_about, conclude
from verification.running.judging import judge
from verification.running.partial import Heard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Executor, Future

    from verification.checks.registry import Check
    from verification.expected_failures.entries import Expectation
    from verification.running.places import Finder

# Seconds between two looks at what jobs have said so far.
_GLANCE = 0.2


class Listener(Protocol):
    """Is told what goes on."""

    def began(self, check: Check) -> None:
        """A check is asked, or its failure made smaller."""

    def answered(self, check: Check, answer: Answer) -> None:
        """A check has answered about a program."""

    def ended(self, check: Check, result: Result) -> None:
        """The verdict on a check is known."""


class Interrupted(KeyboardInterrupt):
    """A run was interrupted.

    Attributes:
        results: what is known until then: of each check that has said anything.
    """

    def __init__(self, results: list[Result]) -> None:
        super().__init__()
        self.results = results


def run_checks(
    find: Finder,
    checks: Sequence[Check],
    asked: Asked,
    *,
    expected: Mapping[str, Expectation],
    executor: Executor,
    at_once: int | None = None,
    listener: Listener | None = None,
) -> list[Result]:
    """Run ``checks``; their results come in the same order.

    Args:
        find: finds the adapter where a job is done.
        checks: with the prerequisites that give them meaning.
        asked: how.
        expected: failures that are excused.
        executor: does the jobs.
        at_once: how many are handed over before one is done; by default as many as can be.
        listener: is told what goes on.

    Raises:
        UsageError: if a worker cannot find the adapter.
        Interrupted: by Ctrl-C.
    """
    refuse_while_defining()
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        run = _Run(
            find=find,
            checks=checks,
            asked=asked,
            expected=expected,
            executor=executor,
            at_once=at_once,
            listener=listener or _Nobody(),
            folder=Path(folder),
        )
        try:
            run.ask()
            return run.concluded()
        except KeyboardInterrupt:
            raise Interrupted(run.results_so_far()) from None


class _Nobody:
    def began(self, check: Check) -> None: ...

    def answered(self, check: Check, answer: Answer) -> None: ...

    def ended(self, check: Check, result: Result) -> None: ...


class _Job:
    """A program that checks are asked about now, or that was not reached by those before it.

    Attributes:
        subject: the program, and the checks.
        heard: what they have said so far.
        said: what they have said in the end; ``None`` until then.
    """

    def __init__(self, subject: Subject, file: Path) -> None:
        self.subject = subject
        self.heard = Heard(file)
        self.said: Said | None = None

    def so_far(self) -> Said:
        """What is known of it if nothing more comes."""
        if self.said is None:
            self.heard.more()
        return self.said or Said(self.heard.answers)

    def broken_by(self, error: BaseException) -> Said:
        """What a job has said that has ended with an exception: the check that it was asking is to blame."""
        self.heard.more()
        answered = {answer.check for answer in self.heard.answers}
        left = [check.name for check in self.subject.checks if check.name not in answered]
        sentence = str(error) if isinstance(error, WorkerDied) else f"{type(error).__name__}: {error}"
        # A missing answer must not pass for a good one.
        culprit = self.heard.asking or left[0] if left else ""
        broken = [Answer(culprit, outcome=AdapterError(sentence))] if culprit else []
        return Said([*self.heard.answers, *broken])


class _Run:
    """One run of some checks.

    What was said about a program is added in the order of the programs. Each is asked about with what was
    known when half of those before it had been added, so that the report is the same for any number of
    workers, and none waits for long. The first one is asked about alone: most mistakes show in it.
    """

    def __init__(
        self,
        *,
        find: Finder,
        checks: Sequence[Check],
        asked: Asked,
        expected: Mapping[str, Expectation],
        executor: Executor,
        at_once: int | None,
        listener: Listener,
        folder: Path,
    ) -> None:
        self._find = find
        self._checks = checks
        self._by_name = {check.name: check for check in checks}
        self._asked = asked
        self._expected = expected
        self._executor = executor
        self._at_once = at_once
        self._listener = listener
        self._folder = folder
        self._answers = Answers(checks, asked.examples)
        self._known = [self._answers.known]  # after so many jobs were added
        self._known_of_all = 0  # how many of them whatever is asked now has to know at least
        self._jobs: list[_Job] = []
        self._running: dict[Future[Said], _Job] = {}
        self._concluded: dict[str, Result] = {}
        self._waiting = collections.deque(self._planned())

    # -- asking ------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask every check about its programs."""
        while self._waiting:
            while self._waiting or self._running:
                while self._has_room() and self._begin():
                    pass
                if self._running:
                    self._look()
            # Some had to wait for others, or were told what they had told.
            self._known_of_all = len(self._jobs)
            missing = self._answers.missing()
            self._waiting.extend(Subject(number, tuple(checks)) for number, checks in missing.items())

    def _planned(self) -> Iterator[Subject]:
        """Programs that were kept, then those that are drawn, then the checks with processes of their own."""
        store = self._asked.store
        stored = [(one, check) for check in self._checks for one in (store.of(check) if store else ())]
        for number, (one, check) in enumerate(stored, start=-len(stored)):
            yield Subject(number, (check,), one)
        together = [check for check in self._checks if check.level < Level.DURABLE]
        apart = [check for check in self._checks if check.level >= Level.DURABLE]
        for number in range(self._asked.examples):
            yield Subject(number, tuple(together))
        for check in apart:
            for number in range(self._asked.examples):
                yield Subject(number, (check,))

    def _has_room(self) -> bool:
        return self._at_once is None or len(self._running) < self._at_once

    def _begin(self) -> bool:
        """Hand over the next job; whether there was one that need not wait for others."""
        needed = max(self._known_of_all, (len(self._jobs) + 1) // 2)
        if not self._waiting or needed >= len(self._known):
            return False
        known, subject = self._known[needed], self._waiting.popleft()
        checks = tuple(
            check for check in subject.checks if subject.stored or known.asks(check, subject.number)
        )
        if checks:
            subject = dataclasses.replace(subject, checks=checks)
            file = self._folder / f"{len(self._jobs)}.answers"
            job = _Job(subject, file)
            self._jobs.append(job)
            future = self._executor.submit(ask_about, self._find, self._asked, subject, known, file)
            self._running[future] = job
        return True

    def _look(self) -> None:
        """Tell what jobs have said, and add what is whole."""
        ended = wait(self._running, timeout=_GLANCE, return_when=FIRST_COMPLETED).done
        for job in self._running.values():
            self._tell(job, job.heard.more())
        for future in ended:
            job, error = self._running.pop(future), future.exception()
            if isinstance(error, UsageError):
                raise error
            told = len(job.heard.answers)
            job.said = future.result() if error is None else job.broken_by(error)
            self._tell(job, job.said.answers[told:])
        while len(self._known) <= len(self._jobs) and (job := self._jobs[len(self._known) - 1]).said:
            self._answers.add(job.subject.number, job.said)
            self._known.append(self._answers.known)

    def _tell(self, job: _Job, answers: Sequence[Answer]) -> None:
        for answer in answers:
            self._listener.answered(self._by_name[answer.check], answer)
        if job.heard.asking:
            self._listener.began(self._by_name[job.heard.asking])

    # -- results -----------------------------------------------------------------------------------------

    def concluded(self) -> list[Result]:
        """The results, once every failure was repeated, made smaller and explained."""
        self._conclude()
        results = self._results()
        for check, result in zip(self._checks, results, strict=True):
            self._listener.ended(check, result)
        return results

    def results_so_far(self) -> list[Result]:
        """What is known of each check that has said anything, though it may be in the middle of it."""
        for job in self._jobs[len(self._known) - 1 :]:
            self._answers.add(job.subject.number, job.so_far())
        return self._results()

    def _conclude(self) -> None:
        running: dict[Future[Result], Check] = {}
        for check in self._checks:
            end = self._answers.ended(check)
            if end is None or self._answers.is_blocked(check):
                continue
            tally = self._answers.tally(check)
            if isinstance(tally.outcome, CheckFailure | Inconclusive):
                self._listener.began(check)
                stored = next((one.subject.stored for one in self._jobs if one.subject.number == end), None)
                shrink = self._asked.shrink and not is_expected(self._expected, check)
                running[
                    self._executor.submit(
                        conclude,
                        self._find,
                        dataclasses.replace(self._asked, shrink=shrink),
                        Subject(end, (check,), stored),
                        tally,
                    )
                ] = check
        for future in as_completed(running):
            if future.exception() is None:  # or else it stays as it is: it has been seen to fail
                self._concluded[running[future].name] = future.result()

    def _results(self) -> list[Result]:
        """Of each check what is known, in their order; nothing of one of which that is nothing yet."""
        results: dict[str, Result] = {}
        for check in self._checks:
            verdicts = {name: result.verdict for name, result in results.items()}
            if causes := blocked_by(check.name, verdicts):
                result = blocked(check.name, str(check.level), check.promise, causes)
            elif check.name in self._concluded:
                result = self._concluded[check.name]
            else:
                tally = self._answers.tally(check)
                if not self._answers.is_whole(check) and not tally.counted:
                    continue
                result = judge(check, tally, tally.outcome, tally.seconds)
            (marked,) = mark_expected([result], self._expected)
            if marked.verdict is Verdict.STALE and not self._answers.is_whole(check):
                continue  # it may fail yet
            results[check.name] = marked
        return list(results.values())

# SPDX-License-Identifier: MIT
"""Runs checks on any executor: in this process, in a pool of workers, or on other machines.

Breadth first: a job is a program, on which every check is run that is ready. All of them share its
experiment, which is gone with the job, and the first program shows what is wrong with most broken agents.
"""

from __future__ import annotations

import dataclasses
from concurrent.futures import as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from verification.errors import CheckFailure, Inconclusive
from verification.expected_failures.entries import is_expected
from verification.processes.parcel import refuse_while_defining
from verification.processes.temporary_folders import temporary_folder
from verification.report.model import Result, Verdict
from verification.report.verdicts import blocked, blocked_by, mark_expected
from verification.running.jobs import RunOptions, Task, conclude
from verification.running.judging import judge
from verification.running.rounds import Listener, Rounds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Executor

    from verification.checks.registry import Check
    from verification.expected_failures.entries import Expectation
    from verification.running.places import Finder


class Interrupted(KeyboardInterrupt):
    """A run was interrupted.

    Attributes:
        results: of each check of which anything was known.
    """

    def __init__(self, results: list[Result]) -> None:
        super().__init__()
        self.results = results


def run_checks(
    find: Finder,
    checks: Sequence[Check],
    options: RunOptions,
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
        options: how.
        expected: failures that are excused.
        executor: does the jobs.
        at_once: how many are handed over before one is done; by default as many as can be.
        listener: hears what goes on.

    Raises:
        UsageError: if a worker cannot find the adapter.
        Interrupted: by Ctrl-C, in the place of ``KeyboardInterrupt``.
    """
    refuse_while_defining()
    listener = listener or Listener()
    with temporary_folder() as folder:
        rounds = Rounds(
            find,
            checks,
            options,
            executor=executor,
            at_once=at_once,
            listener=listener,
            folder=Path(folder),
        )
        run = _Conclusions(find, checks, options, expected, rounds)
        try:
            rounds.run()
            run.conclude(executor, listener)
            results = run.results()
            for check, result in zip(checks, results, strict=True):
                listener.ended(check, result)
        except KeyboardInterrupt:
            rounds.give_up()
            raise Interrupted(run.results()) from None
    return results


@dataclasses.dataclass
class _Conclusions:
    """What is made of the runs: failures are concluded, and every check gets its verdict."""

    find: Finder
    checks: Sequence[Check]
    options: RunOptions
    expected: Mapping[str, Expectation]
    rounds: Rounds
    concluded: dict[str, Result] = dataclasses.field(default_factory=dict)

    def conclude(self, executor: Executor, listener: Listener) -> None:
        """Have every failure repeated, made smaller and explained."""
        history, running = self.rounds.history, {}
        for check in self.checks:
            end = history.ended(check)
            tally = history.tally(check)
            if end is None or not isinstance(tally.outcome, CheckFailure | Inconclusive):
                continue
            listener.began(check)
            shrink = self.options.shrink and not is_expected(self.expected, check)
            options = dataclasses.replace(self.options, shrink=shrink)
            task = Task(end, (check,), self.rounds.stored.get(end))
            running[executor.submit(conclude, self.find, options, task, tally)] = check.name
        for future in as_completed(running):
            if future.exception() is None:  # or else it stays as it is: it has been seen to fail
                self.concluded[running[future]] = future.result()

    def results(self) -> list[Result]:
        """The results in the order of the checks, without those of which nothing is known yet."""
        history = self.rounds.history
        results: dict[str, Result] = {}
        for check in self.checks:
            verdicts = {name: result.verdict for name, result in results.items()}
            if causes := blocked_by(check.name, verdicts):
                results[check.name] = blocked(check.name, str(check.level), check.promise, causes)
                continue
            tally = history.tally(check)
            result = self.concluded.get(check.name) or judge(check, tally, tally.outcome, tally.seconds)
            (marked,) = mark_expected([result], self.expected)
            if history.is_whole(check) or (tally.counted and marked.verdict is not Verdict.STALE):
                results[check.name] = marked
        return list(results.values())

# SPDX-License-Identifier: MIT
"""Runs checks on any executor: in this process, in a pool of workers, or on other machines."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verification.checks.registry import all_checks
from verification.errors import UsageError
from verification.expected_failures.entries import is_expected
from verification.processes.parcel import refuse_while_defining
from verification.processes.worker import WorkerDied
from verification.report.model import Result, Verdict
from verification.report.verdicts import blocked, established_before, mark_expected
from verification.running.property import run_check
from verification.running.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor, Future

    from verification.checks.registry import Check
    from verification.counterexamples.store import FailureStore
    from verification.expected_failures.entries import Expectation
    from verification.running.places import Finder
    from verification.shard import Shard

# Checks set the process's generators and flags: threads of one process have to take turns. A check may ask
# another one, where building an adapter does.
_turn = threading.RLock()


@dataclass(frozen=True)
class Asked:
    """How the checks are asked.

    Attributes:
        seed: draws the examples, the same for every check, wherever it runs.
        examples: experiments a check.
        shrink: whether smaller failures are looked for.
        store: keeps failing programs.
        horizon: how far is looked before a checkpoint and after it; by default the adapter's own.
        shard: of whose share of the examples is asked; by default of all.
    """

    seed: int
    examples: int
    shrink: bool = True
    store: FailureStore | None = None
    horizon: int | None = None
    shard: Shard | None = None


def run_checks(
    find: Finder,
    checks: Sequence[Check],
    asked: Asked,
    *,
    expected: Mapping[str, Expectation],
    executor: Executor,
    at_once: int | None = None,
    progress: Callable[[Check, Result | None], None] | None = None,
) -> list[Result]:
    """Run ``checks``; their results come in the same order.

    Args:
        find: finds the adapter where a check runs.
        checks: with the prerequisites that give them meaning.
        asked: how.
        expected: failures that are excused.
        executor: runs them.
        at_once: how many are handed over before one is done; by default as many as can be.
        progress: called before each check with ``None``, and after it with its result.

    Raises:
        UsageError: if a worker cannot find the adapter.
    """
    refuse_while_defining()
    schedule = Schedule(checks)
    results: dict[str, Result] = {}
    running: dict[Future[Result], Check] = {}

    def finish(check: Check, result: Result) -> None:
        (marked,) = mark_expected([result], expected)
        results[check.name] = marked
        schedule.done(check, marked.verdict)
        if progress:
            progress(check, marked)

    while schedule.is_active():
        while (at_once is None or len(running) < at_once) and (check := schedule.next()):
            if progress:
                progress(check, None)
            if causes := schedule.blocked_by(check):
                finish(check, blocked(check.name, str(check.level), check.promise, causes))
            else:
                shrink = asked.shrink and not is_expected(expected, check)
                known = established_before(check.name, results.values())
                future = executor.submit(_ask, find, check.name, asked, known, shrink=shrink)
                running[future] = check
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            check = running.pop(future)
            finish(check, _result(check, future.exception() or future.result()))
    return [results[check.name] for check in checks]


def _ask(find: Finder, name: str, asked: Asked, known: tuple[str, ...], *, shrink: bool) -> Result:
    """What a worker does; ``known`` are paths of losses that other checks have told of."""
    with _turn:
        check = all_checks()[name]
        if asked.shard:  # another one may have the example that counts
            check = dataclasses.replace(check, never_counted="")
        return run_check(
            find(),
            check,
            examples=asked.examples,
            seed=asked.seed,
            shrink=shrink,
            store=asked.store,
            established=known,
            horizon=asked.horizon,
            shard=asked.shard,
        )


def _result(check: Check, outcome: Result | BaseException) -> Result:
    match outcome:
        case Result():
            return outcome
        case UsageError():
            raise outcome
        case WorkerDied():
            sentence = str(outcome)
        case _:
            sentence = f"{type(outcome).__name__}: {outcome}"
    # A missing result must not pass for a good one.
    return Result(check.name, str(check.level), check.promise, Verdict.ERROR, sentence)

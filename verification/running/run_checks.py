# SPDX-License-Identifier: MIT
"""Runs checks on any executor: in this process, in a pool of workers, or on other machines."""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from verification.adapters.find import load_adapter
from verification.checks.registry import all_checks
from verification.errors import NotPortable, UsageError
from verification.expected_failures.entries import is_expected
from verification.processes.parcel import Parcel, pack, refuse_while_defining
from verification.processes.pool import ThisProcess, WorkerPool
from verification.processes.worker import WorkerDied
from verification.report.model import Result, Verdict
from verification.report.verdicts import blocked, mark_expected
from verification.running.property import run_check
from verification.running.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from verification.adapter import Adapter
    from verification.checks.registry import Check
    from verification.counterexamples.store import FailureStore
    from verification.expected_failures.entries import Expectation

    #: Finds an adapter; pickles, where another process has to find it.
    Finder = Callable[[], Adapter]

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
    """

    seed: int
    examples: int
    shrink: bool = True
    store: FailureStore | None = None


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
                future = executor.submit(_ask, find, check.name, asked, shrink=shrink)
                running[future] = check
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            check = running.pop(future)
            finish(check, _result(check, future.exception() or future.result()))
    return [results[check.name] for check in checks]


def _ask(find: Finder, name: str, asked: Asked, *, shrink: bool) -> Result:
    """What a worker does."""
    with _turn:
        check = all_checks()[name]
        return run_check(
            find(), check, examples=asked.examples, seed=asked.seed, shrink=shrink, store=asked.store
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


# -- where an adapter is found -------------------------------------------------------------------------------


@functools.cache
def _load(target: str) -> Adapter:
    return load_adapter(target)


@functools.cache
def _open(parcel: Parcel) -> Adapter:
    adapter: Adapter = parcel.open()
    return adapter


def by_target(target: str) -> Finder:
    """The adapter of this name, the same object for all checks of a process."""
    return functools.partial(_load, target)


# What exists only in this process and in copies of it.
_held: dict[int, Adapter] = {}
_numbers = itertools.count()


@functools.cache
def _inherit(number: int) -> Adapter:
    torch.set_num_threads(1)  # those of the process that this is a copy of were not copied
    try:
        torch.zeros(1, requires_grad=True).sum().backward()
    except RuntimeError as error:
        raise NotPortable(
            "copies of a process that has used a GPU cannot train, and nothing else can make "
            f"{type(_held[number]).__name__} again ({error}); put it into a module of its own"
        ) from None
    return _held[number]


@contextlib.contextmanager
def place_for(adapter: Adapter, workers: int | Executor) -> Iterator[tuple[Finder, Executor, int | None]]:
    """Where checks of ``adapter`` run: how it is found there, the executor, and how many run at once.

    Raises:
        NotPortable: if the executor is the caller's, and the adapter exists only in this process.
    """
    if isinstance(workers, Executor):
        yield functools.partial(_open, pack(adapter)), workers, None
    elif workers == 1:
        yield (lambda: adapter), ThisProcess(), 1
    else:
        with _held_for_copies(adapter) as inherit:
            find = inherit
            with contextlib.suppress(NotPortable):
                find = functools.partial(_open, pack(adapter))
            with WorkerPool(workers, fork=find is inherit) as pool:
                yield find, pool, workers


@contextlib.contextmanager
def _held_for_copies(adapter: Adapter) -> Iterator[Finder]:
    number = next(_numbers)
    _held[number] = adapter
    try:
        yield functools.partial(_inherit, number)
    finally:
        del _held[number]

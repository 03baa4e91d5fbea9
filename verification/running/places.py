# SPDX-License-Identifier: MIT
"""Where checks run, and how the adapter is found there: it may be no more than an object of this process."""

from __future__ import annotations

import contextlib
import functools
import itertools
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import torch

from verification.adapters.find import load_adapter
from verification.errors import NotPortable
from verification.processes.parcel import Parcel, pack
from verification.processes.pool import ThisProcess, WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verification.adapter import Adapter

    #: Finds an adapter, the same object for all checks of a process; pickles, where another one has to.
    Finder = Callable[[], Adapter]


@functools.cache
def _load(target: str) -> Adapter:
    return load_adapter(target)


@functools.cache
def _open(parcel: Parcel) -> Adapter:
    adapter: Adapter = parcel.open()
    return adapter


def by_target(target: str) -> Finder:
    """The adapter of this name."""
    return functools.partial(_load, target)


# What exists only in this process and in copies of it.
_held: dict[int, Adapter] = {}
_numbers = itertools.count()


@functools.cache
def _inherit(number: int) -> Adapter:
    torch.set_num_threads(1)  # those of the process that this is a copy of were not copied
    try:
        torch.zeros(1, requires_grad=True).sum().backward()  # type: ignore[no-untyped-call]
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

# SPDX-License-Identifier: MIT
"""Keeps interrupts from leaving things half-done: signals wait for the end of a change; cleanups are sure.

Ctrl-C and its like become exceptions between any two instructions of the main thread. Where only the whole
counts, they are held back. Other exceptions that come from outside, such as those of a tracer or another
thread, cannot be; what must happen nevertheless is done again after them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

#: Those that ask a process to stop. A timer is not held back: it is there to end what takes too long.
_SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGBREAK")
    if hasattr(signal, name)
]

_handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
_received: list[tuple[int, Callable[[], Any]]] = []


@contextmanager
def held_back() -> Iterator[None]:
    """Call the Python handlers of signals that ask to stop when the block has ended, not in the middle of it.

    The second signal of a kind is not held back, so that a block that never ends can be ended. Only the main
    thread gets signals; elsewhere, and inside another such block, this does nothing.
    """
    if _handlers or threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        with surely(_put_back):
            _take_over()
            yield
    finally:
        _deliver()


def _take_over() -> None:
    for number in _SIGNALS:
        handler = signal.getsignal(number)
        if callable(handler):
            _handlers[number] = handler
            signal.signal(number, _receive)


def _put_back() -> None:
    while _handlers:
        number, handler = next(iter(_handlers.items()))
        if signal.getsignal(number) is _receive:
            signal.signal(number, handler)
        del _handlers[number]


def _receive(number: int, frame: FrameType | None) -> None:
    again = number in [other for other, _ in _received]
    _received.append((number, partial(_handlers.get(number, signal.default_int_handler), number, frame)))
    if again:
        _deliver()


def _deliver() -> None:
    """Call every handler that waits, also if one of them raises."""
    if _received:
        _, handle = _received.pop(0)
        try:
            handle()
        finally:
            _deliver()


def completed(work: Callable[[], None]) -> None:
    """Do ``work``, all of it again should an exception come in the middle, which then goes on its way."""
    try:
        work()
    except BaseException:
        work()
        raise


@contextmanager
def surely(cleanup: Callable[[], object]) -> Iterator[None]:
    """Do ``cleanup`` when the block has ended, also if an exception comes just before or in the middle of it.

    What ``with`` and ``finally`` do can be kept from it by an exception that comes from outside. Here it is
    done once more then, and by the end of this generator if the block's exit is skipped. So it has to be
    something that done twice is as if done once.
    """
    try:
        try:
            yield
        finally:
            cleanup()
    except BaseException:
        cleanup()
        raise


@contextmanager
def uncovered() -> Iterator[None]:
    """Let an interrupt go on its way that an error covers, which was raised because of it."""
    outside = sys.exception()
    try:
        yield
    except Exception as error:
        behind: BaseException | None = error
        while behind is not None and behind is not outside:
            if not isinstance(behind, Exception):
                raise behind from None
            behind = behind.__context__
        raise


def _forget_signals() -> None:
    """What the parent has received is not for a forked process, and the block may never end there."""
    _put_back()
    _received.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_signals)

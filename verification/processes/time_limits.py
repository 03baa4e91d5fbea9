# SPDX-License-Identifier: MIT
"""Time limits: an operation that never returns ends in an error, not in a run that never ends."""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import gc
import math
import signal
import sys
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import types
    from collections.abc import Iterator, Sequence
    from pathlib import Path

#: Seconds for one operation of an adapter that does not say how long its operations may take.
DEFAULT = 60.0

_last_words: IO[str] | None = None
# Seconds to the next interruption: the first is lost if it comes in the middle of a finalizer.
_AGAIN = 1.0
# The module that Python imports others with.
_IMPORTING = "importlib._bootstrap"


class TimeIsUp(BaseException):
    """An operation took longer than its limit; no ``Exception``, which the agent could swallow.

    Attributes:
        importing: the modules that it was importing, the outermost first.
    """

    def __init__(self, importing: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.importing = importing


@contextlib.contextmanager
def limited(seconds: float, operation: str) -> Iterator[None]:
    """Raise :class:`TimeIsUp` in what is run inside once it has taken longer than ``seconds``.

    The limit is a timer signal, so it does nothing where there are none (Windows), outside the main thread,
    and in code that does not return to the interpreter; see :func:`end_process_when_stuck`. The timer and the
    handler that were there before are put back; a timer that is due earlier is left in charge.
    """
    with _recorded(operation, seconds):
        if not _can_limit(seconds):
            yield
            return
        already = len(_imports(sys._getframe()))  # noqa: SLF001 - as the handler is given one
        handler = signal.signal(signal.SIGALRM, functools.partial(_raise, already))
        before, _ = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
        started = time.monotonic()
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, handler)
            if before:
                left = before - (time.monotonic() - started)
                signal.setitimer(signal.ITIMER_REAL, max(left, 1e-6))


def _can_limit(seconds: float) -> bool:
    if not hasattr(signal, "setitimer") or math.isinf(seconds):
        return False
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGALRM) is None:
        return False  # only the main thread gets signals; a handler that C installed cannot be put back
    due, _ = signal.getitimer(signal.ITIMER_REAL)
    return not 0 < due <= seconds


def _raise(already: int, _signal: int, frame: types.FrameType | None) -> None:
    importing = _imports(frame)[already:]
    callbacks = [getattr(one, "__code__", None) for one in gc.callbacks]
    while frame is not None:
        if frame.f_code in callbacks:
            # What a callback of the garbage collector raises, or what it has called, is lost.
            signal.setitimer(signal.ITIMER_REAL, 0.01, _AGAIN)
            return
        frame = frame.f_back
    raise TimeIsUp(importing)


def _imports(frame: types.FrameType | None) -> tuple[str, ...]:
    """The modules that are being imported, the outermost first."""
    found: list[str] = []
    while frame is not None:
        if frame.f_code.co_name == "_find_and_load" and frame.f_globals.get("__name__") == _IMPORTING:
            found.insert(0, str(frame.f_locals.get("name", "")))
        frame = frame.f_back
    return tuple(found)


# -- operations that do not return to the interpreter ------------------------------------------------------


def end_process_when_stuck(file: Path) -> None:
    """From now on end this process once an operation is half as long again over its limit.

    It is for processes that somebody can do without. ``file`` says at any time which operation is going on,
    and in the end where it was stuck; :func:`last_words` reads it.
    """
    global _last_words  # noqa: PLW0603 - there is one process to end
    _last_words = file.open("w+", encoding="utf-8")


def keep_process_when_stuck() -> None:
    """Leave this process alone from now on: a copy of one that is to end when stuck."""
    global _last_words  # noqa: PLW0603 - as above
    _last_words = None


@contextlib.contextmanager
def _recorded(operation: str, seconds: float) -> Iterator[None]:
    file = _last_words
    if file is None:
        yield
        return
    file.write(f"{operation} {seconds:g}\n")
    file.flush()
    if not math.isinf(seconds):
        faulthandler.dump_traceback_later(1.5 * seconds + 1, exit=True, file=file)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        file.seek(0)
        file.truncate()


@dataclass(frozen=True)
class LastWords:
    """What a process was doing when it ended.

    Attributes:
        operation: the operation, if one was going on.
        seconds: its limit.
        stuck: whether it outlived its limit, and the process ended for that.
    """

    operation: str = ""
    seconds: float = 0.0
    stuck: bool = False

    def __str__(self) -> str:
        if self.stuck:
            return over_limit(self.operation, self.seconds)
        if self.operation:
            return f"{self.operation} was running when its process died"
        return "no result: its process died, or the run was interrupted"


def last_words(file: Path) -> LastWords:
    """What the process that was given this file to :func:`end_process_when_stuck` did in the end."""
    try:
        first, _, rest = file.read_text(encoding="utf-8", errors="replace").partition("\n")
    except OSError:
        return LastWords()
    operation, _, seconds = first.rpartition(" ")
    return LastWords(operation, float(seconds or 0), rest.startswith("Timeout"))


def over_limit(operation: str, seconds: float, importing: Sequence[str] = ()) -> str:
    """What is said of an operation that took too long, and was importing modules when its time was up."""
    if importing:
        return (
            f"{operation} was still importing {importing[0]} after {seconds:g} s; import it at the top "
            "of the adapter's module, where no time is taken, or give it a larger time_limit, in seconds"
        )
    return (
        f"{operation} did not return within {seconds:g} s; "
        "if it needs longer, give the adapter a larger time_limit, in seconds"
    )

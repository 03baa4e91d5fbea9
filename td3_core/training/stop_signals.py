# SPDX-License-Identifier: MIT
"""Signals that ask a training run to stop: from a keyboard, a closing terminal, or a scheduler.

Imports nothing but the standard library, so that signals can be taken over before what takes seconds.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType, TracebackType

#: Ctrl-C; what schedulers send before the end (Slurm lets users choose SIGUSR1); a terminal that closes; and
#: the end of the CPU time that a process was given.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGXCPU")


#: What is said where a signal comes too early.
NOTHING_TO_SAVE = "Stopped before the first step; there was nothing to save."


class StopSignals:
    """Turns a signal into a wish to stop. While modules are being imported, it ends the process at once.

    One that the program was started to ignore stays ignored, as under ``nohup``. A second Ctrl-C acts at
    once. Schedulers repeat themselves, so a second signal of another kind changes nothing.

    Attributes:
        received: The number of the first signal that came, or None.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._importing = True
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def everything_is_imported(self) -> None:
        """From now on, a signal is only noted, in `received`."""
        self._importing = False

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self._importing:
            # No exception: a module may catch it, and the C++ of torch aborts on one.
            _tell(NOTHING_TO_SAVE)
            os._exit(128 + number)
        if self.received is None:
            self.received = number
        elif number == signal.SIGINT:
            _tell("Stopped at once, without saving.")
            raise SystemExit(128 + number)


def _tell(sentence: str) -> None:
    # Not print, which must not be called while it is being called.
    with suppress(OSError):  # nobody may read it any more
        os.write(2, f"{sentence}\n".encode())

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


class StopSignals:
    """Turns a signal into a wish to stop. Until there is something to save, it stops the program at once.

    One that the program was started to ignore stays ignored, as under ``nohup``. A second Ctrl-C acts at
    once. Schedulers repeat themselves, so a second signal of another kind changes nothing.

    Attributes:
        received: The number of the first signal that came, or None.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._something_to_save = False
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

    def wait_for_save(self) -> None:
        """From now on, a signal is only noted: there is something to save first."""
        self._something_to_save = True

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        first = self.received is None
        if first:
            self.received = number
        if not self._something_to_save:
            _stop(number, "Stopped before the first step; there was nothing to save.")
        if not first and number == signal.SIGINT:
            _stop(number, "Stopped at once, without saving.")


def _stop(number: int, sentence: str) -> None:
    # Not print, which must not be called while it is being called.
    with suppress(OSError):  # nobody may read it any more
        os.write(2, f"{sentence}\n".encode())
    raise SystemExit(128 + number)

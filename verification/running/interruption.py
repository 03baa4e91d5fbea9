# SPDX-License-Identifier: MIT
"""A run that is interrupted ends at once, and what is known until then is reported."""

from __future__ import annotations

import contextlib
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import types
    from collections.abc import Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Interruption:
    """Whether a run was interrupted.

    Attributes:
        signal: by which signal; 0 if by none.
    """

    signal: int = 0

    @property
    def exit_code(self) -> int:
        """With which a command ends that a signal has ended."""
        return 128 + self.signal


@contextlib.contextmanager
def interruptible() -> Iterator[Interruption]:
    """Raise ``KeyboardInterrupt`` for the first Ctrl-C or termination; a second one does what it would.

    Outside the main thread, which alone can handle signals, this does nothing.
    """
    interruption = Interruption()

    def stop(number: int, _frame: types.FrameType | None) -> None:
        interruption.signal = number
        restore()
        raise KeyboardInterrupt

    def restore() -> None:
        for one, handler in former.items():
            signal.signal(one, handler)

    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    former = {one: signal.signal(one, stop) for one in _SIGNALS}
    try:
        yield interruption
    finally:
        restore()

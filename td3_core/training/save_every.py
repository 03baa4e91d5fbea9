# SPDX-License-Identifier: MIT
"""How often a run is saved on its way: after so many steps, or after so many minutes."""

from __future__ import annotations

import re
import time


class SaveEvery:
    """When a run is to be saved: each time that a number of steps is done, or minutes have passed.

    Args:
        text: ``"1000"`` for steps, ``"5m"`` for minutes, ``"0"`` for never.

    Raises:
        ValueError: ``text`` is none of these.
    """

    def __init__(self, text: str) -> None:
        if not re.fullmatch(r"[0-9]{1,18}|[0-9]{1,9}(\.[0-9]{1,9})?m", text):
            raise ValueError(f"{text!r} is neither a number of steps nor, as 5m, one of minutes")
        self._seconds = 60 * float(text[:-1]) if text.endswith("m") else None
        self._steps = 0 if text.endswith("m") else int(text)
        self._saved = time.monotonic()

    def is_due(self, steps: int) -> bool:
        """Whether to save after this step of the run."""
        if self._seconds is not None:
            return time.monotonic() - self._saved >= self._seconds
        return self._steps > 0 and steps % self._steps == 0

    def was_saved(self) -> None:
        """Begin to count minutes anew."""
        self._saved = time.monotonic()

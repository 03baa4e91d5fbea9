# SPDX-License-Identifier: MIT
"""A standard output that may go away: what is asked is answered all the same, and files are written."""

from __future__ import annotations

import contextlib
import os
from typing import IO, Any


class Lasting:
    """A stream that swallows what can no longer be written, as behind ``| head`` or on a full disk.

    Args:
        stream: where the text goes as long as that is possible.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, or nothing; returns its length."""
        try:
            self._stream.write(text)
        except (OSError, ValueError) as error:
            self._end(error)
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._end(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _end(self, error: Exception) -> None:
        """Let nothing that is still buffered fail at the end of the process."""
        if isinstance(error, UnicodeError):
            raise error
        with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), self._stream.fileno())

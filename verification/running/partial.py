# SPDX-License-Identifier: MIT
"""What a job has said before it has ended: in a file, which is read while it is written.

Where a worker dies, or a run is interrupted, that is all there is of the job. A worker on another machine,
which has no such folder, tells everything at its end.
"""

from __future__ import annotations

import contextlib
import pickle
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from verification.checks.registry import Check
    from verification.running.asking import Answer


class Telling:
    """Writes what is said, at once."""

    def __init__(self, file: Path) -> None:
        self._opened: IO[bytes] | None = None
        with contextlib.suppress(OSError):
            self._opened = file.open("ab")

    def began(self, check: Check) -> None:
        """A check is asked now."""
        self._write(check.name)

    def answered(self, answer: Answer) -> None:
        """It has answered."""
        self._write(answer)

    def _write(self, entry: str | Answer) -> None:
        if self._opened is not None:
            pickle.dump(entry, self._opened)
            self._opened.flush()

    def __enter__(self) -> Telling:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._opened is not None:
            self._opened.close()


class Heard:
    """Reads it.

    Attributes:
        answers: so far.
        asking: the name of the check that is asked now; empty if none is.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = 0
        self.answers: list[Answer] = []
        self.asking: str = ""

    def more(self) -> list[Answer]:
        """What was answered since the last time."""
        known = len(self.answers)
        with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError), self._file.open("rb") as opened:
            opened.seek(self._read)
            while True:
                entry: str | Answer = pickle.load(opened)  # noqa: S301 - our own bytes
                self._read = opened.tell()
                if isinstance(entry, str):
                    self.asking = entry
                else:
                    self.asking = ""
                    self.answers.append(entry)
        return self.answers[known:]

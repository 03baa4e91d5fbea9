# SPDX-License-Identifier: MIT
"""What has come of a job before it has ended: in a file, which is read while it is written.

Where a worker dies, or a run is interrupted, that is all there is of the job. A worker on another machine,
which has no such folder, sends everything at its end.
"""

from __future__ import annotations

import contextlib
import pickle
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from verification.checks.registry import Check
    from verification.running.check_run import CheckRun


class PartialWriter:
    """Writes what comes of each check, at once."""

    def __init__(self, file: Path) -> None:
        self._opened: IO[bytes] | None = None
        with contextlib.suppress(OSError):
            self._opened = file.open("ab")

    def began(self, check: Check) -> None:
        """A check is run now."""
        self._write(check.name)

    def ended(self, run: CheckRun) -> None:
        """It has been run."""
        self._write(run)

    def _write(self, entry: str | CheckRun) -> None:
        if self._opened is not None:
            pickle.dump(entry, self._opened)
            self._opened.flush()

    def __enter__(self) -> PartialWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._opened is not None:
            self._opened.close()


class PartialReader:
    """Reads it.

    Attributes:
        runs: so far.
        running: the name of the check that is run now; empty if none is.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = 0
        self.runs: list[CheckRun] = []
        self.running: str = ""

    def more(self) -> list[CheckRun]:
        """What was run since the last time."""
        known = len(self.runs)
        with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError), self._file.open("rb") as opened:
            opened.seek(self._read)
            while True:
                entry: str | CheckRun = pickle.load(opened)  # noqa: S301 - our own bytes
                self._read = opened.tell()
                if isinstance(entry, str):
                    self.running = entry
                else:
                    self.running = ""
                    self.runs.append(entry)
        return self.runs[known:]

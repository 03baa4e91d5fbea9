# SPDX-License-Identifier: MIT
"""Temporary folders that are gone at the latest with the next run, also if a process was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX = "verify-"
_LOCK = "in-use"


#: The folder that holds all others of a process, with the lock that ends with it; by process and parent.
#: A copy of a process keeps those of the first, and leaves them alone.
_homes: dict[tuple[int, str], tuple[tempfile.TemporaryDirectory[str], FileLock]] = {}


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A new temporary folder, to be used in a ``with`` or kept, and cleaned up."""
    return tempfile.TemporaryDirectory(prefix=_PREFIX, dir=_of_this_process())


def _of_this_process() -> str:
    parent = tempfile.gettempdir()  # of a worker, in the folder of whoever started it
    key = os.getpid(), parent
    if key not in _homes:
        _remove_leftovers(Path(parent))
        home = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
        _homes[key] = home, _lock(Path(home.name))
    return _homes[key][0].name


def _lock(folder: Path) -> FileLock:
    """Hold a folder until this process ends, however it does."""
    new = folder / "new"
    lock = FileLock(new)
    lock.acquire()
    new.rename(folder / _LOCK)  # so that nobody ever sees one that is not held yet
    return lock


def _remove_leftovers(parent: Path) -> None:
    """Remove the folders of processes that have ended without it."""
    for held in parent.glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            with FileLock(held, timeout=0):
                shutil.rmtree(held.parent, ignore_errors=True)
        except (Timeout, OSError):  # in use, or somebody else's
            continue

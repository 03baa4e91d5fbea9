# SPDX-License-Identifier: MIT
"""Temporary folders that are gone at the latest with the next run, also if a process was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:
    _LOCKS = False  # on Windows, where nothing that is left behind is removed
else:
    _LOCKS = True

if TYPE_CHECKING:
    from typing import BinaryIO

_PREFIX = "verify-"
_LOCK = "in-use"


#: The folder that holds all others of a process, with the file that is locked until it ends; by process and
#: parent. A copy of a process keeps those of the first, and leaves them alone.
_homes: dict[tuple[int, str], tuple[tempfile.TemporaryDirectory[str], BinaryIO]] = {}


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A new temporary folder, to be used in a ``with`` or kept, and cleaned up."""
    return tempfile.TemporaryDirectory(prefix=_PREFIX, dir=_of_this_process())


def _of_this_process() -> str:
    parent = tempfile.gettempdir()  # of a worker, in the folder of whoever started it
    key = os.getpid(), parent
    if key not in _homes:
        _remove_leftovers(Path(parent))
        home = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
        _homes[key] = home, _held(Path(home.name))
    return _homes[key][0].name


# Not with filelock: each call of id(), of which walks make millions, would ask what it installs about forks.
def _held(folder: Path) -> BinaryIO:
    """Hold a folder until this process ends, however it does."""
    file = open(folder / "new", "xb")  # noqa: SIM115 - open as long as the process lives
    if _LOCKS:
        with suppress(OSError):  # where there are no locks, nobody can lock and remove it either
            fcntl.flock(file, fcntl.LOCK_EX)
        (folder / "new").rename(folder / _LOCK)  # so that nobody ever sees one that is not held yet
    return file


def _remove_leftovers(parent: Path) -> None:
    """Remove the folders of processes that have ended without it."""
    if not _LOCKS:
        return
    for held in parent.glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError), open(held, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises OSError while it is in use
            shutil.rmtree(held.parent, ignore_errors=True)

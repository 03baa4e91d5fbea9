# SPDX-License-Identifier: MIT
"""Replaces a file all at once: whoever opens the path, at any moment, finds the old file or the new one.

What is written has a name such as ``.agent.pth.<32 digits>.td3_core.tmp`` meanwhile, and a lock, which ends
with the process that holds it. So what a killed process left behind can be told from what another process or
thread is writing.
"""

from __future__ import annotations

import os
import re
import stat
import uuid
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from td3_core.interrupts import surely

try:
    import fcntl
except ImportError:
    _LOCKS = False  # on Windows, where nothing that is left behind is removed
else:
    _LOCKS = True

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUFFER = 64 * 1024  # bytes; archives come in many small pieces
_LONGEST_NAME = 50  # characters of the file's own name, so that the temporary one is not too long
_TEMPORARY = re.compile(rf"\..{{1,{_LONGEST_NAME}}}\.[0-9a-f]{{32}}\.td3_core\.tmp", re.DOTALL)

_being_written: set[BinaryIO] = set()


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which becomes ``path`` when the block ends and vanishes when it raises.

    The new file has reached the disk before it gets its name, and the name before the block returns. An
    existing file passes on its mode and, where that is allowed, its owner; a link stays a link, and what it
    points to is replaced. Missing folders are made. What killed processes have left in the folder is removed
    first. Raises OSError.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    before = target.stat() if target.exists() else None
    if before is not None and not stat.S_ISREG(before.st_mode):
        raise OSError("Is a directory" if target.is_dir() else "it is not a regular file")
    _remove_abandoned(target.parent)
    # In the same folder, because only there a file can be renamed at once.
    temporary = target.with_name(f".{target.name[:_LONGEST_NAME]}.{uuid.uuid4().hex}.td3_core.tmp")
    with surely(partial(_remove, temporary)), _created(temporary) as file:
        with surely(partial(_being_written.discard, file)):
            _being_written.add(file)
            if before is not None and hasattr(os, "fchmod"):
                with suppress(OSError):
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        if not _LOCKS:
            file.close()  # Windows renames no open file
        os.replace(temporary, target)  # before the lock ends, or it would look abandoned
    sync_folder(target.parent)


def _created(path: Path) -> BinaryIO:
    """A new file, locked for as long as it is open."""
    while True:
        file = open(path, "xb", buffering=_BUFFER)  # noqa: SIM115  # the caller's
        if not _LOCKS:
            return file
        with suppress(OSError):  # where there are no locks, nobody can lock and remove it either
            fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists():
            return file
        file.close()  # another process took it for abandoned before it was locked


def _remove_abandoned(folder: Path) -> None:
    """Remove the temporary files of this project that nobody writes; one that cannot be removed stays."""
    if not _LOCKS:
        return
    for name in filter(_TEMPORARY.fullmatch, os.listdir(folder)):
        with suppress(OSError):
            descriptor = os.open(folder / name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(descriptor, "rb", buffering=0) as file:
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises OSError while it is written
                    os.unlink(folder / name)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut, where the system lets folders be opened."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _let_go() -> None:
    """A forked process writes nothing of what its parent writes: it must not hold the lock either."""
    if _being_written:
        nothing = os.open(os.devnull, os.O_WRONLY)
        for file in _being_written:
            os.dup2(nothing, file.fileno(), inheritable=False)
        os.close(nothing)
        _being_written.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)

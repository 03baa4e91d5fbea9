# SPDX-License-Identifier: MIT
"""The folder of a run's checkpoints and segments: taking turns in it, and removing segments nobody names."""

from __future__ import annotations

import mmap
import os
import re
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from td3_core.interrupts import surely
from td3_core.training.segments import FOLDER, NAME

try:
    import fcntl
except ImportError:
    _LOCKS = False  # on Windows, where two processes must not save runs into one folder
else:
    _LOCKS = True

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME_IN_BYTES = re.compile(NAME.pattern.encode())

#: The segments that files name, and how those files were when they were searched.
_searched: dict[Path, tuple[tuple[int, ...], frozenset[str]]] = {}


def folder_of(path: str | os.PathLike[str]) -> Path:
    """The folder beside whose checkpoints the segments are, wherever a link to one of them is."""
    return Path(os.path.realpath(path)).parent


@contextmanager
def undisturbed(path: str | os.PathLike[str], *, saving: bool = False) -> Iterator[None]:
    """Keep processes that save into the folder of ``path`` from those that load there, and from one another.

    Else a checkpoint could be replaced, and its segments removed, between the reading of it and of them; or
    segments be removed whose checkpoint is yet to be written.
    """
    held: list[int] = []

    def let_go() -> None:
        if held:
            with suppress(OSError):
                fcntl.flock(held[0], fcntl.LOCK_UN)  # also that of a process that was forked meanwhile
            os.close(held.pop())  # not forgotten before the lock is gone, whatever comes in between

    with surely(let_go):
        # Some network file systems have no locks; and who loads or saves will say what is wrong with a path.
        with suppress(OSError, ValueError):
            if _LOCKS:
                held.append(os.open(folder_of(path), os.O_RDONLY))
                fcntl.flock(held[0], fcntl.LOCK_EX if saving else fcntl.LOCK_SH)
        yield


def remove_unnamed(folder: Path) -> None:
    """Remove the segments in ``folder`` that no checkpoint in it names.

    None while one cannot be read, nor behind a link, where other checkpoints may be beside them.
    """
    if (folder / FOLDER).is_symlink():
        return
    try:
        present = [file for file in _files_in(folder / FOLDER) if NAME.fullmatch(f"{FOLDER}/{file.name}")]
        kept = frozenset().union(*map(_names_in, _files_in(folder))) if present else frozenset()
    except OSError:
        return
    for file in present:
        if f"{FOLDER}/{file.name}" not in kept:
            with suppress(OSError):
                file.unlink()


def signature(file: Path | int) -> tuple[int, ...]:
    """What changes when a file, or an open one, is written; nothing if there is none."""
    try:
        status = os.stat(file)
    except FileNotFoundError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _files_in(folder: Path) -> list[Path]:
    try:
        return [file for file in folder.iterdir() if file.is_file()]
    except FileNotFoundError:
        return []


def _names_in(file: Path) -> frozenset[str]:
    """The segments whose names stand anywhere in an archive, intact or not; none in other files."""
    now = signature(file)
    if file not in _searched or _searched[file][0] != now:
        _searched[file] = now, _search(file)
    return _searched[file][1]


def _search(file: Path) -> frozenset[str]:
    with file.open("rb") as archive:
        if archive.read(4) != b"PK\x03\x04":
            return frozenset()
        with mmap.mmap(archive.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return frozenset(name.decode() for name in _NAME_IN_BYTES.findall(content))

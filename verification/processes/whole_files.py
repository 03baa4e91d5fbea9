# SPDX-License-Identifier: MIT
"""Writes files that are seen whole or not at all, also where two runs write the same ones at once."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Another run may remove an empty folder before the file is in it.
_TRIES = 10


def write_whole(path: Path, text: str, *, errors: str = "strict") -> None:
    """Write a text, in UTF-8, and make the folder that it is in.

    Args:
        path: the file, which is replaced.
        text: all that is in it.
        errors: what to do with what has no UTF-8, as ``str.encode`` takes it.

    Raises:
        OSError: as writing does.
        UnicodeEncodeError: as ``errors`` says.
    """
    data = text.encode("utf-8", errors)  # before there is a file
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    for last in (*[False] * (_TRIES - 1), True):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            temporary.replace(path)
        except (FileNotFoundError, FileExistsError):  # of the folder
            if last:
                raise
        else:
            return


def remove_with_folder(path: Path) -> None:
    """Remove a file, and its folder if nothing else is in it."""
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()

# SPDX-License-Identifier: MIT
"""Rights to read and write: taken from files, and, of a process that ignores them, from the process."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def protect(directory: Path) -> None:
    """Let nobody write a folder and what is in it."""
    for place in (*directory.rglob("*"), directory):
        place.chmod(0o555 if place.is_dir() else 0o444)


def unprotect(directory: Path) -> None:
    """Let the owner write them again."""
    for place in (directory, *directory.rglob("*")):
        place.chmod(0o755 if place.is_dir() else 0o644)


def give_up_privileges() -> None:
    """Let permissions count for root, too."""
    if os.geteuid() == 0:
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3 of the interface, this process
        nothing = (ctypes.c_uint32 * 6)()
        if ctypes.CDLL(None, use_errno=True).capset(header, nothing) != 0:
            raise OSError("privileges cannot be given up")

# SPDX-License-Identifier: MIT
"""Ends a process with everything that it has started, and that would go on without it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

_PROC = Path("/proc")


def kill_with_descendants(process: int) -> None:
    """Kill a process, a child of this one, and whatever it and its children have started.

    Where the system does not tell who has started what, only the process itself is killed.
    """
    if not hasattr(signal, "SIGSTOP"):
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGTERM)
        return
    _send(process, signal.SIGSTOP)  # so that it starts nothing more
    family = [process]
    parents = _parents()
    for one in family:
        children = [child for child, parent in parents.items() if parent == one and child not in family]
        for child in children:
            _send(child, signal.SIGSTOP)
        family += children
    for one in family:
        _send(one, signal.SIGKILL)


def _send(process: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)


def _parents() -> dict[int, int]:
    """The parent of every process that can be seen."""
    if (_PROC / "self" / "stat").exists():
        return dict(filter(None, map(_parent, _PROC.glob("[0-9]*/stat"))))
    ps = shutil.which("ps")
    if ps is None:
        return {}
    listed = subprocess.run([ps, "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False)  # noqa: S603
    pairs = (line.split() for line in listed.stdout.splitlines())
    return {int(pair[0]): int(pair[1]) for pair in pairs if len(pair) == 2}


def _parent(file: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        # The name of the program, in brackets, may hold anything.
        fields = file.read_text(errors="replace").rpartition(")")[2].split()
        return int(file.parent.name), int(fields[1])
    return None

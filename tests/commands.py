# SPDX-License-Identifier: MIT
"""The command ``verify`` as a process of its own, in a folder whose modules it finds."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def started(
    folder: Path,
    *arguments: str,
    through: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    **streams: Any,
) -> subprocess.Popen[str]:
    """Start ``verify`` in a folder.

    Args:
        folder: the current one, where modules are looked for besides where this process does.
        arguments: of the command.
        through: a command that runs the one behind it.
        environment: variables besides those of this process.
        streams: as ``subprocess.Popen`` takes them.
    """
    paths = os.pathsep.join([str(folder), *filter(None, sys.path)])
    return subprocess.Popen(
        [*through, sys.executable, "-m", "verification", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
        text=True,
        **streams,
    )

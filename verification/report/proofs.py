# SPDX-License-Identifier: MIT
"""A folder for each loss, with what proves it to somebody else: a script that needs no suite."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from verification.processes.whole_files import remove_with_folder, write_whole
from verification.report.wording import called

if TYPE_CHECKING:
    from pathlib import Path

    from verification.report.model import Report

SCRIPT = "reproduce.py"
_LONGEST = 80


def write_proofs(report: Report, folder: Path) -> list[Path]:
    """Write the script of each loss that has one, into ``folder/<adapter>/losses/<name>/``.

    What an earlier run has left for losses of this adapter that are gone is removed.

    Returns:
        The scripts, in the order of the losses.
    """
    place = folder / file_name(report.adapter) / "losses"
    written: dict[Path, str] = {}
    for loss in report.lost:
        if loss.script:
            path = place / file_name(called(loss.name)) / SCRIPT
            number = 2
            while path in written:  # another one that is written alike
                path = place / f"{file_name(called(loss.name))}-{number}" / SCRIPT
                number += 1
            written[path] = loss.script
    for former in place.glob(f"*/{SCRIPT}"):
        if former not in written:
            remove_with_folder(former)
    for path, text in written.items():
        write_whole(path, text, errors="backslashreplace")
    return list(written)


def file_name(name: str) -> str:
    """A name as that of a file: letters, digits and a few signs, and nothing that leads elsewhere."""
    return re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("._")[:_LONGEST] or "unnamed"

# SPDX-License-Identifier: MIT
"""The checkpoints of a run in its folder: which there are, which is the latest, and which are kept."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from td3_core.checkpoint.replacing import sync_folder
from td3_core.training.segment_folder import remove_unnamed, undisturbed

if TYPE_CHECKING:
    from pathlib import Path

    from td3_core.training.run import TrainingRun

LATEST = "latest.pth"
_NAME = re.compile(r"td3_([0-9]{1,18})\.pth")


def checkpoints_in(folder: Path) -> list[Path]:
    """The files ``td3_STEP.pth`` in a folder, those of later steps first."""
    found = [path for path in folder.glob("td3_*.pth") if _NAME.fullmatch(path.name)]
    return sorted(found, key=_step, reverse=True)


def save(run: TrainingRun, folder: Path, *, keep: int | None = None) -> Path:
    """Save a run as ``td3_STEP.pth``, to which ``latest.pth`` leads then.

    With ``keep``, checkpoints of earlier steps are removed once this one is on the disk, so that it and the
    newest ``keep - 1`` of them stay. Those of later steps are not this run's and stay.

    Returns:
        The path of the checkpoint.

    Raises:
        CheckpointError: It cannot be written. Nothing has been removed then.
    """
    path = folder / f"td3_{run.steps}.pth"
    run.save(path)
    with undisturbed(path, saving=True):
        _lead_to(path, folder / LATEST)
        earlier = [other for other in checkpoints_in(folder) if _step(other) < run.steps]
        superfluous = [] if keep is None else earlier[keep - 1 :]
        for other in superfluous:
            with suppress(OSError):
                other.unlink()
        if superfluous:
            remove_unnamed(folder)
    return path


def _step(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    return int(match[1])


def _lead_to(path: Path, link: Path) -> None:
    """Make ``link`` lead to the file ``path`` beside it, at once. Nothing where there are no links."""
    if link.exists() and not link.is_symlink():
        return  # somebody's own file
    # Always the same name, so that what a killed process leaves does not pile up.
    temporary = link.with_name(f".{link.name}.tmp")
    with suppress(OSError):
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(path.name)
        os.replace(temporary, link)
        sync_folder(link.parent)

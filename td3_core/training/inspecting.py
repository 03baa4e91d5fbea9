# SPDX-License-Identifier: MIT
"""What a checkpoint says of itself and of its training run, once every byte of both is verified."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from td3_core.checkpoint.format import inspect_checkpoint, parse_checkpoint
from td3_core.errors import CheckpointError
from td3_core.training.kept import checkpoints_in
from td3_core.training.section import section_of
from td3_core.training.segment_files import verify
from td3_core.training.segment_folder import undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def facts_about(path: Path) -> dict[str, str]:
    """What is printed about a checkpoint, by name.

    Raises:
        CheckpointError: The checkpoint or a segment of its replay buffer is missing or damaged.
    """
    with undisturbed(path):
        facts: dict[str, Any] = asdict(inspect_checkpoint(path))
        contents = parse_checkpoint(path)
        if "run" in contents:
            facts |= _facts_about_run(contents, path)
    return {name: str(value) for name, value in facts.items()} | {"seal": "intact"}


def newest_intact(folder: Path, skipped: Callable[[CheckpointError], object]) -> Path | None:
    """The checkpoint of the latest step that holds a run and is intact, and so are its segments.

    Args:
        folder: Where to look.
        skipped: Is told why a checkpoint of a later step is not taken.
    """
    for path in checkpoints_in(folder):
        try:
            with undisturbed(path):
                _facts_about_run(parse_checkpoint(path), path)
        except CheckpointError as error:
            skipped(error)
        else:
            return path
    return None


def _facts_about_run(contents: dict[str, Any], path: Path) -> dict[str, Any]:
    _, section = section_of(contents, path)
    buffer, settings = section["replay_buffer"], section["settings"]
    verify(buffer, path)
    size = settings["capacity"] if buffer["full"] else buffer["position"]
    return {
        "environment": section["environment"],
        "step": section["steps"],
        "episode": section["episodes"] + 1,
        "seed": settings["seed"],
        "replay": f"{size} of {settings['capacity']} transitions",
    }

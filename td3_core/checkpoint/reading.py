# SPDX-License-Identifier: MIT
"""Reading a checkpoint without an agent of one's own: its contents, verified against the config in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from td3_core.agent import TD3
from td3_core.checkpoint.architecture import refuse_other_networks
from td3_core.checkpoint.format import parse_checkpoint
from td3_core.checkpoint.mismatches import config_of, refuse_mismatches
from td3_core.errors import CheckpointError

if TYPE_CHECKING:
    import os


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The contents of a checkpoint, verified against the config in it; no agent is needed.

    Raises:
        CheckpointError: The file cannot be read, or its contents do not make up an agent; the message
            lists every missing, unexpected or misshapen piece by name.
    """
    contents = parse_checkpoint(path)
    config, problems = config_of(contents)
    if config is None:
        raise CheckpointError(f"{path}: " + "; ".join(problems))
    refuse_other_networks(config, contents, source=path)
    refuse_mismatches(TD3(config, seed=0), contents, source=path)
    return contents

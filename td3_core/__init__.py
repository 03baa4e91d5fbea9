# SPDX-License-Identifier: MIT
"""TD3 with separate CNNs for actor and critic, whose checkpoints resume training exactly.

Not here: what tests it (``verification``), of which nothing is imported.
"""

from __future__ import annotations

from td3_core.agent import TD3
from td3_core.checkpoint.format import inspect_checkpoint
from td3_core.checkpoint.partial import PartialCheckpointWarning
from td3_core.checkpoint.reading import read_checkpoint
from td3_core.config import TD3Config
from td3_core.errors import CheckpointError
from td3_core.replay import Batch, ReplayBuffer

__all__ = [
    "TD3",
    "Batch",
    "CheckpointError",
    "PartialCheckpointWarning",
    "ReplayBuffer",
    "TD3Config",
    "inspect_checkpoint",
    "read_checkpoint",
]

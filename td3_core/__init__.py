# SPDX-License-Identifier: MIT
"""TD3 with separate CNNs for actor and critic, whose checkpoints resume training exactly.

Not here: what tests it (``verification``), of which nothing is imported.

Names are loaded on first use: importing torch takes seconds, in which no command could be stopped in order.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "TD3": "agent",
    "Batch": "replay",
    "CheckpointError": "errors",
    "PartialCheckpointWarning": "checkpoint.partial",
    "ReplayBuffer": "replay",
    "TD3Config": "config",
    "inspect_checkpoint": "checkpoint.format",
    "read_checkpoint": "checkpoint.reading",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

# SPDX-License-Identifier: MIT
"""Levels: what an agent promises about its checkpoints, each including the ones before it."""

from __future__ import annotations

import enum


class Level(enum.IntEnum):
    """A promise. ``str(level)`` is its name as users write it."""

    PROTOCOL = 0
    WEIGHTS = 1
    TRAINING = 2
    RESUME = 3
    DURABLE = 4
    PORTABLE = 5

    @property
    def promise(self) -> str:
        """The level in one sentence."""
        return _PROMISES[self]

    def __str__(self) -> str:
        return self.name.lower()


_PROMISES = {
    Level.PROTOCOL: "The agent trains deterministically, and save and load do something.",
    Level.WEIGHTS: "A loaded agent acts exactly as the saved one did.",
    Level.TRAINING: "Given the same batches, a loaded agent trains on exactly as the saved one would have.",
    Level.RESUME: "A training run goes on exactly as if it had never been interrupted.",
    Level.DURABLE: "A damaged or interrupted checkpoint is refused, and the last good one is never lost.",
    Level.PORTABLE: "A checkpoint means the same by any path, in any locale, and under other settings.",
}

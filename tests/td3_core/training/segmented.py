# SPDX-License-Identifier: MIT
"""The adapter of td3_core with a replay buffer of which nearly every row is in a segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verification.adapters.td3_core import TD3Core

if TYPE_CHECKING:
    from pathlib import Path

    from td3_core.training.run import TrainingRun


class Segmented(TD3Core):
    """As ``td3_core``, with two rows in a segment."""

    name = "segmented"
    expected_failures: ClassVar = {
        "exchanged_file_is_rejected": "an earlier file in the place of a later one is the whole earlier "
        "checkpoint, because segments are named by what they hold",
    }

    def build(self, config: Any, seed: int) -> TrainingRun:
        return _in_small_segments(super().build(config, seed))

    def load(self, agent: TrainingRun, path: Path) -> TrainingRun:
        return _in_small_segments(super().load(agent, path))


def _in_small_segments(run: TrainingRun) -> TrainingRun:
    run.replay_buffer.segment_rows = 2
    return run

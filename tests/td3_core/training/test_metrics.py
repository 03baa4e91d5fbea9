# SPDX-License-Identifier: MIT
"""The metrics file holds exactly the episodes of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from td3_core.training.metrics import EpisodeSummary, MetricsFile

if TYPE_CHECKING:
    from pathlib import Path

FIRST = EpisodeSummary(number=1, step=7, total_reward=-0.1, length=7, losses={})
SECOND = EpisodeSummary(number=2, step=12, total_reward=2.5, length=5, losses={"critic_loss": 0.25})


def test_rows_are_those_of_the_run_whatever_the_file_held(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("something else\n" * 9)
    metrics = MetricsFile(path, [FIRST])
    metrics.add(SECOND)
    expected = "episode,step,return,length,critic_loss,actor_loss\n1,7,-0.1,7,,\n2,12,2.5,5,0.25,\n"
    # Read before the file is closed: a row must be there as soon as its episode is.
    assert path.read_text() == expected
    metrics.close()
    assert path.read_text() == expected

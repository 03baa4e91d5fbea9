# SPDX-License-Identifier: MIT
"""The metrics file holds exactly the episodes of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from td3_core.training.metrics import EpisodeSummary, MetricsFile

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "episode,step,return,length,critic_loss,actor_loss\n"
ROWS = ["1,7,-0.1,7,,\n", "2,12,2.5,5,0.25,\n", "3,19,1e-05,7,0.5,nan\n"]
SECOND = EpisodeSummary(number=2, step=12, total_reward=2.5, length=5, losses={"critic_loss": 0.25})


def test_a_new_run_starts_anew_whatever_the_file_held(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(HEADER + ROWS[0])
    metrics = MetricsFile(path, 0)
    metrics.add(SECOND)
    # Read before the file is closed: a row must be there as soon as its episode is.
    assert path.read_text() == HEADER + ROWS[1]
    metrics.close()
    assert path.read_text() == HEADER + ROWS[1]


@pytest.mark.parametrize("steps", [6, 7, 11, 12, 18, 19, 1000])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_resumed_run_keeps_the_rows_up_to_its_step(steps: int, elsewhere: bool, tmp_path: Path) -> None:
    earlier, path = tmp_path / "metrics.csv", tmp_path / ("other.csv" if elsewhere else "metrics.csv")
    earlier.write_text(HEADER + "".join(ROWS))
    metrics = MetricsFile(path, steps, earlier=earlier if elsewhere else None)
    kept = [row for row in ROWS if int(row.split(",")[1]) <= steps]
    assert path.read_text() == HEADER + "".join(kept)
    metrics.add(SECOND)
    metrics.close()
    assert path.read_text() == HEADER + "".join(kept) + ROWS[1]
    assert not elsewhere or earlier.read_text() == HEADER + "".join(ROWS)


@pytest.mark.parametrize(
    ("held", "kept"),
    [
        ("something else\n" * 9, HEADER),
        ("", HEADER),
        ("episode,step\n1,7\n", HEADER),
        (HEADER + ROWS[0] + ROWS[1][:-1], HEADER + ROWS[0]),
        (HEADER + ROWS[0] + "2,1", HEADER + ROWS[0]),
        (HEADER + ROWS[0] + "2," + "9" * 5000 + ",,,,\n" + ROWS[1], HEADER + ROWS[0]),
        (HEADER + ROWS[0] + "\udcff\n", HEADER + ROWS[0]),
    ],
)
def test_a_resumed_run_drops_what_is_no_row(held: str, kept: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(held.encode(errors="surrogateescape"))
    MetricsFile(path, 1000).close()
    assert path.read_text() == kept


def test_without_a_file_there_are_no_rows(tmp_path: Path) -> None:
    MetricsFile(tmp_path / "metrics.csv", 1000, earlier=tmp_path / "missing.csv").close()
    assert (tmp_path / "metrics.csv").read_text() == HEADER

# SPDX-License-Identifier: MIT
"""What a job has said is known before it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.checks.registry import select
from verification.errors import CheckFailure
from verification.running.check_run import CheckRun
from verification.running.partial import PartialReader, PartialWriter

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND = select("protocol")[:2]


def test_runs_are_read_while_others_go_on(tmp_path: Path) -> None:
    reader = PartialReader(tmp_path / "runs")
    assert reader.more() == []  # nobody has begun
    with PartialWriter(tmp_path / "runs") as writer:
        writer.began(FIRST)
        assert reader.more() == []
        assert reader.running == FIRST.name
        writer.ended(CheckRun(FIRST.name, counted=True))
        writer.began(SECOND)
        assert reader.more() == [CheckRun(FIRST.name, counted=True)]
        assert reader.running == SECOND.name
        writer.ended(CheckRun(SECOND.name, outcome=CheckFailure("it broke")))
    (more,) = reader.more()
    assert (more.check, str(more.failure)) == (SECOND.name, "it broke")
    assert reader.running == ""
    assert reader.more() == []
    assert len(reader.runs) == 2


def test_half_an_answer_is_waited_for(tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    with PartialWriter(whole) as writer:
        writer.ended(CheckRun(FIRST.name, counted=True))
    written = whole.read_bytes()
    reader = PartialReader(part)
    for end in range(len(written)):
        part.write_bytes(written[:end])
        assert reader.more() == []
    part.write_bytes(written)
    assert reader.more() == [CheckRun(FIRST.name, counted=True)]


def test_a_worker_without_the_folder_says_it_at_its_end(tmp_path: Path) -> None:
    with PartialWriter(tmp_path / "elsewhere" / "runs") as writer:
        writer.began(FIRST)
        writer.ended(CheckRun(FIRST.name))
    assert PartialReader(tmp_path / "elsewhere" / "runs").more() == []

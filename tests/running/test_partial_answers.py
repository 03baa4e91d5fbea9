# SPDX-License-Identifier: MIT
"""What a job has said is known before it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.checks.registry import select
from verification.errors import CheckFailure
from verification.running.asking import Answer
from verification.running.partial import Heard, Telling

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND = select("protocol")[:2]


def test_answers_are_heard_while_others_are_asked(tmp_path: Path) -> None:
    heard = Heard(tmp_path / "answers")
    assert heard.more() == []  # nobody has begun
    with Telling(tmp_path / "answers") as telling:
        telling.began(FIRST)
        assert heard.more() == []
        assert heard.asking == FIRST.name
        telling.answered(Answer(FIRST.name, counted=True))
        telling.began(SECOND)
        assert heard.more() == [Answer(FIRST.name, counted=True)]
        assert heard.asking == SECOND.name
        telling.answered(Answer(SECOND.name, outcome=CheckFailure("it broke")))
    (more,) = heard.more()
    assert (more.check, str(more.failure)) == (SECOND.name, "it broke")
    assert heard.asking == ""
    assert heard.more() == []
    assert len(heard.answers) == 2


def test_half_an_answer_is_waited_for(tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    with Telling(whole) as telling:
        telling.answered(Answer(FIRST.name, counted=True))
    written = whole.read_bytes()
    heard = Heard(part)
    for end in range(len(written)):
        part.write_bytes(written[:end])
        assert heard.more() == []
    part.write_bytes(written)
    assert heard.more() == [Answer(FIRST.name, counted=True)]


def test_a_worker_without_the_folder_says_it_at_its_end(tmp_path: Path) -> None:
    with Telling(tmp_path / "elsewhere" / "answers") as telling:
        telling.began(FIRST)
        telling.answered(Answer(FIRST.name))
    assert Heard(tmp_path / "elsewhere" / "answers").more() == []

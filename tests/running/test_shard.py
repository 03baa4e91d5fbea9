# SPDX-License-Identifier: MIT
"""Shards ask about the programs of one seed between them: each about its share, and about none twice."""

from __future__ import annotations

import pytest
from adapters import Tiny

from verification.errors import UsageError
from verification.running.drawing import draw
from verification.shard import Shard


def test_shards_are_written_as_numbers() -> None:
    assert Shard.parse("3/8") == Shard(3, 8)
    assert str(Shard(3, 8)) == "3/8"


@pytest.mark.parametrize("text", ["", "3", "0/8", "9/8", "3/0", "3/8/2", "-1/8", "a/b"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--shard is .*; give its number and how many there are"):
        Shard.parse(text)


@pytest.mark.parametrize("of", [1, 2, 5])
def test_all_shards_together_draw_what_one_run_draws(of: int) -> None:
    adapter = Tiny()
    asked = {"closed_loop": False, "seed": 3, "examples": 5}
    whole = draw(adapter, **asked)
    shares = [draw(adapter, **asked, shard=Shard(number, of)) for number in range(1, of + 1)]
    assert sorted(map(id, whole)) == sorted(id(program) for share in shares for program in share)
    assert all(shares)

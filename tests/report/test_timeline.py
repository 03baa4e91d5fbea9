# SPDX-License-Identifier: MIT
"""The picture of what happened has every step of note in it, and no word that is cut."""

from __future__ import annotations

import pytest

from verification.losses import Consequence, Course, Loss
from verification.report.timeline import timeline

WIDE, NARROW = 640, 310
LEARN = ("learn",)


def loss(step: int, path: str = "agent.critic_cnn.conv0.weight") -> Loss:
    """A loss of which something follows at a step."""
    return Loss(
        "agent.total_it", "agent.total_it", "counters", "spreads", first=Consequence(path, "online", step)
    )


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("step", [1, 2, 5])
@pytest.mark.parametrize("path", ["agent.actor", "agent.critic_cnn.conv0.weight", "agent.a_rather_long_name"])
def test_the_label_of_the_parting_has_room(width: int, step: int, path: str) -> None:
    drawn = timeline(loss(step, path), Course(LEARN * 2, LEARN * 6, {}, step), width)
    assert drawn.parting is not None
    letters = 7.2 * len(f"✕ {drawn.parting_label}")
    if drawn.anchor == "start":
        assert drawn.parting.x - 6 + letters < width
    else:
        assert letters < width


def test_the_runs_part_where_something_else_differs() -> None:
    drawn = timeline(loss(2), Course(LEARN, LEARN * 4, {}, 2), WIDE)
    assert [mark.parted for mark in drawn.after] == [False, True, True, True]
    assert drawn.parting == drawn.after[1]
    assert drawn.gap
    assert not drawn.more


def test_where_nothing_follows_nothing_parts() -> None:
    drawn = timeline(loss(1), Course(LEARN * 9, LEARN * 3, {}, None), WIDE)
    assert drawn.parting is None
    assert (drawn.gap, drawn.astray) == ("", "")
    assert drawn.more


def test_a_parting_far_behind_the_load_is_drawn() -> None:
    drawn = timeline(loss(30), Course(LEARN, LEARN * 40, {}, 30), WIDE)
    assert drawn.parting == drawn.after[-1]
    assert len(drawn.after) <= 7

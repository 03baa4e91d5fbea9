# SPDX-License-Identifier: MIT
"""Losses that overlap, and pieces of one thing, are one loss with the best evidence of all."""

from __future__ import annotations

from typing import Any

from verification.losses import READ, RECORDED, SPREADS, Course, Loss, merged, together

COURSE = Course(("learn",), ("learn",), {"agent.actor": (0.0, 0.5)}, 1)


def loss(path: str, how: str = SPREADS, **more: Any) -> Loss:
    return Loss(path, path, "other state", how, **more)


def piece(path: str, how: str = SPREADS, **more: Any) -> Loss:
    """Lost within an environment of which nothing has come back."""
    return loss(path, how, within=("agent.env",), **more)


def test_of_what_overlaps_the_outer_one_is_told() -> None:
    (one,) = merged([loss("agent.env.seed"), loss("agent.env")])
    assert one.path == "agent.env"


def test_it_is_told_as_the_worst_that_is_known() -> None:
    (one,) = merged([loss("agent.env", RECORDED), loss("agent.env.seed", READ, effect="training reads it")])
    assert (one.path, one.how, one.effect) == ("agent.env", READ, "training reads it")


def test_what_was_looked_at_closely_is_told_of_the_whole() -> None:
    close = loss(
        "agent.env.seed", effect="it changes action", course=COURSE, script="import sys", beside="agent.x"
    )
    (one,) = merged([loss("agent.env", effect="it changes agent.actor"), close])
    assert (one.path, one.effect, one.course, one.script) == ("agent.env", close.effect, COURSE, close.script)


def test_what_is_worse_does_not_take_the_course_of_the_whole() -> None:
    (one,) = merged([loss("agent.env", READ, course=COURSE, script="import sys"), loss("agent.env.seed")])
    assert (one.how, one.course, one.script) == (SPREADS, COURSE, "import sys")


def test_pieces_of_one_thing_are_one_loss_with_the_script_of_the_piece_that_has_one() -> None:
    pieces = [piece("agent.env.a"), piece("agent.env.b", course=COURSE, script="import sys"), loss("agent.n")]
    found = {one.path: one for one in merged(pieces)}
    assert [*found] == ["agent.n", "agent.env"]
    assert (found["agent.env"].content, found["agent.env"].script) == ("b, a", "import sys")


def test_a_piece_that_is_less_bad_lends_no_script() -> None:
    (whole,) = merged([piece("agent.env.a"), piece("agent.env.b", READ, course=COURSE, script="import sys")])
    assert (whole.how, whole.script) == (SPREADS, "")


def test_one_piece_is_told_as_itself() -> None:
    assert [*together([piece("agent.env.a"), loss("agent.n", READ)])] == ["agent.env.a", "agent.n"]

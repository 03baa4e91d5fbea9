# SPDX-License-Identifier: MIT
"""What followed from a difference is told by what matters most, and what only moved is no consequence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from forgetful import Forgetful, program_of
from states import look
from torch import nn

from verification.engine.experiment import Experiment
from verification.engine.trial import Covered, Spread, extent, is_drift, resume
from verification.losses import Consequence
from verification.program import Learn
from verification.state import Change, Difference, Part, changes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def differing(*paths: str) -> tuple[Difference, ...]:
    return tuple(Difference(path, "value", "1", "2") for path in paths)


def part_of(found: Difference) -> Part:
    return Part.ONLINE if "net" in found.path else Part.TARGET if "target" in found.path else Part.OTHER


@pytest.mark.parametrize(
    ("paths", "near", "first"),
    [
        (("agent.x", "agent.net.weight"), (), "agent.net.weight"),
        (("agent.x", "agent.target.weight"), (), "agent.target.weight"),
        (("agent.x", "agent.y"), (), "agent.x"),
        (("agent.x", "agent.net.weight"), ("agent.x",), "agent.x"),
        (("agent.x", "agent.net.weight", "action[0]"), ("agent.x",), "action[0]"),
    ],
)
def test_the_action_comes_first_then_what_is_near_then_what_is_learned(
    paths: Sequence[str], near: Sequence[str], first: str
) -> None:
    spread = Spread(1, differing(*paths))
    consequence = spread.first(part_of, near)
    name = "the action" if first.startswith("action") else first
    assert spread.effect(part_of, near) == f"it changes {name} at the first step after the load"
    assert consequence == Consequence(first, part_of(differing(first)[0]).value, 1)


@pytest.mark.parametrize(
    ("steps", "when"),
    [
        (0, "right after the load"),
        (1, "at the first step after the load"),
        (2, "at the second step after the load"),
        (3, "at the third step after the load"),
        (4, "at the fourth step after the load"),
    ],
)
def test_when_is_told_in_words(steps: int, when: str) -> None:
    assert Spread(steps, differing("agent.x")).effect(part_of) == f"it changes agent.x {when}"
    raised = Spread(steps, raised="learn() raised")
    assert raised.effect(part_of) == f"{when} learn() raised"
    assert raised.first(part_of) is None


@pytest.mark.parametrize(
    ("other", "within"),
    [
        (Spread(2, differing("agent.x", "agent.y")), True),
        (Spread(2, differing("agent.x")), True),
        (Spread(2, differing("agent.y")), False),
        (Spread(1, differing("agent.x")), False),
        (Spread(3, differing("agent.x")), False),
        (Spread(2, raised="learn() raised"), False),
        (Spread(2, differing("agent.x"), "learn() raised"), False),
        (None, False),
    ],
    ids=str,
)
def test_what_is_in_another_spread_came_as_early_and_in_the_same_way(
    other: Spread | None, *, within: bool
) -> None:
    assert Spread(2, differing("agent.x")).is_within(other) is within


def change(before: Any, after: Any) -> Change:
    (only,) = changes(look(SimpleNamespace(x=before)), look(SimpleNamespace(x=after)))
    return only


@pytest.mark.parametrize(
    ("before", "after", "drifts"),
    [
        (0, 0.0, True),
        (1, True, True),
        (1, 1 + 0j, True),
        (0, 1.0, False),
        (0, "0", False),
        (0, 1, False),
        (np.zeros((2, 2)), np.zeros((2, 2)).T, True),
        (np.zeros(2, np.float32), np.zeros(2), False),
    ],
    ids=repr,
)
def test_another_type_of_the_same_number_is_a_drift(before: Any, after: Any, *, drifts: bool) -> None:
    assert is_drift(change(before, after)) is drifts


def test_another_identity_is_a_drift_and_what_is_missing_is_none() -> None:
    shared = [1]
    one, other = SimpleNamespace(a=shared, b=shared), SimpleNamespace(a=[1], b=[1])
    assert is_drift(next(iter(changes(look(one), look(other)))))
    assert not is_drift(next(iter(changes(look(SimpleNamespace(x=1)), look(SimpleNamespace())))))
    assert not is_drift(next(iter(changes(look(SimpleNamespace()), look(SimpleNamespace(x=1))))))


def test_what_lies_in_what_differed_anyway_did_not_follow() -> None:
    def by(*paths: str) -> list[Change]:
        return [Change(path, "value", None, None) for path in paths]

    found = by("agent.net.weight", "agent.network", "agent.x")
    assert [one.path for one in Covered.by(by("agent.net", "agent.x[0]")).outside(found)] == ["agent.network"]
    assert Covered.by([]).outside(found) == found


def test_weights_beside_a_lost_value_are_none_of_the_items_that_shift() -> None:
    def member(score: float, weight: float, log: list[int]) -> SimpleNamespace:
        net = nn.Linear(1, 1)
        nn.init.constant_(net.weight, weight)
        nn.init.zeros_(net.bias)
        return SimpleNamespace(members=[{"net": net, "score": score, "log": log}])

    lost = changes(look(member(1.0, 1.0, [])), look(member(2.0, 1.0, [])))
    later = changes(look(member(1.0, 1.0, [3])), look(member(2.0, 3.0, [4])))
    followed = Covered.by(lost).outside(later)
    assert [one.path for one in followed] == ["agent.members[0]['net'].weight"]


def test_items_of_a_list_that_is_lost_may_shift() -> None:
    one, other = SimpleNamespace(log=[1, 2], rows={"a": [1]}), SimpleNamespace(log=[1, 3], rows={"a": [2]})
    assert [extent(found) for found in changes(look(one), look(other))] == ["agent.log", "agent.rows"]
    items = {(1, 2): [0]}
    found = next(iter(changes(look(SimpleNamespace(t=items)), look(SimpleNamespace(t={(1, 2): [1]})))))
    assert extent(found) == "agent.t"
    assert extent(Change("agent.net[0]", "value", None, None)) == "agent.net[0]"


@pytest.mark.parametrize(
    ("bonus", "steps", "follows"),
    [(1, 4, None), (2, 2, ["agent.total"]), ("text", 2, [])],
    ids=["nothing", "a difference", "an exception"],
)
def test_a_run_is_followed_up_to_what_follows(
    bonus: Any, steps: int, follows: list[str] | None, tmp_path: Path
) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.steps += 1
        agent.total += agent.bonus if agent.steps == 4 else 0

    start = {"steps": 0, "bonus": lambda seed: 1 if seed == 1 else bonus}
    program = program_of(*map(Learn, range(5)), cuts=(2,))
    experiment = Experiment(Forgetful(start, update, "bonus"), program, tmp_path)
    trial = resume(experiment, 2, used=False, heal=[], horizon=1)
    assert trial.steps == steps
    assert (trial.spread and [one.path for one in trial.spread.differences]) == follows
    assert trial.spread is None or trial.spread.steps == steps

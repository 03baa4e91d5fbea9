# SPDX-License-Identifier: MIT
"""The course of a run: how far it comes to be from the uninterrupted one, and its steps in words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from forgetful import Forgetful, program_of
from states import look

from verification.engine.course import STEPS, _in_words, apart, course_of
from verification.engine.experiment import Experiment
from verification.program import Act, Advance, Learn, Operate, Repeat
from verification.state import Change, changes

if TYPE_CHECKING:
    from pathlib import Path


def distance(before: Any, after: Any) -> float | None:
    found = list(changes(look(SimpleNamespace(x=before)), look(SimpleNamespace(x=after))))
    (only,) = apart(found).values()
    return only


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (1, 2, 0.5),
        (2.0, 1.0, 0.5),
        (1.0, -1.0, 2.0),
        (0, 5, 1.0),
        (torch.tensor([3.0, 4.0]), torch.tensor([0.0, 0.0]), 1.0),
        (torch.tensor([[3.0], [4.0]]), torch.tensor([[3.0], [0.0]]), 0.8),
        (np.array([3, 4]), np.array([3, 0]), 0.8),
        (0.0, -0.0, None),
        (1.0, float("nan"), None),
        (1.0, float("inf"), None),
        (1, 1.0, None),
        (True, False, None),
        ("a", "b", None),
        (torch.tensor([1j]), torch.tensor([2j]), None),
        (np.array(["a"]), np.array(["b"]), None),
        (np.zeros(2), np.zeros(3), None),
        (10**400, 10**401, None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_two_values_are_apart_by_the_norm_of_their_difference(before: Any, after: Any, expected: Any) -> None:
    found = distance(before, after)
    assert found == (None if expected is None else pytest.approx(expected))


def test_of_a_component_the_worst_counts_and_actions_are_one() -> None:
    one, other = SimpleNamespace(a=[1, 1, "x"], b=1), SimpleNamespace(a=[2, 4, "y"], b=1)
    found = [*changes(look(one), look(other)), Change("action[0]", "value", None, None)]
    assert apart(found) == {"agent.a": 0.75, "action": None}


def test_steps_are_told_in_words() -> None:
    steps = [Learn(1), Repeat(1, 5), Act(1), Advance(1), Advance(3), Operate(1)]
    assert _in_words(steps) == ("learn", "learn 5 times", "act", "advance", "advance 3 times", "operate")


def course(folder: Path, update: Any, lost: str, **start: Any) -> Any:
    program = program_of(Learn(3), Learn(4), Learn(5))
    return course_of(Experiment(Forgetful(start, update, lost), program, folder), 1, used=False, heal=[])


def test_a_run_is_followed_from_the_load_on(tmp_path: Path) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.steps += 1
        agent.total += agent.bonus if agent.steps == 3 else 0

    found = course(tmp_path, update, "bonus", steps=0, bonus=lambda seed: 10 * seed)
    assert found.before == ("learn",)
    assert found.after[:3] == ("learn", "learn", "act")
    assert len(found.after) == STEPS
    assert found.diverged == 2
    assert found.apart["agent.bonus"] == (0.5,) * (STEPS + 1)
    assert found.apart["agent.total"][:3] == (0.0, 0.0, pytest.approx(10 / 21))


def test_it_ends_where_a_step_raises(tmp_path: Path) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.steps += 1
        np.zeros(3).reshape(agent.bonus if agent.steps == 3 else 3)

    raising = course(tmp_path, update, "bonus", steps=0, bonus=lambda seed: 3 if seed == 1 else 2)
    assert (raising.after, raising.diverged) == (("learn",), 2)


def test_a_run_that_lost_nothing_never_diverges(tmp_path: Path) -> None:
    found = course(tmp_path, lambda *_: None, "")
    assert (found.diverged, dict(found.apart)) == (None, {})

# SPDX-License-Identifier: MIT
"""Values are changed on purpose, and numbers write down what is done with them."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from verification.engine.perturbation import (
    Use,
    advanced,
    comes_out_alike,
    is_count,
    is_number,
    replaced,
    shaken,
    steps_ahead,
    telling_values,
    watched,
)


@pytest.mark.parametrize(
    ("value", "then"),
    [
        (torch.tensor([0.0, 2.0]), [0.25, 3.25]),
        (torch.tensor([0, 2]), [1, 3]),
        (torch.tensor([True, False]), [False, True]),
        (np.array([0.0, 2.0]), [0.25, 3.25]),
        (np.array([0, 2]), [1, 3]),
        (np.array([0, 2], np.uint8), [1, 3]),
        (np.array([True, False]), [False, True]),
    ],
    ids=repr,
)
def test_every_element_is_another_in_place(value: Any, then: list[Any]) -> None:
    agent = SimpleNamespace(value=value)
    shaken(["agent.value"])({"agent": agent})
    assert agent.value is value
    assert value.tolist() == then


def test_weights_are_shaken_without_a_gradient() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    shaken(["agent.weight"])({"agent": SimpleNamespace(weight=weight)})
    assert weight.tolist() == [0.25]
    assert weight.requires_grad
    assert weight.grad_fn is None


@pytest.mark.parametrize("value", [True, False])
def test_truth_values_are_turned_round(value: bool) -> None:
    agent = SimpleNamespace(value=value)
    shaken(["agent.value"])({"agent": agent})
    assert agent.value is not value


@pytest.mark.parametrize("value", [3, "text", None, np.array(["text"])], ids=str)
def test_other_values_are_left_as_they_are(value: Any) -> None:
    agent = SimpleNamespace(value=value)
    shaken(["agent.value"])({"agent": agent})
    assert agent.value is value


def test_what_cannot_be_changed_does_not_keep_the_rest_from_it() -> None:
    fixed = np.zeros(1)
    fixed.flags.writeable = False
    agent = SimpleNamespace(fixed=fixed, pair=(True,), value=torch.zeros(1))
    shaken(["agent.missing", "agent.fixed", "agent.pair[0]", "agent.value"])({"agent": agent})
    assert fixed.tolist() == [0]
    assert agent.pair == (True,)
    assert agent.value.tolist() == [0.25]


def test_a_value_is_replaced_where_there_is_a_place() -> None:
    agent = SimpleNamespace(value=1, held={"x": 1}, pair=(1,))
    for path in ("agent.value", "agent.held['x']", "agent.pair[0]", "agent.missing", "agent.held['y']"):
        replaced(path, 2)({"agent": agent})
    assert vars(agent) == {"value": 2, "held": {"x": 2}, "pair": (1,)}


def used_by(number: float, use: Any) -> list[Use]:
    """What a number writes down while it is used."""
    agent, used = SimpleNamespace(number=number), {"agent.number": []}
    watched({"agent.number": number}, used)({"agent": agent})
    assert agent.number == number
    used["agent.number"].clear()
    use(agent)
    return used["agent.number"]


@pytest.mark.parametrize(
    ("use", "written"),
    [
        (lambda x: x % 1000, ("mod", 1000)),
        (lambda x: 1000 % x, ("rmod", 1000)),
        (lambda x: x // 5, ("floordiv", 5)),
        (lambda x: divmod(x, 5), ("divmod", 5)),
        (lambda x: x < 10, ("lt", 10)),
        (lambda x: x <= 10, ("le", 10)),
        (lambda x: x > 10, ("gt", 10)),
        (lambda x: x >= 10, ("ge", 10)),
        (lambda x: x == 10, ("eq", 10)),
        (lambda x: x != 10, ("ne", 10)),
        (lambda x: x * 2, ("mul", 2)),
        (lambda x: 2 * x, ("rmul", 2)),
        (lambda x: x / 2, ("truediv", 2)),
        (lambda x: x**2, ("pow", 2)),
        (lambda x: x & 1, ("and", 1)),
        (lambda x: x << 1, ("lshift", 1)),
        (bool, ("bool", None)),
        (float, ("float", None)),
        (hash, ("hash", None)),
        (abs, ("abs", None)),
        (lambda x: -x, ("neg", None)),
    ],
)
def test_a_number_writes_down_what_reads_it(use: Any, written: Use) -> None:
    results = []
    assert written in used_by(7, lambda agent: results.append(use(agent.number)))
    assert results == [use(7)]


def test_counting_and_printing_are_no_uses() -> None:
    def use(agent: Any) -> None:
        agent.number += 1
        agent.number = 2 + agent.number - 1
        assert f"{agent.number:d} {agent.number}" == "9 9"

    assert used_by(7, use) == []


def test_a_count_is_watched_further() -> None:
    def use(agent: Any) -> None:
        agent.number += 1
        assert agent.number % 4 == 0

    assert used_by(7, use) == [("mod", 4)]


def test_what_numbers_cannot_do_is_left_to_the_other() -> None:
    def use(agent: Any) -> None:
        assert agent.number + 0.5 == 7.5

    assert [name for name, _ in used_by(7, use)] == []


def test_a_float_is_watched_too() -> None:
    assert used_by(0.5, lambda agent: math.floor(agent.number * 2)) == [("mul", 2)]


@pytest.mark.parametrize(
    ("number", "used", "values"),
    [
        (7, [("mod", 1000)], [999, 998, 997, 8, 15]),
        (7, [("divmod", 10)], [9, 8, 15]),
        (7, [("floordiv", 0)], [8, 15]),
        (7, [("rmod", 1000)], [1, 2, 3, 8, 15]),
        (7, [("lt", 10)], [10, 11, 9, 8, 15]),
        (7, [("ge", 7)], [8, 6, 15]),
        (7, [("eq", True)], [8, 15]),
        (7, [("eq", "text")], [8, 15]),
        (7, [("bool", None)], [8, 15]),
        (7, [("mul", 3)], [8, 15]),
        (7, [], [8, 15]),
        (0.5, [("lt", 2)], [2.0, 3.0, 1.0, 1.5, -2.0]),
        (-3.0, [], [-2.0, -5.0, 5.0]),
        (7, [("mod", 100), ("mod", 1000)], [99, 98, 97, 999, 998, 997]),
    ],
)
def test_values_are_tried_on_both_sides_of_what_it_is_compared_with(
    number: float, used: list[Use], values: list[float]
) -> None:
    found = telling_values(number, used)
    assert found == values
    assert {type(one) for one in found} == {type(number)}


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        (torch.tensor(3), True),
        (torch.tensor([3], dtype=torch.uint8), True),
        (np.array(3), True),
        (torch.tensor([3, 4]), False),
        (torch.tensor(3.0), False),
        (torch.tensor(True), False),
        (np.array([3.0]), False),
        (3, False),
    ],
    ids=repr,
)
def test_a_whole_number_in_a_tensor_may_be_a_count(value: Any, counts: bool) -> None:
    assert is_count(value) == counts


@pytest.mark.parametrize("count", [torch.tensor(3), np.array(3), np.array([3])], ids=repr)
def test_a_count_is_advanced_in_place(count: Any) -> None:
    agent = SimpleNamespace(count=count, small=np.array(1, np.uint8))
    advanced(["agent.small", "agent.missing", "agent.count"], 1_000_000)({"agent": agent})
    assert agent.count is count
    assert count.item() == 1_000_003


def test_runs_come_by_all_that_lies_near() -> None:
    *near, far = steps_ahead(12)
    assert near == [12, 24, 36, 48, 60]
    assert far > 100_000


def test_numbers_of_numpy_are_numbers_and_truth_values_are_not() -> None:
    values = [3, 0.5, np.int64(3), np.float32(0.5), True, np.bool_(True), "3", None]
    assert [is_number(value) for value in values] == [True] * 4 + [False] * 4


def test_a_number_of_numpy_is_watched_and_tried_as_one() -> None:
    used: list[Use] = []
    agent = SimpleNamespace(n=np.int64(3))
    watched({"agent.n": agent.n}, {"agent.n": used})({"agent": agent})
    agent.n += 1
    assert agent.n % 50 == 4
    tried = telling_values(np.int64(3), used)
    assert 49 in tried
    assert {type(one) for one in tried} == {np.int64}


@pytest.mark.parametrize(
    ("number", "other", "used", "alike"),
    [
        (7, 3, [("mod", 4), ("mod", 2)], True),
        (7, 3, [("mod", 4), ("mod", 3)], False),
        (7, 3, [("mod", 4), ("lt", 50)], False),
        (7, 7, [("mod", 4)], False),  # which is no other number
        (10, 8, [("mod", 2)], False),  # it is not what is left of the first: it was cut
        (7, None, [("mod", 4)], False),
        (7, 3, [("mod", 0)], False),
        (7, 3, [("mod", "text")], False),
    ],
)
def test_two_numbers_may_be_one_place_in_a_ring(
    number: int, other: Any, used: list[Use], alike: bool
) -> None:
    assert bool(comes_out_alike(number, other, used)) == alike

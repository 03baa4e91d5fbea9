# SPDX-License-Identifier: MIT
"""What a value held is put back into the same objects."""

from __future__ import annotations

import array
import collections
import itertools
import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from verification.state import compare, take
from verification.state.keeping import TooMuchError, keep

if TYPE_CHECKING:
    from collections.abc import Callable


class Slotted:
    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items = [1]


class Plain:
    def __init__(self) -> None:
        self.numbers = {"a": [1, 2]}
        self.itself = self


def trained(module: torch.nn.Linear) -> None:
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(1, 2)).sum().backward()
    optimizer.step()


KEPT: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "list": (lambda: [1, [2]], lambda value: value[1].append(3)),
    "deque": (lambda: collections.deque([1], maxlen=2), lambda value: value.extend([2, 3])),
    "dict": (lambda: {"a": {"b": 1}}, lambda value: value["a"].update(c=2)),
    "counter": (lambda: collections.Counter("aab"), lambda value: value.update("c")),
    "set": (lambda: {1, 2}, lambda value: value.add(3)),
    "list in a tuple": (lambda: (1, [2]), lambda value: value[1].clear()),
    "tensor": (lambda: torch.arange(3.0), lambda value: value.add_(1)),
    "tensor of another shape": (
        lambda: torch.arange(3.0),
        lambda value: setattr(value, "data", torch.zeros(5)),
    ),
    "array": (lambda: np.arange(3.0), lambda value: np.add(value, 1, out=value)),
    "bytes": (lambda: bytearray(b"ab"), lambda value: value.extend(b"c")),
    "numbers": (lambda: array.array("d", [1.0]), lambda value: value.append(2.0)),
    "torch generator": (
        lambda: torch.Generator().manual_seed(1),
        lambda value: torch.rand(1, generator=value),
    ),
    "numpy generator": (lambda: np.random.default_rng(1), lambda value: value.normal()),
    "python generator": (lambda: random.Random(1), lambda value: value.random()),
    "object": (Plain, lambda value: value.numbers["a"].append(3)),
    "attribute that is new": (Plain, lambda value: setattr(value, "extra", 1)),
    "slots": (Slotted, lambda value: setattr(value, "items", [])),
    "network": (lambda: torch.nn.Linear(2, 1), trained),
}


@pytest.mark.parametrize("kind", KEPT)
def test_a_value_holds_again_what_it_held(kind: str) -> None:
    make, change = KEPT[kind]
    value = make()
    before, put_back = take({"value": value}), keep(value)
    for _ in range(2):  # as often as one likes
        change(value)
        assert compare(before, take({"value": value}))
        assert put_back() is value
        assert [one for one in compare(before, take({"value": value})) if ".grad" not in one.path] == []


def test_an_iterator_is_put_back_as_another_one() -> None:
    holder = {"ids": itertools.count(3), "rest": iter([1, 2])}
    put_back = keep(holder)
    for _ in range(2):
        assert (next(holder["ids"]), next(holder["rest"])) == (3, 1)
        put_back()


def test_what_is_held_twice_stays_one_object() -> None:
    shared = [1]
    value = {"a": shared, "b": shared}
    put_back = keep(value)
    value["b"] = [1]
    put_back()
    assert value["a"] is value["b"] is shared


def test_what_holds_all_agents_is_too_much() -> None:
    with pytest.raises(TooMuchError):
        keep([SimpleNamespace(), *[[number] for number in range(3000)]])

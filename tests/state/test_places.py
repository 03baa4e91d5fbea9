# SPDX-License-Identifier: MIT
"""A path leads to the live object that it names, and that can be replaced or removed there."""

from __future__ import annotations

import collections
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from verification.state import find
from verification.state.places import NoPlaceError, component_of, holder_of, place_of


class Key:
    def __init__(self, number: int) -> None:
        self.number = number


class Slotted:
    __slots__ = ("value",)


class WithDefault:
    limit = 3


def agent() -> SimpleNamespace:
    made = SimpleNamespace(
        number=1,
        items=[10, [20, 30]],
        pair=(1, 2),
        table={"a": 1, 5: 2, "x]y": 3, "q.z": 4},
        objects={Key(1): "one", Key(2): "two"},
        net=nn.Sequential(nn.Linear(1, 1), nn.ReLU()),
        nets=nn.ModuleDict({"pi": nn.Linear(1, 1)}),
        odd=nn.Module(),
        array=np.array([None, 7]),
    )
    made.odd.add_module("0", nn.Linear(1, 1))
    made.odd.note = "text"
    made.optimizer = torch.optim.Adam(made.net.parameters())
    made.net(torch.ones(1, 1)).sum().backward()
    made.optimizer.step()
    return made


PATHS: dict[str, Any] = {
    "agent": lambda one: one,
    "agent.number": lambda one: one.number,
    "agent.items[0]": lambda one: one.items[0],
    "agent.items[1][1]": lambda one: one.items[1][1],
    "agent.pair[1]": lambda one: one.pair[1],
    "agent.table['a']": lambda one: one.table["a"],
    "agent.table[5]": lambda one: one.table[5],
    "agent.table['x]y']": lambda one: one.table["x]y"],
    "agent.table['q.z']": lambda one: one.table["q.z"],
    "agent.objects.keys()[1]": lambda one: list(one.objects)[1],
    "agent.objects.keys()[1].number": lambda one: list(one.objects)[1].number,
    "agent.objects.values()[1]": lambda one: list(one.objects.values())[1],
    "agent.net[0].weight": lambda one: one.net[0].weight,
    "agent.net[1].training": lambda one: one.net[1].training,
    "agent.nets['pi'].bias": lambda one: one.nets["pi"].bias,
    "agent.odd.get_submodule('0').weight": lambda one: one.odd.get_submodule("0").weight,
    "agent.odd.note": lambda one: one.odd.note,
    "agent.optimizer.param_groups[0]['lr']": lambda one: one.optimizer.param_groups[0]["lr"],
    "agent.optimizer.state[1]['step']": lambda one: one.optimizer.state[one.net[0].bias]["step"],
    "agent.array.flat[1]": lambda one: one.array[1],
}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_leads_to_what_it_names(path: str) -> None:
    one = agent()
    assert place_of({"agent": one}, path).value is PATHS[path](one)


@pytest.mark.parametrize("path", sorted({*PATHS} - {"agent", "agent.pair[1]", "agent.objects.keys()[1]"}))
def test_what_is_put_there_is_there(path: str) -> None:
    one = agent()
    new = nn.Parameter(torch.ones(1)) if "weight" in path or "bias" in path else 77
    place_of({"agent": one}, path).put(new)
    assert PATHS[path](one) is new


@pytest.mark.parametrize("path", ["agent", "agent.pair[1]", "agent.objects.keys()[1]"])
def test_what_is_fixed_is_neither_replaced_nor_removed(path: str) -> None:
    place = place_of({"agent": agent()}, path)
    with pytest.raises(NoPlaceError, match="is fixed"):
        place.put(77)
    with pytest.raises(NoPlaceError, match="is fixed"):
        place.remove()


@pytest.mark.parametrize(
    "path",
    [
        *("agent.number", "agent.items[0]", "agent.table['a']", "agent.objects.values()[1]"),
        *("agent.net[0]", "agent.odd.note", "agent.nets['pi'].bias", "agent.optimizer.state[1]"),
    ],
)
def test_what_is_removed_is_no_longer_there(path: str) -> None:
    one = agent()
    before = place_of({"agent": one}, path).value
    place_of({"agent": one}, path).remove()
    try:
        now = place_of({"agent": one}, path).value
    except NoPlaceError:
        return
    assert now is not before


@pytest.mark.parametrize(
    "path",
    [
        *(
            "other",
            "agent.missing",
            "agent.items[9]",
            "agent.items['a']",
            "agent.table['b']",
            "agent.table[6]",
        ),
        *("agent.objects.values()[2]", "agent.net[7]", "agent.net.missing", "agent.optimizer.state[9]"),
        *("agent.optimizer.state[x]", "agent.number[0]", "agent.items[0", "agent!", "agent.0"),
    ],
)
def test_a_path_that_leads_nowhere_is_told(path: str) -> None:
    with pytest.raises((NoPlaceError, TypeError)):
        place_of({"agent": agent()}, path).put(1)


def test_an_empty_entry_of_an_optimizer_is_no_place() -> None:
    one = agent()
    one.optimizer.state.clear()
    with pytest.raises(NoPlaceError, match="there is no entry 0"):
        place_of({"agent": one}, "agent.optimizer.state[0]")


def test_an_attribute_of_a_class_is_put_where_it_is_read() -> None:
    one, slotted = WithDefault(), Slotted()
    place_of({"agent": one}, "agent.limit").put(4)
    assert (one.limit, WithDefault.limit) == (4, 3)
    slotted.value = 1
    place_of({"agent": slotted}, "agent.value").put(2)
    assert slotted.value == 2

    class Base:
        shared = 1

    class Derived(Base):
        pass

    place_of({"agent": Derived}, "agent.shared").put(2)
    assert "shared" not in vars(Derived)
    assert Base.shared == 2


def test_what_a_function_holds_is_a_place() -> None:
    held = [1]

    def function() -> list[int]:
        return held

    place = place_of({"agent": SimpleNamespace(use=function)}, "agent.use.__closure__[0]")
    assert place.value is held
    place.put([2])
    assert function() == [2]


def test_every_object_that_is_found_is_at_its_path() -> None:
    roots = {"agent": agent()}
    for path, found in find(roots, object).items():
        assert place_of(roots, path).value is found, path


@pytest.mark.parametrize(
    ("path", "holder", "component"),
    [
        ("agent", "agent", "agent"),
        ("agent.net", "agent", "agent.net"),
        ("agent.net[0].weight", "agent.net[0]", "agent.net"),
        ("agent.table['a.b[0]']", "agent.table", "agent.table"),
        ("agent.objects.keys()[1]", "agent.objects", "agent.objects"),
        ("agent.objects.values()[1].x", "agent.objects.values()[1]", "agent.objects"),
        ("agent.odd.get_submodule('a.b').weight", "agent.odd.get_submodule('a.b')", "agent.odd"),
        ("agent.deque[3]", "agent.deque", "agent.deque"),
    ],
)
def test_a_path_is_in_its_holder_and_that_in_a_component(path: str, holder: str, component: str) -> None:
    assert holder_of(path) == holder
    assert component_of(path) == component


def test_items_of_a_deque_can_be_replaced() -> None:
    one = SimpleNamespace(memory=collections.deque([1, 2]))
    place_of({"agent": one}, "agent.memory[1]").put(3)
    place_of({"agent": one}, "agent.memory[0]").remove()
    assert list(one.memory) == [3]

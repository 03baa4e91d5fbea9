# SPDX-License-Identifier: MIT
"""State is discovered wherever an agent keeps it, and what cannot be looked into is said."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import io
import logging
import os
import select
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from states import changes, look
from torch import nn

from verification.state import Snapshot, compare, take

# -- hiding places ------------------------------------------------------------------------------------------


class Slotted:
    __slots__ = ("__private", "public")

    def __init__(self) -> None:
        self.__private = 1
        self.public = 2

    def bump(self) -> None:
        self.__private += 1


class SlottedChild(Slotted):
    __slots__ = ("own",)

    def __init__(self) -> None:
        super().__init__()
        self.own = 3


@dataclasses.dataclass(frozen=True)
class Frozen:
    value: int
    box: list[int]


@dataclasses.dataclass(slots=True)
class SlottedData:
    value: int


class Pair(NamedTuple):
    left: int
    right: list[int]


class CountingList(list):  # type: ignore[type-arg]
    total = 0


class CountingDict(dict):  # type: ignore[type-arg]
    total = 0


def hidden_in_closure() -> tuple[Any, Any]:
    count = 0

    def bump() -> None:
        nonlocal count
        count += 1

    return bump, None


def hidden_in_function_attribute() -> Any:
    def schedule() -> int:
        return 0

    schedule.calls = 0  # type: ignore[attr-defined]
    return schedule


def _setattr(name: str) -> Any:
    return lambda agent: setattr(agent.x, name, 99)


HIDING_PLACES = {
    "attribute": (lambda: SimpleNamespace(n=1), _setattr("n"), "agent.x.n"),
    "slot": (SlottedChild, _setattr("own"), "agent.x.own"),
    "slot of a base class": (SlottedChild, _setattr("public"), "agent.x.public"),
    "private slot": (SlottedChild, lambda agent: agent.x.bump(), "agent.x._Slotted__private"),
    "dataclass with slots": (lambda: SlottedData(1), _setattr("value"), "agent.x.value"),
    "list in a frozen dataclass": (
        lambda: Frozen(1, [1]),
        lambda a: a.x.box.__setitem__(0, 2),
        "agent.x.box[0]",
    ),
    "list": (lambda: [1, 2], lambda agent: agent.x.__setitem__(1, 5), "agent.x[1]"),
    "dict": (lambda: {"a": 1}, lambda agent: agent.x.update(a=2), "agent.x['a']"),
    "dict with int keys": (lambda: {3: 1}, lambda agent: agent.x.update({3: 2}), "agent.x[3]"),
    "dict with tuple keys": (
        lambda: {(1, 2): 1},
        lambda agent: agent.x.update({(1, 2): 5}),
        "agent.x.values()[0]",
    ),
    "named tuple": (lambda: Pair(1, [1]), lambda agent: agent.x.right.__setitem__(0, 7), "agent.x.right[0]"),
    "deque": (lambda: collections.deque([1, 2], 3), lambda agent: agent.x.__setitem__(0, 9), "agent.x[0]"),
    "set": (lambda: {1, 2}, lambda agent: agent.x.add(3), "agent.x"),
    "user dict": (
        lambda: collections.UserDict(a=1),
        lambda agent: agent.x.__setitem__("a", 2),
        "agent.x['a']",
    ),
    "counter": (
        lambda: collections.Counter("aab"),
        lambda agent: agent.x.__setitem__("a", 9),
        "agent.x['a']",
    ),
    "attribute of a list": (lambda: CountingList([1]), _setattr("total"), "agent.x.total"),
    "attribute of a dict": (lambda: CountingDict(a=1), _setattr("total"), "agent.x.total"),
    "attribute of a tensor": (lambda: nn.Parameter(torch.ones(1)), _setattr("rank"), "agent.x.rank"),
    "factory of a defaultdict": (
        lambda: collections.defaultdict(int),
        _setattr("default_factory"),
        "agent.x.default_factory",
    ),
    "closure": (lambda: hidden_in_closure()[0], lambda agent: agent.x(), "agent.x.__closure__[0]"),
    "attribute of a function": (hidden_in_function_attribute, _setattr("calls"), "agent.x.calls"),
    "default of a function": (
        lambda: lambda box=[1]: box,
        lambda agent: agent.x().append(2),
        "agent.x.__defaults__[0]",
    ),
    "keyword default of a function": (
        lambda: lambda *, box=[1]: box,
        lambda agent: agent.x().__setitem__(0, 2),
        "agent.x.__kwdefaults__['box'][0]",
    ),
    "partial": (
        lambda: functools.partial(max, [1], key=abs),
        lambda agent: agent.x.args[0].__setitem__(0, 2),
        "agent.x.args[0][0]",
    ),
    "object of a bound method": (
        lambda: SlottedChild().bump,
        lambda agent: agent.x(),
        "agent.x.__self__._Slotted__private",
    ),
    "object of a bound builtin": (
        lambda: [1].append,
        lambda agent: agent.x.__self__.__setitem__(0, 2),
        "agent.x.__self__[0]",
    ),
    "object array": (
        lambda: np.array([1, [2]], dtype=object),
        lambda a: a.x[1].__setitem__(0, 3),
        "agent.x.flat[1][0]",
    ),
    "enum": (
        lambda: SimpleNamespace(n=enum.Enum("Color", "RED BLUE").RED),
        lambda agent: setattr(agent.x, "n", type(agent.x.n).BLUE),
        "agent.x.n",
    ),
    "buffer of a module": (
        lambda: nn.BatchNorm1d(2),
        lambda a: a.x.running_mean.add_(1),
        "agent.x.running_mean",
    ),
    "plain attribute of a module": (nn.ReLU, _setattr("scale"), "agent.x.scale"),
}


@pytest.mark.parametrize("place", HIDING_PLACES)
def test_state_is_found_wherever_it_hides(place: str) -> None:
    make, change, path = HIDING_PLACES[place]
    agent = SimpleNamespace(x=make())
    assert compare(look(agent), look(agent)) == []
    assert path in changes(agent, change)


def test_numbers_hidden_in_a_recursive_closure_are_found_once_and_quickly() -> None:
    def make() -> Any:
        seen = [0]

        def even(n: int) -> bool:
            seen[0] += 1
            return n == 0 or odd(n - 1)

        def odd(n: int) -> bool:
            return n != 0 and (even(n - 1) or odd(n - 2))

        return even

    agent = SimpleNamespace(f=make())
    assert len(look(agent)) < 20
    assert len(changes(agent, lambda agent: agent.f(0))) == 1


def test_functions_that_do_something_else_differ() -> None:
    def agents(*functions: Any) -> list[Snapshot]:
        return [look(SimpleNamespace(schedule=function)) for function in functions]

    tenth, third, same = agents(lambda _: 0.1, lambda _: 0.3, lambda _: 0.1)
    assert [one.path for one in compare(tenth, third)] == ["agent.schedule"]
    assert compare(tenth, same) == []
    sine, cosine = agents(np.sin, np.cos)
    assert compare(sine, cosine)


def test_cycles_and_shared_objects_end() -> None:
    agent = SimpleNamespace(items=[], parent=None)
    agent.parent = agent
    agent.items.append(agent.items)
    agent.child = {"owner": agent}
    snapshot = look(agent)
    for path, target in (
        ("agent.parent", "agent"),
        ("agent.items[0]", "agent.items"),
        ("agent.child['owner']", "agent"),
    ):
        assert snapshot.leaves[path].kind == "identity"
        assert snapshot.leaves[path].value == target


def test_very_deep_nesting_is_reported_instead_of_overflowing() -> None:
    deep: list[Any] = []
    for _ in range(1000):
        deep = [deep]
    snapshot = look(deep)
    assert "nested deeper" in next(iter(snapshot.opaque.values()))


# -- what cannot be looked into -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "thing",
    [
        {object()},
        frozenset({object()}),
        logging.getLogger("agent"),
        io.FileIO(os.devnull),
        select.poll(),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_cannot_be_looked_into_is_reported(thing: object) -> None:
    snapshot = look(SimpleNamespace(x=thing))
    assert list(snapshot.opaque) == ["agent.x"]
    assert type(thing).__name__ in snapshot.opaque["agent.x"]
    assert "agent.x" not in snapshot.leaves


def test_a_known_value_that_became_opaque_is_a_difference() -> None:
    before, after = look(SimpleNamespace(x=1)), look(SimpleNamespace(x=select.poll()))
    (difference,) = compare(before, after)
    assert (difference.path, difference.aspect, difference.actual) == ("agent.x", "type", "select.poll")


# -- unusual tensors ----------------------------------------------------------------------------------------


TENSORS = {
    "coo": torch.Tensor.to_sparse,
    "csr": torch.Tensor.to_sparse_csr,
    "bfloat16": torch.Tensor.bfloat16,
    "float8": lambda dense: dense.to(torch.float8_e4m3fn),
    "complex": lambda dense: torch.complex(dense, dense),
    "conjugated": lambda dense: torch.complex(dense, dense).conj(),
    "bool": lambda dense: dense > 2,
    "expanded": lambda dense: dense[:1, :1].expand(3, 1),
    "scalar": lambda dense: dense[0, 0],
}


@pytest.mark.filterwarnings("ignore")  # torch announces that some of these are experimental
@pytest.mark.parametrize("kind", TENSORS)
def test_tensors_of_every_kind_are_compared(kind: str) -> None:
    before, same, after = (
        look(TENSORS[kind](torch.tensor([[value, 0.0], [0.0, 1.0]]))) for value in (2.0, 2.0, 3.0)
    )
    assert compare(before, same) == []
    (difference,) = compare(before, after)
    assert (difference.path, difference.aspect) == ("agent", "value")


@pytest.mark.filterwarnings("ignore")  # as above
def test_meta_and_nested_tensors_do_not_stop_the_walk() -> None:
    nested = torch.nested.nested_tensor([torch.ones(1), torch.ones(2)])
    snapshot = look(SimpleNamespace(meta=torch.empty(3, device="meta"), nested=nested, counter=1))
    assert {"agent.meta", "agent.nested", "agent.counter"} <= snapshot.leaves.keys()


def test_a_gradient_scaler_is_the_same_before_and_after_its_first_use() -> None:
    used, loaded = (torch.amp.GradScaler("cpu", init_scale=scale) for scale in (4.0, 8.0))
    used.scale(torch.ones(()))
    assert compare(take({"scaler": used}), take({"scaler": loaded}))
    loaded.load_state_dict(used.state_dict())
    assert compare(take({"scaler": used}), take({"scaler": loaded})) == []
    assert take({"scaler": used}).leaves["scaler._scale"].value == 4.0


def test_a_gradient_scaler_that_is_switched_off_holds_no_scale() -> None:
    assert "scaler._scale" not in take({"scaler": torch.amp.GradScaler("cpu", enabled=False)}).leaves


class Slotted:
    __slots__ = ("empty", "filled")


def test_behind_an_empty_slot_the_others_are_found() -> None:
    one = Slotted()
    one.filled = 5
    assert look(SimpleNamespace(one=one)).leaves["agent.one.filled"].value == 5


def test_a_set_names_its_items_by_where_they_are_found_at_last() -> None:
    loose = nn.Parameter(torch.ones(1))
    agent = SimpleNamespace(chosen={loose}, optimizer=torch.optim.SGD([loose], 0.1))
    snapshot = look(agent)
    assert snapshot.opaque == {}
    assert snapshot.leaves["agent.chosen"].value == "agent.optimizer.param_groups[0]['params'][0]"

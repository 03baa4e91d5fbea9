# SPDX-License-Identifier: MIT
"""Whatever things hold one another, it is looked into them as deep."""

from __future__ import annotations

import collections
import ctypes
import functools
import multiprocessing
import queue
import weakref
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
import torch
from states import changes, look

from verification.state.walker import _MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Key:
    """Equal to nothing but itself."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def get(self) -> Any:
        return self.held


class Pair(NamedTuple):
    number: int
    held: Any


class Slotted:
    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held


class Kept(weakref.ref[Any]):
    """A weak reference with something of its own."""

    note = 0


def queued(held: Any) -> Any:
    made: Any = queue.SimpleQueue()
    made.put(held)
    return made


def module(held: Any) -> torch.nn.Module:
    made = torch.nn.Module()
    made.held = held
    return made


class Number(int):
    held: Any


def number(held: Any) -> Number:
    made = Number(1)
    made.held = held
    return made


class Structure(ctypes.Structure):
    _fields_ = (("held", ctypes.py_object),)


def begun(held: Any) -> Any:
    def steps() -> Iterator[Any]:
        mine = held
        yield
        del mine

    made = steps()
    next(made)
    return made


def closure(held: Any) -> Callable[[], Any]:
    return lambda: held


#: What holds one thing, and how many levels that takes.
HOLDERS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "list": (lambda held: [held], 1),
    "tuple": (lambda held: (held,), 1),
    "named tuple": (lambda held: Pair(1, held), 1),
    "deque": (lambda held: collections.deque([held]), 1),
    "dictionary": (lambda held: {"held": held}, 1),
    "dictionary of objects": (lambda held: {Key(1): held}, 1),
    "key of a dictionary": (lambda held: {Key(held): 1}, 2),
    "default of a dictionary": (lambda held: collections.defaultdict(functools.partial(print, held)), 3),
    "attribute": (lambda held: SimpleNamespace(held=held), 1),
    "slot": (Slotted, 1),
    "module": (module, 1),
    "queue": (queued, 1),
    "closure": (closure, 1),
    "default of a function": (lambda held: lambda one=held: one, 2),
    "partial": (lambda held: functools.partial(print, held), 2),
    "iterator": (lambda held: iter([held]), 1),
    "array of objects": (lambda held: np.array([held, None], object), 1),
    "attribute of a number": (number, 1),
    "method": (lambda held: Key(held).get, 2),
    "ctypes": (ctypes.py_object, 1),
    "structure of ctypes": (lambda held: Structure(ctypes.py_object(held)), 1),
    "generator": (begun, 1),
}


def nested(kind: str, depth: int) -> Any:
    """Something that lies in so many levels of a kind, as an attribute of an agent."""
    hold, levels = HOLDERS[kind]
    held: Any = [1]
    for _ in range((depth - 1) // levels):
        held = hold(held)
    for _ in range((depth - 1) % levels):
        held = [held]
    return SimpleNamespace(value=held)


@pytest.mark.parametrize("kind", HOLDERS)
def test_the_depth_that_is_looked_into_does_not_depend_on_what_is_nested(kind: str) -> None:
    assert look(nested(kind, _MAX_DEPTH)).opaque == {}
    too_deep = look(nested(kind, _MAX_DEPTH + 1)).opaque.values()
    assert f"list (nested deeper than {_MAX_DEPTH})" in too_deep


def test_what_classes_hold_is_looked_into_as_deep() -> None:
    class Holder:
        table = nested("list", _MAX_DEPTH + 1).value

    assert look(Holder()).opaque == {}
    Holder.table = [Holder.table]
    assert list(look(Holder()).opaque.values()) == [f"list (nested deeper than {_MAX_DEPTH})"]


def test_a_value_that_processes_share_is_a_level() -> None:
    held: Any = multiprocessing.Value("i", 5)
    for _ in range(_MAX_DEPTH - 2):
        held = [held]
    assert look(SimpleNamespace(value=held)).opaque == {}
    (path,) = look(SimpleNamespace(value=[held])).opaque
    assert path.endswith(".get_obj()")


def test_what_lies_in_the_key_of_a_mapping_is_state() -> None:
    agent = SimpleNamespace(table={Key(1): "one", Key(2): "two"})

    def change(agent: Any) -> None:
        list(agent.table)[1].held = 3

    assert changes(agent, change) == ["agent.table.keys()[1].held"]


def test_what_a_weak_reference_holds_beside_is_state() -> None:
    target = Key(1)
    agent = SimpleNamespace(one=Kept(target))
    assert changes(agent, lambda agent: setattr(agent.one, "note", 2)) == ["agent.one.note"]
    assert changes(agent, lambda _: setattr(target, "held", 2)) == ["agent.one().held"]

# SPDX-License-Identifier: MIT
"""Keeps what a value holds, so that it can be put back later into the very same objects."""

from __future__ import annotations

import array
import collections
import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from verification.state.generators import GENERATORS
from verification.state.introspect import own_code, slots
from verification.state.iterators import C_ITERATORS
from verification.state.transplant import set_generator

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Puts back what was kept; returns the object that holds it: the original, if that could take it in.
PutBack = Callable[[], Any]

# A class that holds all its agents would have them kept as a whole.
_MOST = 2000


class TooMuchError(Exception):
    """A value holds too much to be kept."""


def keep(value: Any) -> PutBack:
    """Keep what ``value`` holds now, through plain containers and objects of the agent's own code.

    Raises:
        TooMuchError: if it holds too many objects.
    """
    keeper = _Keeper()
    put_back = keeper.keep(value)

    def put_all_back() -> Any:
        keeper.put.clear()
        return put_back()

    return put_all_back


class _Keeper:
    """Keeps the objects that one value leads to, each once."""

    def __init__(self) -> None:
        self.put: dict[int, Any] = {}  # what was put back already, by the original's id: values have circles
        self._kept: dict[int, PutBack] = {}

    def keep(self, value: Any) -> PutBack:
        if id(value) in self._kept:
            return self._kept[id(value)]
        if len(self._kept) >= _MOST:
            raise TooMuchError
        self._kept[id(value)] = lambda: self.put.get(id(value), value)  # in a circle
        inner = self._inner(value)

        def put_back() -> Any:
            if id(value) not in self.put:
                self.put[id(value)] = value
                self.put[id(value)] = inner()
            return self.put[id(value)]

        self._kept[id(value)] = put_back
        return put_back

    def _inner(self, value: Any) -> PutBack:
        match value:
            case torch.Tensor():
                return _tensor(value)
            case np.ndarray():
                return _array(value)
            case torch.Generator():
                made = torch.Generator(device=value.device)
                made.set_state(value.get_state())
                return lambda: (set_generator(value, made), value)[1]
            case _ if isinstance(value, GENERATORS):
                other = copy.deepcopy(value)
                return lambda: value if set_generator(value, other) else copy.deepcopy(other)
            case _ if isinstance(value, C_ITERATORS):
                ahead = copy.copy(value)
                return lambda: copy.copy(ahead)
            case bytearray() | array.array():
                held = value[:]
                return lambda: _fill(value, held)
            case list() | collections.deque():
                items = self._all(value)
                return lambda: _refill(value, [put() for put in items])
            case tuple():
                items = self._all(value)
                return lambda: _tuple(value, [put() for put in items])
            case dict():
                entries = list(zip(value, self._all(value.values()), strict=True))
                return lambda: _entries(value, [(key, put()) for key, put in entries])
            case set():
                members = frozenset(value)
                return lambda: _members(value, members)
            case _ if own_code(type(value)) or isinstance(value, torch.nn.Module | torch.optim.Optimizer):
                return self._attributes(value)
        return lambda: value

    def _all(self, values: Iterable[Any]) -> list[PutBack]:
        return [self.keep(value) for value in values]

    def _attributes(self, value: Any) -> PutBack:
        named = [(name, self.keep(one)) for name, one in getattr(value, "__dict__", {}).items()]
        slotted = [
            (name, self.keep(getattr(value, name))) for name in slots(type(value)) if hasattr(value, name)
        ]

        def put_back() -> Any:
            if hasattr(value, "__dict__"):
                attributes = {name: put() for name, put in named}
                vars(value).clear()
                vars(value).update(attributes)
            for name, put in slotted:
                object.__setattr__(value, name, put())
            return value

        return put_back


def _tensor(value: torch.Tensor) -> PutBack:
    held = value.detach().clone()

    def put_back() -> torch.Tensor:
        with torch.no_grad():
            if value.shape != held.shape or value.dtype != held.dtype:
                value.data = held.clone()
            else:
                value.detach().copy_(held)
        return value

    return put_back


def _array(value: np.ndarray[Any, Any]) -> PutBack:
    held = value.copy()

    def put_back() -> np.ndarray[Any, Any]:
        if value.shape != held.shape or value.dtype != held.dtype or not value.flags.writeable:
            return held.copy()
        np.copyto(value, held)
        return value

    return put_back


def _fill(value: Any, held: Any) -> Any:
    value[:] = held
    return value


def _refill(value: Any, items: list[Any]) -> Any:
    value.clear()
    value.extend(items)
    return value


def _tuple(value: tuple[Any, ...], items: list[Any]) -> tuple[Any, ...]:
    if all(one is other for one, other in zip(value, items, strict=True)):
        return value
    kind: Any = type(value)
    made: tuple[Any, ...] = kind._make(items) if hasattr(kind, "_make") else kind(items)
    return made


def _entries(value: dict[Any, Any], entries: list[tuple[Any, Any]]) -> dict[Any, Any]:
    dict.clear(value)
    dict.update(value, entries)
    return value


def _members(value: set[Any], members: frozenset[Any]) -> set[Any]:
    value.clear()
    value.update(members)
    return value

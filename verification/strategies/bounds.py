# SPDX-License-Identifier: MIT
"""Bounds: the values that an argument of a strategy allows, checked when the strategy is made.

Every bound is a sequence of allowed values, simplest first: a falsifying example shrinks towards the
first value of each.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def cached(strategy: Callable[P, R]) -> Callable[P, R]:
    """Make the strategy once for each set of bounds: an adapter asks anew for every example.

    All arguments of ``strategy`` are bounds, given by keyword.
    """
    remembered = functools.lru_cache(maxsize=64)(cast("Callable[..., R]", strategy))

    @functools.wraps(strategy)
    def made(**arguments: Any) -> R:
        return remembered(**{name: _sequence(name, values) for name, values in arguments.items()})

    return cast("Callable[P, R]", made)


def choices(argument: str, values: Sequence[T], *, allowed: Collection[T]) -> tuple[T, ...]:
    """``values`` as a tuple, after checking that each is one of ``allowed``.

    Raises:
        TypeError: ``values`` is a single value instead of a sequence.
        ValueError: ``values`` is empty or has a value that is not allowed.
    """
    chosen = _sequence(argument, values)
    for value in chosen:
        if value not in allowed:
            known = ", ".join(map(repr, allowed))
            raise ValueError(f"{argument} has {value!r}, which is not one of {known}")
    return chosen


def integers(argument: str, values: Sequence[int], *, minimum: int) -> tuple[int, ...]:
    """``values`` as a tuple, after checking that each is an integer of at least ``minimum``.

    Raises:
        TypeError: ``values`` is a single value instead of a sequence.
        ValueError: ``values`` is empty or has something else than integers from ``minimum`` up.
    """
    chosen = _sequence(argument, values)
    for value in chosen:
        if not isinstance(value, int) or value < minimum:
            raise ValueError(f"{argument} has {value!r}; it must hold integers of at least {minimum}")
    return chosen


def _sequence(argument: str, values: Sequence[T]) -> tuple[T, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError(f"{argument} is {values!r}; it must be a sequence of allowed values: ({values!r},)")
    chosen = tuple(values)
    if not chosen:
        raise ValueError(f"{argument} is empty; it must allow at least one value")
    return chosen

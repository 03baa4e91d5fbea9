# SPDX-License-Identifier: MIT
"""Does anything read a leaf? It is changed on purpose in an agent that is otherwise whole."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from verification.state.places import NoPlaceError, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Meddle = Callable[[Mapping[str, object]], None]
#: What is done with a number: the operation, and with what.
Use = tuple[str, object]

# Values tried for one number.
_TRIES = 6
# How many horizons a count is advanced by, one after the other, and then by what no run comes to.
_HORIZONS, _FAR = 5, 1_000_000


def shaken(paths: Iterable[str]) -> Meddle:
    """Changes every element of the tensors and arrays at ``paths``, and turns truth values round."""

    def meddle(roots: Mapping[str, object]) -> None:
        for path in paths:
            try:
                place = place_of(roots, path)
                _shake(place.value, place.put)
            except (NoPlaceError, AttributeError, TypeError, ValueError, RuntimeError):
                continue  # what cannot be changed is left to what follows from it by itself

    return meddle


def _shake(value: Any, put: Callable[[Any], None]) -> None:
    if isinstance(value, torch.Tensor):
        with torch.no_grad():
            if value.is_floating_point():
                value.detach().mul_(1.5).add_(0.25)
            elif value.dtype is not torch.bool:
                value.detach().add_(1)
            else:
                value.detach().logical_not_()
    elif isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        if value.dtype.kind == "b":
            np.logical_not(value, out=value)
        elif value.dtype.kind == "f":
            value[...] = value * 1.5 + 0.25
        else:
            value += 1
    elif isinstance(value, bool):
        put(not value)


def is_number(value: object) -> bool:
    """Whether a value is a number of Python or numpy, and no truth value."""
    return type(value) in (int, float) or isinstance(value, np.integer | np.floating)


def is_count(value: object) -> bool:
    """Whether a value is a whole number in a tensor or an array, which may be a counter."""
    if isinstance(value, torch.Tensor):
        return value.numel() == 1 and not (
            value.is_floating_point() or value.is_complex() or value.dtype is torch.bool
        )
    return isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "iu"


def steps_ahead(horizon: int) -> Iterator[int]:
    """By how much a count is advanced, to be seen where it comes to what it is compared with.

    What is done with a tensor cannot be watched as with a number; runs as far as the horizon, each from where
    the one before has ended, come by all that lies near.
    """
    yield from (horizon * times for times in range(1, _HORIZONS + 1))
    yield _FAR


def advanced(paths: Iterable[str], ahead: int) -> Meddle:
    """Advances the counts in the tensors and arrays at ``paths``."""

    def meddle(roots: Mapping[str, object]) -> None:
        for path in paths:
            with contextlib.suppress(
                NoPlaceError, AttributeError, TypeError, ValueError, RuntimeError, OverflowError
            ):
                count: Any = place_of(roots, path).value
                count += ahead

    return meddle


def replaced(path: str, value: object) -> Meddle:
    """Puts a value at ``path``, where there is such a place: not inside of an object that is only encoded."""

    def meddle(roots: Mapping[str, object]) -> None:
        with contextlib.suppress(NoPlaceError, AttributeError, TypeError, ValueError):
            place_of(roots, path).put(value)

    return meddle


def watched(numbers: Mapping[str, float], used: Mapping[str, list[Use]]) -> Meddle:
    """Puts numbers at their paths that write down what is done with them, but for counting and printing."""

    def meddle(roots: Mapping[str, object]) -> None:
        for path, number in numbers.items():
            replaced(path, _watching(number, used[path]))(roots)

    return meddle


def telling_values(number: float, used: Iterable[Use]) -> list[Any]:
    """Values of a number for which what was done with it comes out differently.

    A counter that is taken modulo 1,000 is tried just before it gets there, a limit on both sides of what it
    is compared with.
    """
    found: list[Any] = []
    for operation, other in used:
        if isinstance(other, bool) or not isinstance(other, int | float | np.integer | np.floating):
            continue
        if operation in {"mod", "floordiv", "divmod"} and other:
            found += [other - 1, other - 2, other - 3]
        elif operation in {"lt", "le", "gt", "ge", "eq", "ne"}:
            found += [other, other + 1, other - 1]
        elif operation in {"rmod", "rfloordiv", "rdivmod"}:
            found += [1, 2, 3]
    found += [number + 1, number * 2 + 1]
    if isinstance(number, float | np.floating):  # a score may be the best of several, or the worst
        found.append(-number * 2 - 1)
    kept = [type(number)(one) for one in found]
    return [one for one in dict.fromkeys(kept) if one != number][:_TRIES]


def comes_out_alike(number: Any, other: Any, used: Iterable[Use]) -> bool:
    """Whether a number was used as a place in a ring only, and another is the same place."""
    if not is_number(other) or number == other:
        return False
    sizes = []
    for operation, by in used:
        if operation != "mod" or not is_number(by) or not by or number % by != other % by:
            return False
        sizes.append(by)
    return bool(sizes) and 0 <= other < max(sizes)  # type: ignore[type-var]


_COUNTING = ("add", "radd", "sub", "rsub")
_READING = (
    *("mul", "rmul", "truediv", "rtruediv", "floordiv", "rfloordiv", "mod", "rmod", "divmod", "rdivmod"),
    *("pow", "rpow", "lt", "le", "gt", "ge", "eq", "ne", "and", "rand", "or", "ror", "xor", "rxor"),
    *("lshift", "rlshift", "rshift", "rrshift"),
)
_LOOKING = ("bool", "float", "int", "index", "neg", "abs", "hash")


def _watching(number: float, used: list[Use]) -> Any:
    """A number of a subclass whose operations are written down in ``used``; sums are of that class again."""
    base: type = type(number)

    def counting(name: str) -> Any:
        def operation(self: Any, other: Any) -> Any:
            result = getattr(base, f"__{name}__")(self, other)
            return result if result is NotImplemented or type(result) is not base else kind(result)

        return operation

    def reading(name: str) -> Any:
        def operation(self: Any, other: Any) -> Any:
            used.append((name, other))
            return getattr(base, f"__{name}__")(self, other)

        return operation

    def looking(name: str) -> Any:
        def operation(self: Any) -> Any:
            used.append((name, None))
            return getattr(base, f"__{name}__")(self)

        return operation

    members: dict[str, Any] = {}
    for names, make in ((_COUNTING, counting), (_READING, reading), (_LOOKING, looking)):
        members |= {f"__{name}__": make(name) for name in names if hasattr(base, f"__{name}__")}
    kind: Any = type(base.__name__, (base,), members)
    return kind(number)

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
    from collections.abc import Iterable

Meddle = Callable[[Mapping[str, object]], None]
#: What is done with a number: the operation, and with what.
Use = tuple[str, object]

# Values tried for one number.
_TRIES = 6


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


def telling_values(number: float, used: Iterable[Use]) -> list[int | float]:
    """Values of a number for which what was done with it comes out differently.

    A counter that is taken modulo 1,000 is tried just before it gets there, a limit on both sides of what it
    is compared with.
    """
    found: list[int | float] = []
    for operation, other in used:
        if isinstance(other, bool) or not isinstance(other, int | float):
            continue
        if operation in {"mod", "floordiv", "divmod"} and other:
            found += [other - 1, other - 2, other - 3]
        elif operation in {"lt", "le", "gt", "ge", "eq", "ne"}:
            found += [other, other + 1, other - 1]
        elif operation in {"rmod", "rfloordiv", "rdivmod"}:
            found += [1, 2, 3]
    found += [number + 1, number * 2 + 1]
    kept = [type(number)(one) for one in found]
    return [one for one in dict.fromkeys(kept) if one != number][:_TRIES]


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

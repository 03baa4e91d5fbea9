# SPDX-License-Identifier: MIT
"""How the walker visits iterators and generators: an iterator is what it will give next."""

from __future__ import annotations

import array
import collections
import gc
import itertools
import types
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from verification.state.introspect import code_bytes, type_name

if TYPE_CHECKING:
    from verification.state.walker import Walker

_ENTRIES = (list, tuple, str, bytes, bytearray, range, collections.deque, array.array)
_SOURCES: tuple[Any, ...] = (
    [],
    (),
    "",
    "é",
    b"",
    bytearray(),
    range(1),
    range(2**70),
    set(),
    memoryview(b""),
)
_SOURCES += ({}, {}.values(), {}.items(), collections.OrderedDict(), collections.deque(), array.array("b"))
_REVERSIBLE: tuple[Any, ...] = ([], {}, {}.values(), {}.items(), collections.deque())
#: Iterators written in C, which hold no attributes.
C_ITERATORS: tuple[type, ...] = (
    *{type(iter(source)) for source in _SOURCES},
    *{type(reversed(source)) for source in _REVERSIBLE},
    *(kind for kind in vars(itertools).values() if isinstance(kind, type)),
    *(type(iter(int, 1)), type(itertools.tee(())[0]), enumerate, zip, map, filter, reversed),
)
GENERATORS: dict[type, str] = {
    types.GeneratorType: "gi",
    types.CoroutineType: "cr",
    types.AsyncGeneratorType: "ag",
}


def visit_iterator(walker: Walker, iterator: Any, path: str, role: str, depth: int) -> None:
    """An iterator written in C: the items to come, or what it is made of. Nothing is drawn from it."""
    if walker.seen(iterator, path, role):
        return
    upcoming = _cycle(iterator) if isinstance(iterator, itertools.cycle) else _upcoming(iterator)
    if upcoming is not None:
        # That a list was copied and cut since, as a checkpoint may do, changes nothing that comes.
        plain = isinstance(upcoming, range | str | bytes)
        told = repr(upcoming) if plain else f"{len(upcoming)} items to come"
        walker.record(
            path, role, "container", told.encode("utf-8", "backslashreplace"), told, type=_family(iterator)
        )
        for index, item in enumerate(() if plain else upcoming):
            walker.visit(item, f"{path}.upcoming[{index}]", role, depth + 1)
        return
    if isinstance(iterator, itertools.count | itertools.repeat):  # they print all that they hold
        walker.record(path, role, "scalar", repr(iterator).encode(), repr(iterator), type=type_name(iterator))
        return
    walker.record(path, role, "object", type_name(iterator).encode(), type_name(iterator))
    reduced = _reduced(iterator)
    if reduced is None:
        _visit_referents(walker, iterator, path, role, depth)
        return
    walker.visit(reduced[1], f"{path}.__reduce__()[1]", role, depth + 1)
    if len(reduced) > 2:
        walker.visit(reduced[2], f"{path}.__reduce__()[2]", role, depth + 1)


def _family(iterator: object) -> str:
    return "itertools.cycle" if isinstance(iterator, itertools.cycle) else "iterator"


def _reduced(iterator: Any) -> tuple[Any, ...] | None:
    """How a copy would be made, from which the position can be read; ``None`` if Python no longer says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            reduced = iterator.__reduce__()
        except TypeError:
            return None
    return reduced if isinstance(reduced, tuple) else None


def _upcoming(iterator: Any) -> Any:
    """The items that an iterator over entries has still to give; ``None`` for one over something else."""
    match _reduced(iterator):
        case (make, (entries,)) if make is iter and isinstance(entries, _ENTRIES):
            return entries
        case (make, (entries,), (int() | None) as index) if make is iter and isinstance(entries, _ENTRIES):
            return entries[index or 0 :] if not isinstance(entries, collections.deque) else [*entries][index:]
        case (make, (entries,), int(index)) if make is reversed and isinstance(entries, list | tuple):
            return list(reversed(entries[: index + 1]))
        case (make, (collections.deque() as entries, int(index))) if make is type(iterator):
            ordered = reversed(entries) if "reverse" in make.__name__ else entries
            return list(ordered)[index:]
    return None


def _cycle(iterator: Any) -> list[Any] | None:
    """A whole round of a cycle over entries, from where it is."""
    match _reduced(iterator):
        case (_, (inner,), (list(saved), later_round)):
            rest = _upcoming(inner)
            if rest is None:
                return None
            # In a later round all entries are saved, and the rest are the last of them.
            return [*rest, *saved[: len(saved) - len(rest) if later_round else None]]
    return None


def _visit_referents(walker: Walker, iterator: object, path: str, role: str, depth: int) -> None:
    inner = [one for one in gc.get_referents(iterator) if one is not type(iterator)]
    for index, one in enumerate(inner):
        walker.visit(one, f"{path}.referents[{index}]", role, depth + 1)
    if type(iterator).__name__ != "pairwise":  # which has no numbers of its own
        walker.opaque[path] = f"{type_name(iterator)} (its position, which Python does not tell)"


def visit_generator(walker: Walker, generator: Any, path: str, role: str, depth: int) -> None:
    """A generator: where it stands, its variables, and the iterators of its loops."""
    if walker.seen(generator, path, role):
        return
    prefix = next(short for kind, short in GENERATORS.items() if isinstance(generator, kind))
    code, frame = getattr(generator, f"{prefix}_code"), getattr(generator, f"{prefix}_frame")
    where = f"{generator.__qualname__} " + ("(ended)" if frame is None else f"at {frame.f_lasti}")
    walker.record(path, role, "function", code_bytes(code) + where.encode(), where)
    if frame is None:
        return
    if getattr(generator, f"{prefix}_running"):
        walker.opaque[path] = f"{type_name(generator)} (it is running)"
        return
    variables = dict(frame.f_locals)
    for name, value in variables.items():
        walker.visit(value, f"{path}.{prefix}_frame.f_locals[{name!r}]", role, depth + 1)
    named = {id(value) for value in variables.values()}
    held = [one for one in gc.get_referents(generator) if isinstance(one, Iterator) and id(one) not in named]
    for index, one in enumerate(held):
        walker.visit(one, f"{path}.{prefix}_frame.loops[{index}]", role, depth + 1)

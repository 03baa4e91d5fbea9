# SPDX-License-Identifier: MIT
"""How the walker visits mappings, sequences, sets, queues and weak references."""

from __future__ import annotations

import collections
import enum
import gc
import sys
import weakref
from typing import TYPE_CHECKING, Any

from verification.state.encode import SCALARS, digest, scalar_bytes
from verification.state.introspect import name_of_type, type_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Set

    from verification.state.walker import Walker

# Numbers up to this one are no addresses of objects.
_NO_ADDRESS = 2**32
_WEAK = (weakref.WeakKeyDictionary, weakref.WeakValueDictionary)


def visit_mapping(walker: Walker, mapping: Mapping[Any, Any], path: str, role: str, depth: int) -> None:
    """A dict or anything like it: its keys in their order, and their values."""
    if isinstance(mapping, dict) and _has_address(mapping):  # what lies there may be found only later
        walker.postpone(_visit_mapping, mapping, path, role, depth, rank=2)
    else:
        _visit_mapping(walker, mapping, path, role, depth)


def _visit_mapping(walker: Walker, mapping: Mapping[Any, Any], path: str, role: str, depth: int) -> None:
    if walker.seen(mapping, path, role):
        return
    items = _items(mapping)
    keys = [key for key, _ in items]
    plain = all(isinstance(key, SCALARS) for key in keys)
    names = [_name_of_key(walker, key) for key in keys] if plain else []
    order = _order(names, len(keys), by_name=role in {"moment", "option"})
    walker.record(
        path, role, "container", order.encode("utf-8", "backslashreplace"), order, type=type_name(mapping)
    )
    for index, (key, value) in enumerate(items):
        if plain:
            walker.visit(value, f"{path}[{names[index]}]", role, depth + 1)
        else:
            walker.visit(key, f"{path}.keys()[{index}]", role, depth + 1)
            walker.visit(value, f"{path}.values()[{index}]", role, depth + 1)
    kind = type(mapping)
    if kind is dict:
        return
    if isinstance(mapping, collections.defaultdict):
        walker.visit(mapping.default_factory, f"{path}.default_factory", role, depth + 1)
    if not isinstance(mapping, _WEAK):
        skip = frozenset({"data"}) if isinstance(mapping, collections.UserDict) else frozenset()
        walker.children(mapping, path, role, depth, skip=skip)


def _items(mapping: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """The entries, as the type of dict gives them that the mapping's own class is derived from.

    What a mapping of another kind iterates over may be something else than its keys.
    """
    if isinstance(mapping, collections.OrderedDict):
        return list(collections.OrderedDict.items(mapping))
    if isinstance(mapping, dict):
        return list(dict.items(mapping))
    return [(key, mapping[key]) for key in mapping.keys()]  # noqa: SIM118


def _has_address(mapping: dict[Any, Any]) -> bool:
    keys = list(dict.__iter__(mapping))
    return int in map(type, keys) and any(map(_is_address, keys))


def _is_address(key: object) -> bool:
    return type(key) is int and key > _NO_ADDRESS


def _name_of_key(walker: Walker, key: Any) -> str:
    """A key as Python; the address of an object, which is another one in every run, by where that is."""
    place = walker.path_at(key) if _is_address(key) else None
    return repr(key) if place is None else f"id({place})"


def _order(names: Collection[str], number: int, *, by_name: bool) -> str:
    # Entries of an optimizer are read by name, and their order is not kept by torch itself.
    if not names and number:
        return f"{number} objects"
    return ", ".join(sorted(names) if by_name else names)


def visit_sequence(walker: Walker, items: Any, path: str, role: str, depth: int) -> None:
    """A list, a tuple or a deque."""
    # torch makes the list of a group's parameters anew by loading; whether it is another list is no state.
    parameters = role == "option" and path.endswith("['params']")
    if not isinstance(items, tuple) and not parameters and walker.seen(items, path, role):
        return
    length = f"{len(items)} items"
    meta = {"maxlen": items.maxlen} if isinstance(items, collections.deque) else {}
    walker.record(path, role, "container", length.encode(), length, type=type_name(items), **meta)
    names = getattr(items, "_fields", None) if isinstance(items, tuple) else None
    for index, item in enumerate(_iterated(items)):
        child = f"{path}.{names[index]}" if names else f"{path}[{index}]"
        walker.visit(item, child, role, depth + 1)
    if type(items) not in {list, tuple, collections.deque}:
        walker.children(items, path, role, depth)


def _iterated(items: Any) -> Iterable[Any]:
    """The items of a sequence, whatever its own class would have iterated over."""
    kind = next(kind for kind in (list, tuple, collections.deque) if isinstance(items, kind))
    return kind.__iter__(items)


def visit_set(walker: Walker, items: Set[Any], path: str, role: str, depth: int) -> None:
    """A set, which has no order: its items by their values, or by where else they were found."""
    if not isinstance(items, frozenset) and walker.seen(items, path, role):
        return
    known = [_sortable(item) for item in items]
    if None in known:
        walker.postpone(_visit_set_of_objects, items, path, role, depth, rank=2)
    else:
        content = ", ".join(sorted(map(str, known)))
        data = content.encode("utf-8", "backslashreplace")
        walker.record(path, role, "container", data, content, type=type_name(items))
    if not isinstance(items, weakref.WeakSet):
        walker.children(items, path, role, depth)


def _visit_set_of_objects(walker: Walker, items: Set[Any], path: str, role: str, depth: int) -> None:
    places = [_sortable(item) or walker.path_of(item) for item in items]
    if None in places:
        walker.opaque[path] = f"{type_name(items)} of objects, which has no order"
        return
    content = ", ".join(sorted(map(str, places)))
    walker.record(path, role, "container", content.encode(), content, type=type_name(items))


def _sortable(item: object) -> str | None:
    """A text that tells an item from others in every process; ``None`` if there is none."""
    if isinstance(item, enum.Enum):
        return f"{type_name(item)}.{item.name}"
    if isinstance(item, SCALARS):
        return (
            repr(item) if type(item).__module__ == "builtins" else f"{type_name(item)} {scalar_bytes(item)!r}"
        )
    if isinstance(item, type):
        return name_of_type(item)
    if isinstance(item, tuple | frozenset):
        parts = [_sortable(part) for part in item]
        if None in parts:
            return None
        ordered = sorted(map(str, parts)) if isinstance(item, frozenset) else map(str, parts)
        return f"{type_name(item)}({', '.join(ordered)})"
    return None


def visit_simple_queue(walker: Walker, queue: Any, path: str, role: str, depth: int) -> None:
    """A queue written in C, which can be asked for its items only by taking them out."""
    if walker.seen(queue, path, role):
        return
    items = [item for item in gc.get_referents(queue) if item is not type(queue)]
    if sys.version_info < (3, 13):  # a list, the first items of which may have been taken
        items = items[0][len(items[0]) - queue.qsize() :] if queue.qsize() else []
    walker.record(
        path, role, "container", str(len(items)).encode(), f"{len(items)} items", type=type_name(queue)
    )
    for index, item in enumerate(items):
        walker.visit(item, f"{path}[{index}]", role, depth + 1)


def visit_weak_reference(walker: Walker, reference: Any, path: str, role: str, depth: int) -> None:
    """A weak reference: what it refers to."""
    walker.record(path, role, "object", type_name(reference).encode(), type_name(reference))
    walker.visit(reference(), f"{path}()", role, depth + 1)
    walker.children(reference, path, role, depth)


def sort_keys(walker: Walker, path: str, mapping: Mapping[Any, Any]) -> None:
    """Forget the order of the keys of a dict that was found before; for one whose order is no state."""
    leaf = walker.leaves[path]
    order = _order(list(map(repr, mapping)), len(mapping), by_name=True)
    walker.leaves[path] = leaf._replace(digest=digest(order.encode()), value=order)

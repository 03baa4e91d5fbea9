# SPDX-License-Identifier: MIT
"""Bitwise comparison of two snapshots, in terms a person can act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from verification.state.distance import distance, element

if TYPE_CHECKING:
    from collections.abc import Iterator, Set

    from verification.state.snapshot import Leaf, Snapshot


@dataclass(frozen=True)
class Difference:
    """One leaf that is not the same in both snapshots.

    Attributes:
        path: where, as Python.
        aspect: what differs: ``value``, ``missing``, ``unexpected``, ``identity``, ``type``, ``dtype``, ...
        expected: in the reference, as text.
        actual: in the other snapshot, as text.
        detail: how far apart the values are, where that can be said.
    """

    path: str
    aspect: str
    expected: str
    actual: str
    detail: str = ""

    def __str__(self) -> str:
        if self.aspect == "missing":
            return f"{self.path} is missing; it was {self.expected}"
        if self.aspect == "unexpected":
            return f"{self.path} appeared: {self.actual}"
        if self.aspect == "identity":
            return f"{self.path} was {self.expected}; now it is {self.actual}"
        aspect = "" if self.aspect == "value" else f" has another {self.aspect}:"
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.path}{aspect} expected {self.expected}, got {self.actual}{detail}"


class Change(NamedTuple):
    """That and in what a leaf differs, not yet in words: to find those takes longer than to compare.

    Attributes:
        path: where, as Python.
        aspect: what differs, as in :class:`Difference`.
        expected: in the reference; ``None`` where it has no such leaf.
        actual: in the other snapshot; likewise.
    """

    path: str
    aspect: str
    expected: Leaf | None
    actual: Leaf | None


def compare(reference: Snapshot, other: Snapshot) -> list[Difference]:
    """Every leaf that differs, in the reference's order of discovery; empty if the states are the same.

    Where an object has become another one, that is one difference, not one for every leaf below it.
    """
    return [in_words(change, other) for change in changes(reference, other)]


def changes(reference: Snapshot, other: Snapshot) -> Iterator[Change]:
    """The same, one after the other, without words."""
    replaced: set[str] = set()  # paths whose subtrees are explained by a change already listed
    for path, leaf in reference.leaves.items():
        found = other.leaves.get(path)
        if found is leaf or leaf.role == "context" or _below(path, replaced):
            continue
        if _is_at_or_below(path, other.hidden) if found is None else _same(leaf, found):
            continue
        if found is None and path not in other.opaque:
            # An attribute that was never set reads as its class's own, and there is nothing in None to lose.
            found = reference.defaults.get(path)
            if _same(leaf, found) if found is not None else _is_none(leaf):
                continue
        there = path in other.leaves  # and not only what its class has for it
        if there and path.endswith(".__self__") and alike(reference, path, other, path):
            replaced.add(path)
            continue
        if there and _is_found_in(replaced, path, reference, other):
            replaced.add(path)
            continue
        if (
            found is None
            or leaf.kind != found.kind
            or (leaf.kind == "object" and leaf.digest != found.digest)
        ):
            replaced.add(path)
        if found is None:
            yield Change(path, "type" if path in other.opaque else "missing", leaf, None)
        else:
            yield Change(path, _aspect_of(leaf, found), leaf, found)
    yield from _appeared(reference, other, replaced)


def _appeared(reference: Snapshot, other: Snapshot, replaced: set[str]) -> Iterator[Change]:
    for path, leaf in other.leaves.items():
        if path in reference.leaves or leaf.role == "context":
            continue
        if _below(path, replaced) or _is_at_or_below(path, reference.hidden):
            continue
        default = other.defaults.get(path)
        if _same(leaf, default) if default is not None else _is_none(leaf):
            continue
        replaced.add(path)
        yield Change(path, _aspect_of(default, leaf) if default else "unexpected", default, leaf)


def _same(leaf: Leaf, other: Leaf) -> bool:
    return leaf.digest == other.digest and leaf.kind == other.kind and leaf.meta == other.meta


def _is_found_in(replaced: Set[str], path: str, reference: Snapshot, other: Snapshot) -> bool:
    """Whether an object is the same by content, but what has taken another one's place holds it, too.

    It was found there first. That something else refers to it now is told where that something is.
    """
    leaf, found = reference.leaves[path], other.leaves[path]
    if not replaced or leaf.kind == "identity" or found.kind != "identity":
        return False
    first = str(found.value)
    return _is_at_or_below(first, replaced) and alike(reference, path, other, first)


def _is_none(leaf: Leaf) -> bool:
    return leaf.kind == "scalar" and leaf.digest == b"None" and leaf.value is None


def alike(reference: Snapshot, path: str, other: Snapshot, place: str) -> bool:
    """Whether what is at ``path`` of one snapshot and at ``place`` of another has the same content.

    Wherever else the two objects were found, and whatever else holds them.
    """
    return _content(reference, path) == _content(other, place)


def _content(snapshot: Snapshot, path: str) -> dict[str, object]:
    """Everything below an object, by the rest of the path; what lies in it again, by that, too."""
    leaf = snapshot.leaves[path]
    root = str(leaf.value) if leaf.kind == "identity" else path
    content: dict[str, object] = {}
    for place, below in snapshot.leaves.items():
        if place == root or place.startswith((f"{root}.", f"{root}[")):
            inside = below.kind == "identity" and str(below.value).startswith(root)
            content[place[len(root) :]] = str(below.value)[len(root) :] if inside else below[1:4]
    return content


def _is_at_or_below(path: str, roots: Set[str]) -> bool:
    return path in roots or _below(path, roots)


def _below(path: str, roots: Set[str]) -> bool:
    return bool(roots) and any(prefix in roots for prefix in _prefixes(path))


def _prefixes(path: str) -> Iterator[str]:
    for index, character in enumerate(path):
        if character in ".[":
            yield path[:index]


def _aspect_of(expected: Leaf, actual: Leaf) -> str:
    if "identity" in (expected.kind, actual.kind):
        return "identity"
    if expected.kind != actual.kind:
        return "type"
    if metas := _metas(expected, actual):
        return _ASPECTS.get(metas[0], metas[0])
    return "content" if expected.kind == "container" else "value"


def _metas(expected: Leaf, actual: Leaf) -> tuple[str, object, object] | None:
    """The first property besides the value that differs: its name, and what it is in both."""
    pairs = zip(expected.meta, actual.meta, strict=False)
    return next(((name, before, after) for (name, before), (_, after) in pairs if before != after), None)


def in_words(change: Change, other: Snapshot) -> Difference:
    """A change with both values as text; ``other`` is the snapshot that differs from the reference."""
    path, aspect, expected, actual = change
    if expected is None:
        assert actual is not None
        return Difference(path, aspect, "nothing", _describe(actual))
    if actual is None:
        return Difference(path, aspect, _describe(expected), other.opaque.get(path, "nothing"))
    if aspect == "identity":
        return Difference(path, aspect, _identity(expected), _identity(actual))
    if aspect == "value":
        return Difference(path, aspect, *_values(expected, actual))
    if expected.kind == actual.kind and (metas := _metas(expected, actual)):
        name, before, after = metas
        return Difference(path, aspect, _aspect(name, before), _aspect(name, after))
    return Difference(path, aspect, _describe(expected), _describe(actual))


_ASPECTS = {"storage": "memory"}


def _aspect(aspect: str, value: object) -> str:
    if aspect == "storage":
        return f"memory shared with {value}" if value else "memory of its own"
    return str(value)


def _identity(leaf: Leaf) -> str:
    if leaf.kind == "identity":
        return (
            f"the same object as {leaf.digest.decode(errors='replace') if leaf.value is None else leaf.value}"
        )
    return "an object of its own"


def _describe(leaf: Leaf) -> str:
    meta = dict(leaf.meta)
    if leaf.kind in {"tensor", "array"}:
        return f"{meta['dtype']} {leaf.kind} of shape {meta['shape']}"
    if leaf.kind == "identity":
        return _identity(leaf)
    if leaf.value is not None and leaf.kind in {"scalar", "container", "object", "function"}:
        text = str(leaf.value) if leaf.kind != "scalar" else repr(leaf.value)
        return _short(f"{meta['type']} with {text}" if leaf.kind == "container" else text)
    return f"{meta.get('type', leaf.kind)}"


def _short(text: str, limit: int = 100) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _values(expected: Leaf, actual: Leaf) -> tuple[str, str, str]:
    """Both values and how far apart they are; for arrays, of the first element that differs."""
    before, after = expected.value, actual.value
    if before is None and after is None:  # too large to be kept
        return _describe(expected), _describe(actual), "other bytes"
    if isinstance(before, torch.Tensor | np.ndarray) and isinstance(after, type(before)):
        return _arrays(before, after)
    if isinstance(before, float) and isinstance(after, float):
        apart = distance(np.array([before]), np.array([after]))
        return repr(before), repr(after), apart.scale if apart else ""
    if expected.kind == "generator":
        return str(before), str(after), "another position or seed of the random stream"
    return _short(repr(before)), _short(repr(after)), ""


def _arrays(before: Any, after: Any) -> tuple[str, str, str]:
    """Describe arrays by the first element that differs."""
    apart = distance(before, after)
    if apart is None:
        return _short(str(before)), _short(str(after)), ""
    shown = (element(before, apart.first), element(after, apart.first))
    return f"[{apart.first}]={shown[0]}", f"[{apart.first}]={shown[1]}", str(apart)

# SPDX-License-Identifier: MIT
"""Two checkpoints compared leaf by leaf, bit for bit, and summed up by component."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from verification.checkpoint_files.leaves import Container, Leaf, leaves
from verification.checkpoint_files.reading import Unread
from verification.state import compare, take
from verification.state.distance import Distance, distance, element
from verification.state.encode import SCALARS
from verification.state.introspect import type_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verification.state import Difference

# Differences of one leaf that are told: a set has many.
_TOLD = 3


@dataclass(frozen=True)
class Changed:
    """A leaf that both checkpoints have, and that is not the same.

    Attributes:
        path: where, as Python.
        what: in what it differs, in words.
        apart: how far, where that can be said.
        form: whether it is a container in both, of which the type or the order differs.
    """

    path: str
    what: str
    apart: Distance | None = None
    form: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


@dataclass(frozen=True)
class Missing:
    """What only one checkpoint has.

    Attributes:
        path: of the outermost container that the other lacks, or of a value.
        values: how many there are in it.
    """

    path: str
    values: int

    def __str__(self) -> str:
        return self.path if self.values == 1 else f"{self.path} ({self.values:,} values)"


@dataclass(frozen=True)
class Component:
    """What is saved, and lost, together.

    Attributes:
        name: of the entry, the file or the network.
        values: how many it has in at least one of the checkpoints.
        only_first: what the second lacks.
        only_second: what the first lacks.
        changed: the values and containers that differ.
    """

    name: str
    values: int
    only_first: tuple[Missing, ...] = ()
    only_second: tuple[Missing, ...] = ()
    changed: tuple[Changed, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether both checkpoints have the same in it."""
        return not (self.only_first or self.only_second or self.changed)

    def __str__(self) -> str:
        told = [
            _sum(self.only_first, self.values, "only in A"),
            _sum(self.only_second, self.values, "only in B"),
        ]
        values = [one for one in self.changed if not one.form]
        if values:
            worst = min((one.apart for one in values if one.apart), key=_furthest, default=None)
            told.append(f"{len(values):,} of {self.values:,} differ{_by(worst)}")
        if len(values) < len(self.changed):
            told.append("containers have another type or order")
        return f"{self.name}: {'; '.join(filter(None, told))}"


@dataclass(frozen=True)
class Comparison:
    """All components of two checkpoints, in the order of the first.

    Attributes:
        components: equal ones included.
        unread: paths of what was compared by its bytes alone, each with the reason, to go on behind the path.
    """

    components: tuple[Component, ...]
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether both hold the same, bit for bit."""
        return all(component.equal for component in self.components)


def compare_contents(first: object, second: object) -> Comparison:
    """Compare the contents of two checkpoints.

    Values are the same if their bytes, types, dtypes, shapes and strides are; containers, if their types and
    the order of their keys are. Where tensors were, on which device, and whether two of them share memory is
    not compared: to load a checkpoint decides that anew.

    Args:
        first: as :func:`verification.checkpoint_files.reading.read` gives it.
        second: likewise.

    Raises:
        UsageError: if one of them holds itself.
    """
    before, after = leaves(first), leaves(second)
    both = {**after, **before}
    paths: dict[str, list[str]] = {}
    for path in {**before, **after}:
        paths.setdefault(both[path].component, []).append(path)
    components = [_component(name, before, after, among) for name, among in paths.items()]
    unread = {path: leaf.value.why for path, leaf in both.items() if isinstance(leaf.value, Unread)}
    return Comparison(tuple(one for one in components if one.values or one.changed), unread)


def _component(
    name: str, before: Mapping[str, Leaf], after: Mapping[str, Leaf], paths: Sequence[str]
) -> Component:
    shared = [path for path in paths if path in before and path in after]
    changed = [_changed(path, before[path].value, after[path].value) for path in shared]
    return Component(
        name,
        sum(_is_value(before.get(path) or after[path]) for path in paths),
        _missing(before, after, paths),
        _missing(after, before, paths),
        tuple(filter(None, changed)),
    )


def _is_value(leaf: Leaf) -> bool:
    """Whether a leaf counts: as an empty container does, of which no other leaf tells."""
    return not (isinstance(leaf.value, Container) and leaf.value.size)


def _missing(
    before: Mapping[str, Leaf], after: Mapping[str, Leaf], paths: Sequence[str]
) -> tuple[Missing, ...]:
    """What of ``before`` is not in ``after``, each whole container once."""
    found: dict[str, int] = {}
    outermost: dict[str, str] = {}  # of every missing path; containers come before what they hold
    for path in paths:
        if path in before and path not in after:
            outermost[path] = outermost.get(before[path].within, path)
            found.setdefault(outermost[path], 0)
            found[outermost[path]] += _is_value(before[path])
    return tuple(Missing(path, values) for path, values in found.items())


def _sum(missing: Sequence[Missing], all_values: int, where: str) -> str:
    number = sum(one.values for one in missing)
    return (where if number == all_values else f"{number:,} of {all_values:,} {where}") if missing else ""


def _furthest(apart: Distance) -> tuple[float, float]:
    return apart.digit or math.inf, -(apart.absolute or 0)


def _by(apart: Distance | None) -> str:
    """How far apart the values of a component are at most."""
    if apart is None:
        return ""
    absolute = f"by up to {apart.absolute:.3g}" if apart.absolute else ""
    told = [one for one in (absolute, apart.place) if one]
    return f", {', '.join(told)}" if told else ""


def _changed(path: str, one: object, other: object) -> Changed | None:
    """In what two values differ; ``None`` if they do not."""
    if isinstance(one, Container) or isinstance(other, Container):
        what = _containers(one, other)
        form = isinstance(one, Container) and isinstance(other, Container)
        return Changed(path, what, form=form) if what else None
    if isinstance(one, Unread) and isinstance(other, Unread):
        same = one.data == other.data
        return (
            None if same else Changed(path, f"{len(one.data):,} bytes in A, other {len(other.data):,} in B")
        )
    found = compare(take({path: one}), take({path: other}))
    if not found:
        return None
    apart = _apart(one, other)
    told = [
        _in_words(difference) for difference in found[:_TOLD] if difference.aspect != "value" or not apart
    ]
    if apart is not None:
        told.append(_values(one, other, apart))
    return Changed(path, "; ".join(told), apart)


def _containers(one: object, other: object) -> str:
    """In what two values differ, at least one of which holds others; the leaves tell the rest."""
    if not (isinstance(one, Container) and isinstance(other, Container)):
        return f"{_kind(one)} in A, {_kind(other)} in B"
    if one.kind != other.kind:
        return f"type {one.kind} in A, {other.kind} in B"
    shared = {*one.keys} & {*other.keys}
    orders = [[key for key in keys if key in shared] for keys in (one.keys, other.keys)]
    return "" if orders[0] == orders[1] else "its keys come in another order"


def _kind(value: object) -> str:
    if isinstance(value, Container):
        return f"{value.kind} of {value.size}"
    return repr(value) if isinstance(value, SCALARS) else type_name(value)


def _in_words(difference: Difference) -> str:
    aspect = "" if difference.aspect == "value" else f"{difference.aspect} "
    detail = f" ({difference.detail})" if difference.detail else ""
    return f"{aspect}{difference.expected} in A, {difference.actual} in B{detail}"


def _apart(one: object, other: object) -> Distance | None:
    for kind in (torch.Tensor, np.ndarray):
        if isinstance(one, kind) and isinstance(other, kind):
            alike = (one.dtype, one.shape) == (other.dtype, other.shape)
            return distance(one, other) if alike else None
    if isinstance(one, float) and isinstance(other, float):
        return distance(np.array([one]), np.array([other]))
    return None


def _values(one: Any, other: Any, apart: Distance) -> str:
    """The first elements that differ, and how far apart all of them are."""
    if isinstance(one, float):
        return f"{one!r} in A, {other!r} in B ({apart.scale})"
    at = apart.first
    largest = f", the largest difference is {apart.absolute:.3g}" if apart.absolute else ""
    return f"[{at}]={element(one, at)} in A, {element(other, at)} in B ({apart}{largest})"

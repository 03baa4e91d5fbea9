# SPDX-License-Identifier: MIT
"""What the suite sees of an agent: each component, its size, what a load makes of it, and what reads it."""

from __future__ import annotations

import dataclasses
import math
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from verification.engine.consequences import follow
from verification.engine.global_rng import global_states
from verification.engine.groups import DECISIVE, Group, familiar
from verification.engine.inventory import established
from verification.engine.reading import Reading
from verification.engine.trial import resume
from verification.errors import CheckFailure, Inconclusive
from verification.state import Change, Part
from verification.state.places import holder_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from verification.engine.experiment import Experiment
    from verification.state import Leaf, Snapshot

#: What a load makes of a component. ``AS_BUILT``: a receiver has it without any load, which shows nothing.
COMES_BACK, LOST, PARTLY = "comes back", "lost", "partly lost"
DIFFERS, AS_BUILT, UNKNOWN = "differs", "as built", "unknown"
#: Whether anything reads it.
READ, NOT_SEEN, NOT_ASKED = "yes", "not seen", "-"
_WORST_FIRST = (LOST, DIFFERS, COMES_BACK, AS_BUILT, UNKNOWN)
# Kinds that stand for themselves; others belong to what they are found beside.
_WHOLE = frozenset({Part.ONLINE, Part.TARGET, Part.OPTIMIZER, Part.SCHEDULE, Part.GENERATOR})
# Seconds for finding out what is read; what is left then is not looked at.
_READING = 60.0


@dataclass
class Component:
    """A piece of an agent's state, as a person would name it.

    Attributes:
        path: where it is.
        part: the kind of state.
        leaves: how many values it has.
        size: of its arrays and plain values in bytes, without what Python adds.
        after: what a load makes of it.
        read: whether anything reads it.
        names: of the values, where several of one holder are shown together.
    """

    path: str
    part: Part
    leaves: int
    size: int
    after: str = UNKNOWN
    read: str = NOT_ASKED
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survey:
    """All components, and what could not be seen.

    Attributes:
        adapter: its name.
        components: in the order in which they were found.
        opaque: what could not be looked into: its type by path.
        elsewhere: what stands for state in another process: its type by path.
        steps: after how many steps of the program the agent was looked at.
        problem: why nothing is known about a load; empty if it is.
    """

    adapter: str
    components: tuple[Component, ...]
    opaque: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    steps: str = ""
    problem: str = ""


def survey(experiment: Experiment) -> Survey:
    """Look at the agent of an experiment at its last cut, and at what a load makes of it.

    Raises:
        AdapterError: if a member of the adapter does not do what it has to.
    """
    cut = experiment.program.cuts[-1]
    snapshot = experiment.moment(cut).snapshot
    problem, after = "", dict.fromkeys(snapshot.leaves, UNKNOWN)
    try:
        after = _after_load(experiment, cut)
    except (CheckFailure, Inconclusive) as failure:
        problem = str(failure).splitlines()[0]
    groups = list(_components(snapshot, experiment, after))
    found = [_component(group, snapshot, after) for group in groups]
    if not problem:
        _ask_what_is_read(experiment, cut, found, groups)
    return Survey(
        experiment.driver.adapter.name,
        tuple(found),
        dict(experiment.driver.opaque),
        dict(snapshot.elsewhere),
        experiment.taken(cut),
        problem,
    )


# -- components --------------------------------------------------------------------------------------------


def _components(snapshot: Snapshot, experiment: Experiment, after: Mapping[str, str]) -> Iterator[Group]:
    """Groups of leaves: as much as possible of one kind, and alike plain values of one holder together."""
    parts = experiment.parts
    leaves: dict[str, Leaf] = {}  # by the paths that a person would use
    found: dict[str, str] = {}  # where a walk has found them
    kinds: dict[str, set[Part]] = defaultdict(set)
    for path, leaf in snapshot.leaves.items():
        if leaf.role in {"context", "shared"} or path not in parts:
            continue
        name = familiar(path, snapshot.aliases)
        leaves[name], found[name] = leaf, path
        for above in _upwards(name):
            kinds[above].add(parts[path])
    homes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in leaves:
        home, path = _home(name, leaves, kinds), found[name]
        alike = f"{parts[path]} {after[path]}" if home.endswith(".*") else ""
        homes[home, alike].append(name)
    for (home, _), members in homes.items():
        whole = [name for name in members if leaves[name].kind not in {"identity", "object"}]
        if not whole:  # links to what is shown elsewhere
            continue
        part = min((parts[found[name]] for name in whole), key=DECISIVE.index)
        if part not in _WHOLE:  # a buffer is what its arrays are, and no counter
            part = parts[found[max(whole, key=lambda name: _size(leaves[name]))]]
        changes = [Change(found[name], "value", leaves[name], leaves[name]) for name in members]
        yield Group(home, tuple(changes), part)


def _home(path: str, leaves: Mapping[str, Leaf], kinds: Mapping[str, set[Part]]) -> str:
    """The outermost thing of one kind that a leaf is in; for a plain value what holds it."""
    upwards = list(_upwards(path))[:-1]  # without the root, which is everything
    if not upwards:
        return path
    for above in reversed(upwards):
        leaf = leaves.get(above)
        if leaf is not None and leaf.role == "option" and leaf.kind == "object":  # an optimizer
            return above
        if len(kinds[above] & _WHOLE) == 1:
            return above
    outermost = upwards[-1]
    if not kinds[outermost] & _WHOLE and (outermost != path or leaves[path].kind != "scalar"):
        return outermost
    return f"{holder_of(path)}.*"


def _upwards(path: str) -> Iterator[str]:
    """A path and those of all that holds it; the root comes last."""
    yield path
    while (above := holder_of(path)) != path:
        path = above
        yield path


def _component(group: Group, snapshot: Snapshot, after: Mapping[str, str]) -> Component:
    several = group.path.endswith(".*")
    names = tuple(change.path.rpartition(".")[2] for change in group.changes) if several else ()
    return Component(
        group.path.removesuffix(".*"),
        group.part,
        len(group.changes),
        sum(_size(snapshot.leaves[change.path]) for change in group.changes),
        _together({after[change.path] for change in group.changes}),
        names=names,
    )


def _together(words: set[str]) -> str:
    """What a load makes of several leaves."""
    worst = min(words, key=_WORST_FIRST.index)
    return PARTLY if worst == LOST and COMES_BACK in words else worst


def _size(leaf: Leaf) -> int:
    """Bytes of a value; of an object, which holds only others, none."""
    meta = dict(leaf.meta)
    if leaf.kind in {"tensor", "array"} and "shape" in meta:
        return math.prod(meta["shape"]) * _item_size(str(meta.get("dtype", "")))  # type: ignore[call-overload,no-any-return]
    return len(leaf.digest) if leaf.kind == "scalar" else 0


def _item_size(dtype: str) -> int:
    if dtype.startswith("torch."):
        kind = getattr(torch, dtype.removeprefix("torch."), None)
        return kind.itemsize if isinstance(kind, torch.dtype) else 1
    try:
        return np.dtype(dtype).itemsize
    except TypeError:
        return 1


# -- what becomes of them ----------------------------------------------------------------------------------


def _after_load(experiment: Experiment, cut: int) -> dict[str, str]:
    """What a load makes of each leaf, by path.

    Raises:
        CheckFailure: if the load raises.
        Inconclusive: if two runs without any save learn differently.
    """
    lost = [loss.path for loss, _ in follow(experiment, cut).losses]
    differing = {change.path for change in experiment.after_load(cut)}
    reference, cold = experiment.moment(cut).snapshot, experiment.cold()
    found = {}
    for path in reference.leaves:
        if path in differing:
            found[path] = LOST if established(path, lost) else DIFFERS
        else:
            found[path] = AS_BUILT if _equal(reference, cold, path) else COMES_BACK
    for path in differing.difference(reference.leaves):  # what only the restored agent has
        holder = next((above for above in _upwards(path) if above in found), None)
        if holder is not None:
            found[holder] = LOST if established(path, lost) else DIFFERS
    return found


def _equal(one: Snapshot, other: Snapshot, path: str) -> bool:
    return path in other.leaves and one.leaves[path].digest == other.leaves[path].digest


def _ask_what_is_read(experiment: Experiment, cut: int, found: list[Component], groups: list[Group]) -> None:
    """Change one component after the other in a restored agent that is whole, and see whether it shows."""
    streams = tuple(global_states())
    differing = experiment.after_load(cut)
    horizon = experiment.program.horizon
    if resume(experiment, cut, used=False, heal=differing, horizon=horizon, streams=streams).spread:
        return  # something follows from the load already
    reading = Reading(experiment=experiment, cut=cut, used=False, differing=differing, streams=streams)
    ends = time.monotonic() + _READING
    for component, group in zip(found, groups, strict=True):
        changeable = [change for change in group.changes if _can_be_changed(change)]
        if changeable and time.monotonic() < ends:
            piece = dataclasses.replace(group, changes=tuple(changeable))
            component.read = READ if reading.among([piece]) else NOT_SEEN


def _can_be_changed(change: Change) -> bool:
    leaf = change.expected
    return leaf is not None and (
        leaf.kind in {"tensor", "array"} or (leaf.kind == "scalar" and type(leaf.value) in (int, float, bool))
    )

# SPDX-License-Identifier: MIT
"""Which part of an agent a leaf belongs to, decided by structure and by watching it, never by its name.

A tensor that an optimizer updates is online, whatever it is called; a module's parameter that none
updates follows from others, as a target does. A number that changes while the agent trains is a counter;
one that never does is a hyper-parameter.
"""

from __future__ import annotations

import enum
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from verification.state.snapshot import Leaf, Snapshot


class Part(enum.Enum):
    """A kind of state that is saved, and lost, together."""

    ONLINE = "online networks"
    TARGET = "target networks"
    MODE = "train and eval modes"
    OPTIMIZER = "optimizer state"
    BINDING = "object identity"
    COUNTER = "counters"
    HYPER_PARAMETER = "hyper-parameters"
    SCHEDULE = "schedules"
    GENERATOR = "random generators"
    OTHER = "other state"


def classify(
    trace: Sequence[Snapshot], *, by_hand: Collection[int] = (), other_seed: Snapshot | None = None
) -> dict[str, Part]:
    """The part of every leaf that a run's snapshots contain, by path.

    Args:
        trace: the state after 0, 1, 2, ... steps.
        by_hand: the steps that were no training: a hyper-parameter that a user sets is still one.
        other_seed: the state of a new agent of the same config and another seed. What follows from the
            seed, such as the episode that an environment begins with, is no hyper-parameter.
    """
    changing: set[str] = set()  # or appearing
    leaves: dict[str, Leaf] = dict(trace[0].leaves)
    for step, (previous, snapshot) in enumerate(itertools.pairwise(trace), start=1):
        for path, leaf in snapshot.leaves.items():
            before = previous.leaves.get(path)
            leaves.setdefault(path, leaf)
            if step not in by_hand and (before is None or before.digest != leaf.digest):
                changing.add(path)
    trained = frozenset().union(*(snapshot.trained for snapshot in trace))
    owners = {_owner(path) for path in trained}
    modules = {_owner(path) for path, leaf in leaves.items() if leaf.role == "mode"}
    networks = modules & {above for owner in owners for above in _ancestors(owner)}
    others = other_seed.leaves if other_seed is not None else {}
    seeded = {path for path, leaf in others.items() if path in leaves and leaf.digest != leaves[path].digest}
    return {
        path: _part(path, leaf, trained, owners, networks, changes=path in changing, seeded=path in seeded)
        for path, leaf in leaves.items()
        if leaf.role != "context"
    }


def _part(
    path: str,
    leaf: Leaf,
    trained: frozenset[str],
    owners: set[str],
    networks: set[str],
    *,
    changes: bool,
    seeded: bool,
) -> Part:
    if leaf.kind == "identity":
        return Part.BINDING
    if path in trained:
        return Part.ONLINE
    match leaf.role:
        case "mode":
            return Part.MODE
        case "moment":
            return Part.OPTIMIZER
        case "schedule":
            return Part.SCHEDULE
        case "generator" | "shared" if leaf.kind == "generator":
            return Part.GENERATOR
        case "option" if leaf.kind == "object":  # the optimizer itself
            return Part.OPTIMIZER
        case "option" if path.endswith("['params']"):  # which parameters a group holds
            return Part.BINDING
        case "option":
            return Part.SCHEDULE if changes else Part.HYPER_PARAMETER
    if leaf.kind == "tensor" and leaf.role in {"parameter", "buffer"}:
        if leaf.role == "parameter" and changes:  # although no optimizer updates it
            return Part.TARGET
        # A buffer or a frozen parameter belongs to the trained ones beside it, or in the network around it.
        holder = _owner(path)
        return Part.ONLINE if holder in owners or _owner(holder) in networks else Part.TARGET
    if leaf.kind == "scalar" and changes:
        return Part.COUNTER
    return Part.HYPER_PARAMETER if leaf.kind == "scalar" and not seeded else Part.OTHER


def _owner(path: str) -> str:
    """The path of the object that holds the leaf at ``path``."""
    cut = max(path.rfind("."), path.rfind("["))
    return path[:cut] if cut > 0 else path


def _ancestors(path: str) -> Iterator[str]:
    """The path and those of everything that it is in."""
    yield path
    while (above := _owner(path)) != path:
        path = above
        yield path

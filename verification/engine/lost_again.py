# SPDX-License-Identifier: MIT
"""Loses a piece again after every step, as if each step had been saved and loaded.

What the run makes anew before anything reads it may be read first where another step follows: weights to go
back to every hundred updates, say, which a better result has replaced by then.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from verification.losses import lies_in
from verification.state import find
from verification.state.places import NoPlaceError, place_of
from verification.state.transplant import copied

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from verification.engine.groups import Group
    from verification.state import Snapshot

_DATA = frozenset({"tensor", "array", "scalar", "container"})


class LostAgain:
    """Pieces of an agent as a load has left them.

    Args:
        paths: of the pieces.
        loaded: the agent right after the load.
    """

    def __init__(self, paths: Collection[str], loaded: Snapshot) -> None:
        self._missing = [path for path in paths if path not in loaded.leaves]
        self._there = [path for path in paths if path in loaded.leaves]
        self._left: dict[str, object] = {}
        self._kept: dict[int, object] = {}

    def remember(self, roots: Mapping[str, object]) -> None:
        """Take a copy of the pieces of an agent that has just been loaded."""
        around = find(roots, object).items()
        outside = [one for path, one in around if not any(lies_in(path, each) for each in self._there)]
        self._kept = {id(one): one for one in outside}
        self._left = {path: copied(place_of(roots, path).value, self._kept) for path in self._there}

    def lose(self, roots: Mapping[str, object], snapshot: Snapshot) -> None:
        """Let the pieces be so again; ``snapshot`` is of the agent now."""
        with contextlib.suppress(NoPlaceError):
            for path, value in self._left.items():
                place_of(roots, path).put(copied(value, self._kept))
            for path in self._missing:
                if path in snapshot.leaves:
                    place_of(roots, path).remove()


def left_as_built(group: Group, loaded: Snapshot, built: Snapshot) -> bool:
    """Whether a load has left plain data, or nothing, where the receiver had it: any load would do that."""
    below = [leaf for path, leaf in loaded.leaves.items() if lies_in(path, group.path)]
    return is_as_built(group, loaded, built) and all(leaf.kind in _DATA for leaf in below)


def is_as_built(group: Group, loaded: Snapshot, built: Snapshot) -> bool:
    """Whether a load has left a group as the receiver had it, and has put nothing there."""
    paths = {group.path, *(change.path for change in group.changes)}
    below = {path for path in loaded.leaves if lies_in(path, group.path)}
    return all(_digest(loaded, path) == _digest(built, path) for path in paths | below)


def _digest(snapshot: Snapshot, path: str) -> tuple[object, ...] | None:
    leaf = snapshot.leaves.get(path)
    return None if leaf is None else (leaf.kind, leaf.meta, leaf.digest)

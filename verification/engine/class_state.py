# SPDX-License-Identifier: MIT
"""What classes and modules of the agent's code hold: kept apart for every arm, as in a process of its own.

All agents of a process have it in common, as they have the global random generators. Only what has been
seen to change is handled at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verification.state import shared_places
from verification.state.keeping import TooMuchError, keep

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from verification.state import Change, Snapshot
    from verification.state.keeping import PutBack


@dataclass(eq=False)
class _Place:
    """A name of a class or a module.

    Attributes:
        owner: the class, or the module's dictionary.
        begun: puts back what was there when it was first seen; ``None`` if it cannot be kept.
        apart: whether every arm has its own.
    """

    owner: Any
    name: str
    begun: PutBack | None = None
    apart: bool = False

    def keep(self) -> PutBack | None:
        """What it holds now, if that can be kept."""
        try:
            return keep(self._held()[self.name])
        except (TooMuchError, KeyError, TypeError, RuntimeError):  # nothing there, or what nothing copies
            return None

    def put(self, value: Any) -> None:
        """Let it hold a value, without asking any code of the agent."""
        if self._held().get(self.name) is value:
            return
        if isinstance(self.owner, type):
            type.__setattr__(self.owner, self.name, value)
        else:
            self.owner[self.name] = value

    def _held(self) -> Mapping[str, Any]:
        return vars(self.owner) if isinstance(self.owner, type) else self.owner


#: What was held, by place.
Held = dict[_Place, "PutBack"]

# Classes and modules are those of the process.
_places: dict[tuple[int, str], _Place] = {}


def held_apart() -> Held:
    """What the places hold now that every arm has for itself."""
    held = {}
    for place in _places.values():
        if place.apart:
            kept = place.keep()
            if kept is None:
                place.apart, place.begun = False, None
            else:
                held[place] = kept
    return held


def put_back(held: Held) -> None:
    """Let the places hold what they did; those that were not kept apart then, what they held at first."""
    for place in _places.values():
        if place.apart and place.begun is not None:
            place.put(held.get(place, place.begun)())


def begin_anew() -> None:
    """Let the places hold what they do in a process in which nothing has happened yet."""
    put_back({})


def shared(found: Iterable[Change]) -> list[str]:
    """Of differences, the paths of what classes and modules hold."""
    leaves = [(one.path, one.expected or one.actual) for one in found]
    return [path for path, leaf in leaves if leaf is not None and leaf.role == "shared"]


class ClassState:
    """The places that one agent's code refers to, by path."""

    def __init__(self) -> None:
        self._by_path: dict[str, _Place] = {}

    def note(self, roots: Mapping[str, object], snapshot: Snapshot | None = None) -> None:
        """Keep what is held in places that are new, if a snapshot of the roots shows any."""
        if snapshot is not None and all(
            leaf.role != "shared" or self.place_of(path) for path, leaf in snapshot.leaves.items()
        ):
            return
        for path, (owner, name) in shared_places(roots).items():
            place = _places.get((id(owner), name))
            if place is None:
                place = _places[id(owner), name] = _Place(owner, name)
                place.begun = place.keep()
            self._by_path[path] = place

    def place_of(self, path: str) -> _Place | None:
        """The place that holds what is found at a path."""
        while path:
            if path in self._by_path:
                return self._by_path[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return None

    def hold_apart(self, paths: Iterable[str]) -> bool:
        """Let every arm have what is at these paths for itself, from its beginning on; whether any is new."""
        new = False
        for path in paths:
            place = self.place_of(path)
            if place is not None and place.begun is not None and not place.apart:
                new = place.apart = True
        return new

    def is_apart(self, path: str) -> bool:
        """Whether every arm has what is at a path for itself."""
        place = self.place_of(path)
        return place is not None and place.apart

    def common(self, found: Iterable[Change]) -> set[str]:
        """Of differences, the paths of what no arm has for itself."""
        return {path for path in shared(found) if not self.is_apart(path)}

    def give(self, held: Held, paths: Iterable[str]) -> None:
        """Put back what was held at these paths only."""
        for place in {self.place_of(path) for path in paths}:
            if place in held:
                place.put(held[place]())

# SPDX-License-Identifier: MIT
"""The inventory of one agent: what it loses and what differs without a consequence, over all programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verification.losses import overlap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verification.losses import Loss, Note


# By how much further a program has to reach than all before it for what is known to be examined again.
_FURTHER = 1.5


@dataclass
class Inventory:
    """What is known about one agent in one regime, learned program by program.

    Attributes:
        losses: by path.
        notes: by path.
    """

    losses: dict[str, Loss] = field(default_factory=dict)
    notes: dict[str, Note] = field(default_factory=dict)
    _examined: Counter[tuple[str, bool]] = field(default_factory=Counter)
    _reached: dict[tuple[str, bool], int] = field(default_factory=dict)

    def loss_at(self, path: str) -> Loss | None:
        """The loss that a path is in, or that is in it, if one is known."""
        return next((loss for known, loss in self.losses.items() if overlap(known, path)), None)

    def add(self, loss: Loss) -> None:
        """Remember a loss; what was noted about it is void."""
        self.losses[loss.path] = loss
        for path in [path for path in self.notes if overlap(path, loss.path)]:
            del self.notes[path]

    def note(self, note: Note) -> None:
        """Remember a harmless difference."""
        if self.loss_at(note.path) is None:
            self.notes[note.path] = note

    def copy(self) -> Inventory:
        """The same knowledge, to which more can be added."""
        return Inventory(dict(self.losses), dict(self.notes), Counter(self._examined), dict(self._reached))

    def since(self, earlier: Inventory) -> Inventory:
        """What has been learned since it was a copy of an earlier one."""
        losses = {path: loss for path, loss in self.losses.items() if earlier.losses.get(path) != loss}
        notes = {path: note for path, note in self.notes.items() if earlier.notes.get(path) != note}
        reached = {key: steps for key, steps in self._reached.items() if earlier._reached.get(key) != steps}
        return Inventory(losses, notes, self._examined - earlier._examined, reached)

    def learn(self, other: Inventory) -> None:
        """Add what another one has learned."""
        for loss in other.losses.values():
            self.add(loss)
        for note in other.notes.values():
            self.note(note)
        self._examined += other._examined
        for key, steps in other._reached.items():
            self._reached[key] = max(steps, self._reached.get(key, 0))

    def wants(self, path: str, *, used: bool, times: int, reach: int) -> bool:
        """Whether a path should be examined closely; if so, it will be.

        It should be ``times`` times, and in a program that reaches much further than all of these: what fills
        a buffer first, or comes up only when a period is over, shows there.

        Args:
            path: what differs.
            used: after loading into a receiver with a past of its own: it can differ in another way there.
            times: enough.
            reach: how many training steps are seen.
        """
        key = path, used
        self._examined[key] += 1
        wanted = self._examined[key] <= times or reach > _FURTHER * self._reached.get(key, reach)
        if wanted:
            self._reached[key] = max(reach, self._reached.get(key, 0))
        return wanted


def established(path: str, paths: Iterable[str]) -> bool:
    """Whether a path names what one of ``paths`` does."""
    return any(overlap(path, other) for other in paths)

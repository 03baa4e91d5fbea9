# SPDX-License-Identifier: MIT
"""The state of an agent as a tree: what came back, what is lost, and what differs without a consequence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verification.losses import DIFFERS, HEALS, OPAQUE, RESTORED, SAME, UNREAD, UNSTABLE, overlap
from verification.state.places import holder_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verification.report.model import Report

LOST, HARMLESS = "lost", "harmless"
#: What became of a leaf, worst first: a sign that tells it without colour, and what it means.
FATES = {
    LOST: ("✕", "lost"),
    OPAQUE: ("?", "could not be looked into"),
    UNREAD: ("○", "different, but nothing followed from it"),
    HEALS: ("↻", "different, but the run makes it anew"),
    UNSTABLE: ("≈", "different between two runs without any save, too"),
    HARMLESS: ("·", "different, and nothing follows"),
    DIFFERS: ("△", "different in this load"),
    RESTORED: ("✓", "came back"),
    SAME: ("=", "the same before the load, too"),
}


@dataclass
class Node:
    """A piece of an agent, and what is in it.

    Attributes:
        name: its last step: an attribute, an index or a key.
        path: the whole.
        fate: of a leaf; empty where there is more below.
        what: of a leaf, what it is.
        below: what it holds.
    """

    name: str
    path: str
    fate: str = ""
    what: str = ""
    below: dict[str, Node] = field(default_factory=dict)

    @property
    def leaves(self) -> Iterator[Node]:
        """Every leaf at or below it."""
        if self.fate:
            yield self
        for node in self.below.values():
            yield from node.leaves

    @property
    def counts(self) -> dict[str, int]:
        """How many leaves at or below it have each fate, the worst first."""
        found = Counter(leaf.fate for leaf in self.leaves)
        return {fate: found[fate] for fate in FATES if found[fate]}


def tree(report: Report) -> Node:
    """The state of the agent that shows most; without leaves where no load was judged."""
    root = Node("", "")
    lost = [loss.path for loss in report.lost]
    notes = {note.path: note.how for note in report.notes}
    for piece in report.pieces:
        _place(root, piece.path, _fate(piece.path, piece.fate, lost, notes), piece.what)
    known = [piece.path for piece in report.pieces]
    for path in lost if known else ():
        if not any(overlap(path, one) for one in known):  # another agent has shown it
            _place(root, path, LOST, "")
    return root


def _fate(path: str, fate: str, lost: list[str], notes: dict[str, str]) -> str:
    if fate == OPAQUE:
        return fate
    if any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in lost) and fate == DIFFERS:
        return LOST
    if fate == DIFFERS:
        return next((how for one, how in notes.items() if overlap(path, one)), DIFFERS)
    return fate


def _place(root: Node, path: str, fate: str, what: str) -> None:
    steps = [path]
    while (above := holder_of(steps[0])) != steps[0]:
        steps.insert(0, above)
    node = root
    for before, step in zip(["", *steps], steps, strict=False):
        name = step[len(before) :].removeprefix(".")
        node = node.below.setdefault(step, Node(name, step))
    node.fate, node.what = fate, what

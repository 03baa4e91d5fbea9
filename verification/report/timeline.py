# SPDX-License-Identifier: MIT
"""The picture of what happened: train, save, load, train, and where the two runs part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verification.report.wording import called, follows

if TYPE_CHECKING:
    from verification.losses import Course, Loss

# Steps that are drawn: of those before the checkpoint, and of those behind the moment of divergence.
_BEFORE, _BEYOND = 3, 3
_MOST_AFTER = 7
_MARGIN, _TRUNK, _GAP, _FALL = 16, 52, 18, 58
_LETTER = 8  # how wide one is, and more
_NARROW = 500  # below it there is no room for the name of every step


@dataclass(frozen=True)
class Mark:
    """One step.

    Attributes:
        x: where it is, in pixels from the left.
        y: of the resumed run, from the top; that of the uninterrupted run lies on ``Timeline.trunk``.
        label: what was done.
        parted: whether the runs differ there.
    """

    x: float
    y: float
    label: str
    parted: bool = False


@dataclass(frozen=True)
class Timeline:
    """The geometry of the picture, in pixels.

    Attributes:
        width: of the picture.
        height: likewise.
        trunk: how far from the top the uninterrupted run is drawn.
        before: the steps of both runs up to the checkpoint.
        save: where the checkpoint is saved.
        load: where it is loaded into a new agent.
        after: the steps behind the load.
        parting: the step at which something else comes to differ; ``None`` if nothing does.
        parting_label: what differs there.
        description: the picture in words.
        more: whether there are steps in front of those that are drawn.
    """

    width: int
    height: int
    trunk: int
    before: tuple[Mark, ...]
    save: Mark
    load: Mark
    after: tuple[Mark, ...]
    parting: Mark | None
    parting_label: str
    description: str
    more: bool

    @property
    def resumed(self) -> str:
        """The line of the resumed run as far as it is alike."""
        alike = [one for one in (self.load, *self.after) if not one.parted]
        return " ".join(f"{one.x:g},{one.y:g}" for one in alike)

    @property
    def astray(self) -> str:
        """The line of the resumed run from the last step at which it was alike."""
        if self.parting is None:
            return ""
        alike = [one for one in (self.load, *self.after) if not one.parted]
        parted = [one for one in self.after if one.parted]
        return " ".join(f"{one.x:g},{one.y:g}" for one in (alike[-1], *parted))

    @property
    def gap(self) -> str:
        """What lies between the two runs once they have parted."""
        parted = [one for one in self.after if one.parted]
        corners = [(parted[0].x, self.trunk), (self.end, self.trunk)] if parted else []
        return " ".join(f"{x:g},{y:g}" for x, y in [*corners, *((one.x, one.y) for one in reversed(parted))])

    @property
    def end(self) -> float:
        """Where the last step is."""
        return self.after[-1].x if self.after else self.load.x

    @property
    def anchor(self) -> str:
        """On which side of the parting its label has room."""
        if self.parting is None:
            return "start"
        fits = self.parting.x + _LETTER * len(self.parting_label) < self.width
        return "start" if fits and self.parting.x <= self.width / 2 else "end"


def timeline(loss: Loss, course: Course, width: int) -> Timeline:
    """The picture of one loss, drawn for a width in pixels."""
    before = course.before[-_BEFORE:]
    last = min(len(course.after), (course.diverged or 1) + _BEYOND, _MOST_AFTER)
    if (
        course.diverged is not None and course.diverged > last
    ):  # far behind the load: the steps up to it are left out
        last = course.diverged
    first = max(0, last - _MOST_AFTER)
    after = course.after[first:last]
    columns = len(before) + len(after) + 2
    pitch = (width - 2 * _MARGIN) / max(columns - 0.5, 1)

    def at(column: int) -> float:
        return _MARGIN + pitch * (column + 0.25)

    cut, narrow = len(before), width < _NARROW
    lane = _TRUNK + _GAP
    parting_at = None if course.diverged is None else course.diverged - first
    marks = []
    for index, word in enumerate(after, start=1):
        parted = parting_at is not None and index >= parting_at
        depth = min(1.0, 0.45 + 0.3 * (index - (parting_at or 0))) if parted else 0.0
        label = str(first + index) if narrow else word
        marks.append(Mark(at(cut + 1 + index), lane + _FALL * depth, label, parted))
    return Timeline(
        width=width,
        height=lane + _FALL + 34,
        trunk=_TRUNK,
        before=tuple(Mark(at(index), _TRUNK, "" if narrow else word) for index, word in enumerate(before)),
        save=Mark(at(cut), _TRUNK, "save"),
        load=Mark(at(cut + 1), lane, "load"),
        after=tuple(marks),
        parting=next((mark for mark in marks if mark.parted), None),
        parting_label=_parting(loss),
        description=_description(loss, course),
        more=len(course.before) > len(before),
    )


def _parting(loss: Loss) -> str:
    if loss.first is None or loss.first.path.startswith("action"):
        return "the runs part here"
    return f"{called(loss.first.path)} differs"


def _description(loss: Loss, course: Course) -> str:
    steps = "1 step" if len(course.before) == 1 else f"{len(course.before)} steps"
    start = f"Two runs train alike for {steps}. One of them is saved there and loaded into a new agent"
    if course.diverged is None:
        return f"{start}. {called(loss.name)} differs after that; nothing else comes to differ."
    return f"{start}, without {called(loss.name)}: {follows(loss).replace('`', '')}."

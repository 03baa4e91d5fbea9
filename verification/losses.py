# SPDX-License-Identifier: MIT
"""What an agent loses, and what differs without a consequence, in words for a report."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: How a loss shows. ``SPREADS``: something else comes to differ. ``READ``: nothing has so far, but it does
#: where it is changed on purpose. ``LEARNED``: training has made it of a schedule or a random stream, whose
#: effect comes late. ``RECORDED``: training changes it, and no effect on training was seen.
SPREADS, READ, LEARNED, RECORDED = "spreads", "read", "learned", "recorded"
_WORST_FIRST = (SPREADS, READ, LEARNED, RECORDED)
# What shows a loss, and what is found out where it is looked at closely.
_EVIDENCE = ("how", "effect", "experiment", "first")
_CLOSER_EVIDENCE = ("course", "script", "saved", "beside")
# Pieces of one loss that a line names.
_NAMED = 4
#: What a lost piece can hold after the load: what the receiver held before, or what the saved run began with.
AS_BUILT, AS_BEGUN = "as built", "as begun"
#: Whether what is lost was found in the files of the checkpoint, byte for byte, where that could be told.
ABSENT, PRESENT = "absent", "present"
#: Why a difference is only noted. ``HEALS``: the run makes it anew. ``UNREAD``: it stays, and nothing
#: followed. ``UNSTABLE``: two runs without any save differ in it, too. ``HARMLESS``: anything else.
HEALS, UNREAD, UNSTABLE, HARMLESS = "heals", "unread", "unstable", "harmless"
#: What became of a leaf in a load. ``RESTORED``: it is as it was saved, and was not before. ``SAME``: it was
#: all the time. ``DIFFERS``: it is not. ``OPAQUE``: it could not be looked into.
RESTORED, SAME, DIFFERS, OPAQUE = "restored", "same", "differs", "opaque"


@dataclass(frozen=True)
class Consequence:
    """What a loss changes first.

    Attributes:
        path: of the leaf, or ``action``.
        part: the kind of state that it is.
        step: after how many steps behind the load.
    """

    path: str
    part: str
    step: int


@dataclass(frozen=True)
class Course:
    """How a run goes on with one loss and no other, beside the run that was never interrupted.

    Attributes:
        before: the steps up to the checkpoint, each in a word: ``learn``, ``act``, ``advance``, ...
        after: the steps behind the load.
        apart: by component, how far it is from the uninterrupted run right after the load and after each
            step: of the leaf that differs most, the norm of the difference over the larger norm; 0 if
            nothing differs, ``None`` where something does that has no distance, such as a generator.
        diverged: the step at which something else came to differ; ``None`` if nothing did.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    apart: Mapping[str, tuple[float | None, ...]]
    diverged: int | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Course:
        """The inverse of ``dataclasses.asdict``."""
        apart = {name: tuple(distances) for name, distances in data["apart"].items()}
        return cls(tuple(data["before"]), tuple(data["after"]), apart, data["diverged"])


@dataclass(frozen=True)
class Piece:
    """A leaf of an agent, and what became of it in a load.

    Attributes:
        path: where it is.
        fate: ``restored``, ``same``, ``differs`` or ``opaque``.
        what: what it is, in a few words.
    """

    path: str
    fate: str
    what: str = ""


@dataclass(frozen=True)
class Loss:
    """A piece of state that a reload does not bring back.

    Attributes:
        name: what a person would call it: the shortest path to it, as far as it is lost as a whole.
        path: where a walk through the agent finds it.
        part: the kind of state that it is.
        how: ``spreads``, ``read``, ``learned`` or ``recorded``.
        content: what of it is lost, such as ``moments of 6 parameters``.
        effect: what it changes first, and when; or that nothing was seen.
        experiment: how that was found out.
        differences: the leaves that differ right after the load, as text.
        within: what holds it, from the inside, as far as nothing of that has come back either.
        equals: what they are all equal to then: ``AS_BUILT``, ``AS_BEGUN``, paths of other networks.
        first: what it changes first; ``None`` if nothing was seen, or a step raised.
        beside: the nearest piece in the same place that has come back; empty if there is none.
        saved: ``absent`` or ``present``: whether it is in the checkpoint; empty if that is unknown.
        course: how a run goes on without it; ``None`` if no check has failed because of it.
        script: a Python script that shows it without this suite; empty if there is none.
    """

    name: str
    path: str
    part: str
    how: str
    content: str = ""
    effect: str = ""
    experiment: str = ""
    differences: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    equals: tuple[str, ...] = ()
    first: Consequence | None = None
    beside: str = ""
    saved: str = ""
    course: Course | None = None
    script: str = ""

    def __str__(self) -> str:
        content = f": {self.content}" if self.content else ""
        return f"{self.name}{content}; {self.effect}" if self.effect else f"{self.name}{content}"

    @property
    def affects_training(self) -> bool:
        """Whether it is a loss at level ``training``, too, and not only for who resumes a whole run."""
        return self.how != RECORDED

    @property
    def rank(self) -> int:
        """How much shows it: 0 is what spreads."""
        return _WORST_FIRST.index(self.how)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of ``dataclasses.asdict``."""
        read: dict[str, Any] = {name: tuple(data[name]) for name in ("differences", "within", "equals")}
        if data.get("first"):
            read["first"] = Consequence(**data["first"])
        if data.get("course"):
            read["course"] = Course.from_dict(data["course"])
        return cls(**{**data, **read})


@dataclass(frozen=True)
class Note:
    """A difference that was seen, and of which nothing follows.

    Attributes:
        name: what a person would call it.
        path: where a walk through the agent finds it.
        reason: why it is no loss, and how far was looked.
        how: ``heals``, ``unread``, ``unstable`` or ``harmless``.
    """

    name: str
    path: str
    reason: str
    how: str = HARMLESS

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def overlap(one: str, other: str) -> bool:
    """Whether two paths name the same thing, or one is in the other."""
    short, long = sorted((one, other), key=len)
    return lies_in(long, short)


def lies_in(path: str, whole: str) -> bool:
    """Whether a path names the same thing as another, or something in it."""
    return path == whole or path.startswith((f"{whole}.", f"{whole}["))


def merged(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Each loss once, the worst first: of those that overlap the outer one, with the best evidence of all.

    Several pieces of one thing of which nothing has come back are one loss: an environment, for example.
    """
    kept: list[Loss] = []
    # What was looked at closely is known best.
    for loss in sorted(losses, key=lambda one: (len(one.path), one.rank, one.course is None)):
        known = next((index for index, one in enumerate(kept) if overlap(loss.path, one.path)), None)
        if known is None:
            kept.append(loss)
        elif (loss.rank, loss.course is None) < (kept[known].rank, kept[known].course is None):
            evidence = _EVIDENCE if loss.course is None else _EVIDENCE + _CLOSER_EVIDENCE
            kept[known] = dataclasses.replace(kept[known], **{one: getattr(loss, one) for one in evidence})
    pieces = together(kept)
    return tuple(found[0] if len(found) == 1 else _as_one(path, found) for path, found in pieces.items())


def together(losses: Iterable[Loss]) -> dict[str, list[Loss]]:
    """Losses by the path of the whole that they are pieces of, the worst first."""
    ordered = sorted(losses, key=lambda loss: loss.rank)
    shared = Counter(above for loss in ordered for above in loss.within)
    pieces: dict[str, list[Loss]] = {}
    for loss in ordered:
        outer = [above for above in loss.within if shared[above] > 1]
        pieces.setdefault(outer[-1] if outer else loss.path, []).append(loss)
    return pieces


def _as_one(path: str, pieces: list[Loss]) -> Loss:
    """The loss of a whole of which several pieces are lost, the worst first."""
    names = [piece.name.removeprefix(f"{path}.") for piece in pieces]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return dataclasses.replace(
        min(pieces, key=lambda piece: (piece.rank, piece.course is None)),
        name=path,
        path=path,
        content=f"{', '.join(names[:_NAMED])}{more}",
        differences=tuple(line for piece in pieces for line in piece.differences),
        within=(),
        equals=() if len({piece.part for piece in pieces}) > 1 else _shared_equals(pieces),
    )


def _shared_equals(pieces: list[Loss]) -> tuple[str, ...]:
    return tuple(one for one in pieces[0].equals if all(one in piece.equals for piece in pieces))


def without_losses(notes: Iterable[Note], losses: Iterable[Loss]) -> tuple[Note, ...]:
    """Each note once, but for what has turned out to be lost."""
    lost = [loss.path for loss in losses]
    unique = {note.path: note for note in notes if not any(overlap(note.path, path) for path in lost)}
    return tuple(unique.values())


def as_volatile(paths: Iterable[str]) -> str:
    """The adapter's lines that declare leaves volatile, to paste."""
    patterns = dict.fromkeys(re.sub(r"\[.*", "[*", path) for path in paths)
    return "volatile = {" + ", ".join(f'{one!r}: "why it may differ"' for one in patterns) + "}"


def plain(notes: Iterable[Loss | Note]) -> list[dict[str, Any]]:
    """As plain data."""
    return [dataclasses.asdict(one) for one in notes]

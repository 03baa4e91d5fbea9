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
# Pieces of one loss that a line names.
_NAMED = 4
#: What a lost piece can hold after the load: what the receiver held before, or what the saved run began with.
AS_BUILT, AS_BEGUN = "as built", "as begun"


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

    def __str__(self) -> str:
        content = f": {self.content}" if self.content else ""
        return f"{self.name}{content}; {self.effect}" if self.effect else f"{self.name}{content}"

    @property
    def affects_training(self) -> bool:
        """Whether it is a loss at level ``training``, too, and not only for who resumes a whole run."""
        return self.how != RECORDED

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of ``dataclasses.asdict``."""
        lists = {name: tuple(data[name]) for name in ("differences", "within", "equals")}
        return cls(**{**data, **lists})


@dataclass(frozen=True)
class Note:
    """A difference that was seen, and of which nothing follows.

    Attributes:
        name: what a person would call it.
        path: where a walk through the agent finds it.
        reason: why it is no loss, and how far was looked.
    """

    name: str
    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def overlap(one: str, other: str) -> bool:
    """Whether two paths name the same thing, or one is in the other."""
    short, long = sorted((one, other), key=len)
    return long == short or long.startswith((f"{short}.", f"{short}["))


def merged(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Each loss once, the worst first: of those that overlap the outer one, with the best evidence of all.

    Several pieces of one thing of which nothing has come back are one loss: an environment, for example.
    """
    kept: list[Loss] = []
    for loss in sorted(losses, key=lambda one: (len(one.path), _badness(one))):
        known = next((index for index, one in enumerate(kept) if overlap(loss.path, one.path)), None)
        if known is None:
            kept.append(loss)
        elif _badness(loss) < _badness(kept[known]):
            kept[known] = dataclasses.replace(
                kept[known], how=loss.how, effect=loss.effect, experiment=loss.experiment
            )
    kept.sort(key=_badness)
    shared = Counter(above for loss in kept for above in loss.within)
    pieces: dict[str, list[Loss]] = {}
    for loss in kept:
        outer = [above for above in loss.within if shared[above] > 1]
        pieces.setdefault(outer[-1] if outer else loss.path, []).append(loss)
    return tuple(found[0] if len(found) == 1 else _as_one(path, found) for path, found in pieces.items())


def _as_one(path: str, pieces: list[Loss]) -> Loss:
    """The loss of a whole of which several pieces are lost, the worst first."""
    names = [piece.name.removeprefix(f"{path}.") for piece in pieces]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return dataclasses.replace(
        pieces[0],
        name=path,
        path=path,
        content=f"{', '.join(names[:_NAMED])}{more}",
        differences=tuple(line for piece in pieces for line in piece.differences),
        within=(),
        equals=() if len({piece.part for piece in pieces}) > 1 else _shared_equals(pieces),
    )


def _shared_equals(pieces: list[Loss]) -> tuple[str, ...]:
    return tuple(one for one in pieces[0].equals if all(one in piece.equals for piece in pieces))


def _badness(loss: Loss) -> int:
    return _WORST_FIRST.index(loss.how)


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

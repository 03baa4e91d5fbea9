# SPDX-License-Identifier: MIT
"""How a report speaks of losses: what became of a piece, what follows and when, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.losses import ABSENT, HEALS, PRESENT, UNREAD, UNSTABLE
from verification.ordinals import ordinal_word
from verification.state import Part
from verification.state.places import component_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verification.losses import Loss, Note

# How many are named in a sentence.
_NAMED = 3
_NOTED = {
    HEALS: "the run makes it anew",
    UNREAD: "it stays, and nothing followed from it",
    UNSTABLE: "it differs between two runs without any save, too",
}


def called(name: str) -> str:
    """A name as the agent's author would write it: what everything begins with says nothing."""
    return name.removeprefix("agent.")


def quoted(name: str) -> str:
    """The same, set off from the sentence around it, unless it is words itself."""
    return name if name.startswith("the ") else f"`{called(name)}`"


def line(loss: Loss) -> str:
    """One line about a loss: what it is, what it changes and when."""
    content = f" ({loss.content})" if loss.content else ""
    return f"{called(loss.name)}{content}: {follows(loss)}" if follows(loss) else called(loss.name) + content


def became(losses: Sequence[Loss]) -> str:
    """What became of some pieces: not saved, not put back, or simply not there after the load."""
    names = named([quoted(loss.name) for loss in losses])
    one = len(losses) == 1
    found = {loss.saved for loss in losses}
    if all(loss.part == Part.BINDING.value for loss in losses):
        return f"{names} {'comes' if one else 'come'} back as {'another object' if one else 'other objects'}"
    if found == {ABSENT}:
        return f"{names} {'is' if one else 'are'} not in the checkpoint"
    if found == {PRESENT}:
        verb, it = ("is", "it") if one else ("are", "them")
        return f"{names} {verb} in the checkpoint, but load does not put {it} back"
    return f"{names} {'does' if one else 'do'} not come back"


def follows(loss: Loss) -> str:
    """What a loss changes first, and when; or that nothing was seen."""
    first = loss.first
    if first is None:
        return loss.effect
    component = quoted(component_of(first.path))
    when = _when(loss)
    if first.path.startswith("action"):
        return f"the actions differ {when}"
    if first.part == Part.ONLINE.value and first.step:
        return f"{component} takes another step {when}"
    if first.path.endswith("['lr']"):
        return f"the learning rate of {component} differs {when}"
    whole = component if first.part in {Part.TARGET.value, Part.ONLINE.value} else quoted(first.path)
    return f"{whole} differs {when}"


def cure(losses: Sequence[Loss]) -> str:
    """What to do about some losses."""
    one = len(losses) == 1
    if all(loss.part == Part.BINDING.value for loss in losses):
        return "Let load fill the objects that exist instead of replacing them"
    it = "it" if one else "them"
    lost = {loss.path for loss in losses} | {loss.name for loss in losses}
    places = [loss.beside for loss in losses if loss.beside and loss.beside not in lost]
    beside = quoted(places[0]) if len(places) == len(losses) else ""  # there is none for a global generator
    if {loss.saved for loss in losses} == {PRESENT}:
        return f"Let load put {it} back{f', as it does {beside}' if beside else ''}"
    return f"Save {it} beside {beside}" if beside else f"Let save write {it} and load put {it} back"


def noted(note: Note) -> str:
    """A note in one line, without how far was looked."""
    return f"{called(note.name)}: {_NOTED.get(note.how, note.reason)}"


def named(names: Sequence[str], most: int = _NAMED) -> str:
    """Names in a row, and how many more there are."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _when(loss: Loss) -> str:
    assert loss.first is not None
    step = loss.first.step
    if not step:
        return "right after the load"
    done = loss.course.after[:step] if loss.course else ()
    updates = all(word == "learn" for word in done) and len(done) == step
    return f"from the {ordinal_word(step)} {'update' if updates else 'step'} on"

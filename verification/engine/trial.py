# SPDX-License-Identifier: MIT
"""One resumed run with some of what was lost put back: does anything follow from the rest?"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verification.engine.arms import Moment
from verification.engine.global_rng import restore_globals
from verification.errors import CheckFailure
from verification.losses import Consequence, overlap
from verification.ordinals import ordinal_word
from verification.program import updates
from verification.state import Part, Snapshot, in_words, take
from verification.state.transplant import transplant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from verification.engine.experiment import Experiment
    from verification.engine.lost_again import LostAgain
    from verification.engine.perturbation import Meddle
    from verification.state import Change, Difference


# How often what differs is put back, before it is given up.
_ROUNDS = 3


@dataclass(frozen=True)
class Spread:
    """The first moment at which something differs that did not differ right after the load.

    Attributes:
        steps: after the load.
        differences: what came to differ; none if a step raised instead.
        raised: what the step raised.
    """

    steps: int
    differences: tuple[Difference, ...] = ()
    raised: str = ""

    def is_within(self, other: Spread | None) -> bool:
        """Whether another one is as early, and all of this one is in it."""
        if other is None or self.steps != other.steps or self.raised != other.raised:
            return False
        return {one.path for one in self.differences} <= {one.path for one in other.differences}

    def effect(self, part_of: Callable[[Difference], Part], near: Collection[str] = ()) -> str:
        """What is changed first, and when: of several leaves, one of ``near``, or that is learned."""
        when = (
            f"at the {ordinal_word(self.steps)} step after the load" if self.steps else "right after the load"
        )
        if self.raised:
            return f"{when} {self.raised}"
        path = self._first(part_of, near).path
        return f"it changes {'the action' if path.startswith('action') else path} {when}"

    def first(self, part_of: Callable[[Difference], Part], near: Collection[str] = ()) -> Consequence | None:
        """The same as data; ``None`` if a step raised instead."""
        if self.raised:
            return None
        found = self._first(part_of, near)
        return Consequence(found.path, part_of(found).value, self.steps)

    def _first(self, part_of: Callable[[Difference], Part], near: Collection[str]) -> Difference:
        actions = [one for one in self.differences if one.path.startswith("action")]
        nearest = [one for one in self.differences if one.path in near]
        learned = [one for one in self.differences if part_of(one) in {Part.ONLINE, Part.TARGET}]
        return [*actions, *nearest, *learned, *self.differences][0]


@dataclass(frozen=True)
class Trial:
    """What became of a resumed run.

    Attributes:
        residue: what differed right after the load and the healing.
        unwritten: what could not be put back: the reason by path.
        spread: what followed; ``None`` if nothing did.
        staying: of the residue, the paths that differ at the end, too.
        steps: how far was looked, in steps after the load.
        lasting: of the residue, the paths that differ after the first step that trains, too.
    """

    residue: tuple[Change, ...]
    unwritten: Mapping[str, str]
    spread: Spread | None
    staying: frozenset[str]
    steps: int
    lasting: frozenset[str] = frozenset()


def restored(
    experiment: Experiment, cut: int, *, used: bool = False, heal: Collection[Change] = ()
) -> tuple[Any, dict[str, str]]:
    """An agent loaded from the checkpoint of ``cut`` in which some differences are put back.

    Returns:
        The agent, and what could not be put back: the reason by path.
    """
    if heal:
        experiment.living(cut)  # before the load, which leaves another past
    agent = experiment.load(cut, used=used)
    differing = experiment.after_load(cut, used=used)
    return agent, _put_back(experiment, agent, cut, differing, heal) if heal else {}


def _put_back(
    experiment: Experiment,
    agent: Any,
    cut: int,
    differing: Collection[Change],
    heal: Collection[Change],
) -> dict[str, str]:
    """Put back some of what differs in an agent; returns what could not be: the reason by path."""
    driver, saved, reference = experiment.driver, experiment.moment(cut), experiment.living(cut)
    # What is to stay as it is: whatever differed, but for what is put back.
    left = {one.path for one in differing} - {one.path for one in heal}
    failed: dict[str, str] = {}
    for _ in range(_ROUNDS):
        shared = [one.path for one in heal if driver.class_state.is_apart(one.path)]
        driver.class_state.give(reference.classes, shared)
        heal = [one for one in heal if one.path not in shared]
        failed = transplant(driver.roots(agent), driver.roots(reference.agent), heal)
        found = experiment.differing(cut, Moment(driver.snapshot(agent), saved.output))
        # Where one object takes another's place, what is held under it, such as moments, is found only then.
        heal = [one for one in found if not any(overlap(one.path, path) for path in left)]
        if not heal:
            break
    return failed


def reload(
    experiment: Experiment, agent: Any, cut: int, *, heal: Collection[Change] = ()
) -> tuple[Any, list[Change]]:
    """Save an agent and load it into a new receiver, and put back what is known to be lost.

    Returns:
        The agent, and how it differed from the reference before that.
    """
    directory = experiment.save(agent)
    again = experiment.driver.load(experiment.receiver(), directory)
    experiment.driver.give_callers(again, agent)
    found = Moment(experiment.driver.snapshot(again), experiment.moment(cut).output)
    differing, paths = experiment.differing(cut, found), {one.path for one in heal}
    if lost := [one for one in differing if one.path in paths]:
        _put_back(experiment, again, cut, differing, lost)
    return again, differing


def is_drift(change: Change) -> bool:
    """Whether two values are the same but for their type, memory or identity."""
    if change.aspect in {"identity", "memory", "strides"}:
        return True
    if change.expected is None or change.actual is None:
        return False
    one, other = change.expected.value, change.actual.value
    plain = (int, float, complex)
    return change.aspect == "type" and isinstance(one, plain) and isinstance(other, plain) and one == other


def go_on(
    experiment: Experiment,
    cut: int,
    *,
    used: bool,
    heal: Collection[Change],
    horizon: int,
    meddle: Meddle,
) -> None:
    """The same as :func:`resume`, but for the comparison: up to the end, or to a step that raises."""
    agent, _ = restored(experiment, cut, used=used, heal=heal)
    meddle(experiment.driver.roots(agent))
    experiment.train_bystander()
    with contextlib.suppress(CheckFailure):
        for position in range(cut + 1, len(experiment.program.steps) + horizon + 1):
            experiment.step(agent, position, reloaded=True)


def resume(
    experiment: Experiment,
    cut: int,
    *,
    used: bool,
    heal: Collection[Change],
    horizon: int = 0,
    streams: Collection[str] = (),
    meddle: Meddle | None = None,
    lost_again: LostAgain | None = None,
    ignored: Covered | None = None,
) -> Trial:
    """Load, put back what is named, and go on until something follows from what still differs, or the end.

    Args:
        experiment: whose checkpoint of ``cut`` is loaded.
        cut: after how many steps.
        used: load into a receiver with a past of its own.
        heal: differences to put back from the reference.
        horizon: steps beyond the program's end.
        streams: global generators to put back, too, by name.
        meddle: does something to the roots of the agent before it goes on.
        lost_again: what is as the load leaves it after every step, too.
        ignored: what differs in it did not follow either.
    """
    driver = experiment.driver
    states = (
        experiment.living(cut).streams if streams else {}
    )  # before the load, which leaves another past behind
    agent, unwritten = restored(experiment, cut, used=used, heal=heal)
    if meddle:
        meddle(driver.roots(agent))
    if lost_again:
        lost_again.remember(driver.roots(agent))
    saved = experiment.moment(cut)
    residue = experiment.differing(cut, Moment(driver.snapshot(agent), saved.output))
    covered = Covered.by(residue).and_also(ignored)
    experiment.train_bystander()
    if streams:
        restore_globals({name: states[name] for name in streams})
    end = len(experiment.program.steps) + horizon
    last: list[Change] = residue
    lasting: frozenset[str] | None = None
    for position in range(cut + 1, end + 1):
        try:
            output = experiment.step(agent, position, reloaded=True)
        except CheckFailure as failure:
            spread = Spread(position - cut, raised=failure.sentence)
            return Trial(tuple(residue), unwritten, spread, frozenset(), position - cut)
        moment = Moment(driver.snapshot(agent), take({"action": output}))
        last = experiment.differing(position, moment)
        if followed := covered.outside(last):
            words = tuple(in_words(one, _where(one, moment)) for one in followed)
            return Trial(
                tuple(residue), unwritten, Spread(position - cut, words), frozenset(), position - cut
            )
        if lasting is None and updates(experiment.step_at(position)):
            lasting = _still(residue, last)
        if lost_again:
            lost_again.lose(driver.roots(agent), moment.snapshot)
    staying = _still(residue, last)
    return Trial(tuple(residue), unwritten, None, staying, end - cut, lasting or frozenset())


def _still(residue: Collection[Change], last: Collection[Change]) -> frozenset[str]:
    """Of the residue, the paths that differ among the last changes, too."""
    paths = {one.path for one in last}
    return frozenset(one.path for one in residue if any(overlap(one.path, path) for path in paths))


def _where(change: Change, moment: Moment) -> Snapshot:
    return moment.output if change.path.startswith("action") else moment.snapshot


@dataclass(frozen=True)
class Covered:
    """What differed right after a load, as far as it extends: what differs there later did not follow.

    Attributes:
        paths: of what differed.
        extents: of the same; plain values may move in them.
    """

    paths: frozenset[str]
    extents: frozenset[str]

    @classmethod
    def by(cls, differing: Iterable[Change], wholes: Iterable[str] = ()) -> Covered:
        """What some changes cover, and the paths of wholes that they are lost with."""
        known, whole = list(differing), frozenset(wholes)
        return cls(whole.union(one.path for one in known), whole.union(map(extent, known)))

    def and_also(self, other: Covered | None) -> Covered:
        """This and another one together."""
        return Covered(self.paths | other.paths, self.extents | other.extents) if other else self

    def has(self, path: str) -> bool:
        """Whether a path is in it, as far as it extends."""
        return any(overlap(one, path) for one in self.extents)

    def outside(self, found: Iterable[Change]) -> list[Change]:
        """The changes that are not explained by it: weights are no items that move with a value."""

        def near(one: Change) -> frozenset[str]:
            leaf = one.expected or one.actual
            return self.extents if leaf is None or leaf.role == "value" else self.paths

        return [one for one in found if not any(overlap(one.path, path) for path in near(one))]


def extent(change: Change) -> str:
    """As far as a difference may move without any cause: the items of a list that is lost shift."""
    leaf = change.expected or change.actual
    if leaf is not None and leaf.role == "value":
        return re.split(r"\[|\.keys\(\)|\.values\(\)", change.path, maxsplit=1)[0]
    return change.path

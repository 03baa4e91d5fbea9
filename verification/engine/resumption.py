# SPDX-License-Identifier: MIT
"""One load, and runs that go on from it with some of what differs put back."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from verification.engine.global_rng import isolated
from verification.engine.groups import Group, grouped
from verification.engine.reading import Reading
from verification.engine.trial import Covered, Spread, Trial, reload, resume
from verification.errors import CheckFailure
from verification.losses import overlap
from verification.state.places import component_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from verification.engine.experiment import Experiment
    from verification.engine.lost_again import LostAgain
    from verification.state import Change, Leaf


class Resumption:
    """The load of a checkpoint, what differs right after it, and runs from there on.

    Args:
        experiment: whose checkpoint is loaded.
        cut: after how many of its steps that was saved.
        used: whether the receiver has a past of its own.

    Attributes:
        groups: what differs right after the load.
        horizon: steps beyond the program's end that are looked at where nothing is decided within it.
        streams: lost global generators, which every run puts back.
        anyway: what follows with everything put back that can be; ``None`` if nothing does.
    """

    def __init__(self, experiment: Experiment, cut: int, *, used: bool) -> None:
        self.experiment = experiment
        self.cut = cut
        self.used = used
        self.horizon: int = experiment.program.horizon
        self.streams: list[str] = []
        self.anyway: Spread | None = None
        self._made: dict[tuple[object, ...], Trial] = {}
        differing = experiment.after_load(cut, used=used)
        self.groups: list[Group] = (
            grouped(
                differing,
                experiment.moment(cut).snapshot,
                experiment.loaded(cut, used=used),
                experiment.cold(used=used),
                experiment.part_of,
            )
            if differing
            else []
        )

    def trial(
        self,
        broken: Sequence[Group],
        *,
        horizon: int = 0,
        lost_again: LostAgain | None = None,
        ignored: Covered | None = None,
    ) -> Trial:
        """A run with everything put back but ``broken``; the same one again is known."""
        paths = frozenset(group.path for group in broken)
        key = (paths, horizon, tuple(self.streams), lost_again, ignored)
        if key not in self._made:
            self._made[key] = resume(
                self.experiment,
                self.cut,
                used=self.used,
                heal=[one for group in self.groups if group.path not in paths for one in group.changes],
                horizon=horizon,
                streams=self.streams,
                lost_again=lost_again,
                ignored=ignored,
            )
        return self._made[key]

    def shown(self, trial: Trial) -> Spread | None:
        """What follows from what a run has left broken: not what follows with everything put back, too."""
        return None if trial.spread is None or trial.spread.is_within(self.anyway) else trial.spread

    def following(
        self, broken: Sequence[Group], without_effect: Sequence[Group], *, horizon: int
    ) -> Spread | None:
        """What follows from some groups where everything else is put back.

        Args:
            broken: what is left as the load has left it.
            without_effect: all of which no effect on training is known.
            horizon: steps beyond the program's end.
        """

        def following(inert: Covered | None) -> Spread | None:
            return self.shown(self.trial(broken, horizon=horizon, ignored=inert))

        others = [group for group in without_effect if group not in broken]
        return self.consequence(following, others)

    def consequence(
        self, following: Callable[[Covered | None], Spread | None], without_effect: Sequence[Group]
    ) -> Spread | None:
        """What follows from a loss, unless that is itself without an effect.

        A count of episodes may move the place in a log that a load empties anyway. That something comes to
        differ which a load does not bring back is no consequence: it would have to lead to something else.

        Args:
            following: makes an experiment: what follows, but for what differs in something.
            without_effect: what has come back different, too, and no effect on training is known of it.
        """
        found = spread = following(None)
        inert = covered(without_effect)
        while spread is not None:
            position = self.cut + spread.steps
            others = [one.path for one in spread.differences if not inert.has(one.path)]
            if spread.raised or not all(self._is_lost_there(path, position) for path in others):
                return found
            inert = inert.and_also(covered([], others))
            spread = following(inert)
        return None

    def _is_lost_there(self, path: str, position: int) -> bool:
        """Whether a leaf was after the load as in a new agent, and does not come back where it is not."""
        built = self.experiment.cold(used=self.used).leaves.get(path)
        if not _alike(built, self.experiment.moment(self.cut).snapshot.leaves.get(path)):
            return False
        end = len(self.experiment.program.steps) + self.horizon  # at the position it may still be as built
        return any(overlap(one, path) for there in (position, end) for one in self._lost_at(there))

    def _lost_at(self, position: int) -> frozenset[str]:
        """The paths that differ after a save and a load at another position; none if it cannot be loaded."""
        known, experiment = self.experiment.lost_at, self.experiment
        if position not in known:
            known[position] = frozenset()
            with isolated(), contextlib.suppress(CheckFailure):
                _, differing = reload(experiment, experiment.living(position).agent, position)
                known[position] = frozenset(change.path for change in differing)
            experiment.forget_living(position)  # a save may have changed it
        return known[position]

    def follows_later(self) -> Spread | None:
        """What follows up to the horizon with everything put back, and generators that are read there."""
        spread = self.trial([], horizon=self.horizon).spread
        if spread is not None:
            known, self.streams = self.streams, list(self.experiment.living(self.cut).streams)
            spread = self.trial([], horizon=self.horizon).spread
            if spread is not None:
                self.streams = known
        return spread

    def reading(self, differing: list[Change], ignored: Covered | None = None) -> Reading:
        """Runs of an agent in which what differs is put back, and something is changed on purpose."""
        return Reading(
            experiment=self.experiment,
            cut=self.cut,
            used=self.used,
            differing=differing,
            streams=self.streams,
            ignored=ignored,
        )

    def all_changes(self) -> list[Change]:
        """Whatever differs right after the load."""
        return [change for group in self.groups for change in group.changes]

    def is_none_the_better_without(
        self, guilty: list[Group], spread: Spread, left: list[Group], *, horizon: int
    ) -> bool:
        """Whether groups matter only where others are put back: the load as it is goes on as without them.

        What waits for the first step, say, is put back by what else the load has left, and is not lost.

        Args:
            guilty: from which something follows with everything else put back.
            spread: what does.
            left: all that is not known to be lost.
            horizon: steps beyond the program's end.
        """
        as_it_is = self.trial(left, horizon=horizon)
        if as_it_is.spread is None:
            paths = {*(one.path for one in guilty), *(one.path for one in spread.differences)}
            return not any(overlap(one, path) for one in as_it_is.staying for path in paths)
        others = [one for one in left if one not in guilty]
        if not others:
            return False
        without = self.trial(others, horizon=horizon, ignored=covered(guilty))
        return without.spread == as_it_is.spread

    def changes(self, group: Group) -> bool:
        """Whether training changes anything in a group."""
        return any(change.path in self.experiment.changing for change in group.changes)

    def near(self, group: Group) -> frozenset[str]:
        """What a lost object leads to, such as an optimizer's parameters: that is changed by it first."""
        owner = component_of(group.path)
        leaves = self.experiment.moment(self.cut).snapshot.leaves
        return frozenset(
            str(leaf.value)
            for path, leaf in leaves.items()
            if leaf.kind == "identity" and overlap(path, owner)
        )


def covered(groups: Sequence[Group], paths: Iterable[str] = ()) -> Covered:
    """What groups cover, each as a whole, and what some other paths do."""
    changes = [change for group in groups for change in group.changes]
    return Covered.by(changes, [*(group.path for group in groups), *paths])


def _alike(one: Leaf | None, other: Leaf | None) -> bool:
    # Not their values, which may be arrays.
    return one is other if one is None or other is None else one[1:4] == other[1:4]

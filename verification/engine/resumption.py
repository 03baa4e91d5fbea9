# SPDX-License-Identifier: MIT
"""One load, and runs that go on from it with some of what differs put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.engine.groups import Group, grouped
from verification.engine.reading import Reading
from verification.engine.trial import Spread, Trial, resume
from verification.losses import overlap
from verification.state.places import component_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verification.engine.experiment import Experiment
    from verification.engine.lost_again import LostAgain
    from verification.state import Change


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
        ignored: Sequence[Group] = (),
    ) -> Trial:
        """A run with everything put back but ``broken``; the same one again is known."""
        paths = frozenset(group.path for group in broken)
        others = frozenset(group.path for group in ignored)
        key = (paths, horizon, tuple(self.streams), lost_again, others)
        if key not in self._made:
            self._made[key] = resume(
                self.experiment,
                self.cut,
                used=self.used,
                heal=[one for group in self.groups if group.path not in paths for one in group.changes],
                horizon=horizon,
                streams=self.streams,
                lost_again=lost_again,
                ignored=[one for group in ignored for one in group.changes],
            )
        return self._made[key]

    def shown(self, trial: Trial) -> Spread | None:
        """What follows from what a run has left broken: not what follows with everything put back, too."""
        return None if trial.spread is None or trial.spread.is_within(self.anyway) else trial.spread

    def follows_later(self) -> Spread | None:
        """What follows up to the horizon with everything put back, and generators that are read there."""
        spread = self.trial([], horizon=self.horizon).spread
        if spread is not None:
            known, self.streams = self.streams, list(self.experiment.living(self.cut).streams)
            spread = self.trial([], horizon=self.horizon).spread
            if spread is not None:
                self.streams = known
        return spread

    def reading(self, differing: list[Change]) -> Reading:
        """Runs of an agent in which what differs is put back, and something is changed on purpose."""
        return Reading(
            experiment=self.experiment,
            cut=self.cut,
            used=self.used,
            differing=differing,
            streams=self.streams,
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
        without = self.trial(others, horizon=horizon, ignored=guilty)
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

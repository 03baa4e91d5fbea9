# SPDX-License-Identifier: MIT
"""Judges what differs after a load by what follows from it.

From the load on, a difference *spreads* (an action, or a leaf that was equal, comes to differ), *heals* (is
equal again, and nothing spread) or *stays*. Which of several differences is to blame is found by experiment:
all the others are put back, and the run goes on. What is found to be lost is put back in everything that
follows, so that one loss never hides another.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verification.engine import hidden
from verification.engine.groups import DECISIVE, Group, content_of, grouped, name_of
from verification.engine.lookalikes import lookalikes
from verification.engine.reading import Reading
from verification.engine.trial import Spread, Trial, is_drift, resume
from verification.losses import HEALS, LEARNED, READ, RECORDED, SPREADS, UNREAD, Loss, Note, overlap
from verification.state import Part, in_words
from verification.state.places import component_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verification.engine.experiment import Experiment
    from verification.losses import Consequence
    from verification.state import Change

# In how many programs a harmless difference is examined so closely.
_EXAMINED = 2
#: What training makes of an agent. Where such state differs it is lost, unless nothing reads it.
_LEARNED = frozenset({Part.ONLINE, Part.TARGET, Part.OPTIMIZER, Part.SCHEDULE, Part.GENERATOR})


@dataclass
class Judgement:
    """What a load at one cut has lost.

    Attributes:
        losses: what is lost, with the groups of leaves.
        followed: whether the run has been gone on with; where nothing differs, it is only on demand.
        harmless: groups of which nothing follows.
        unexplained: what still follows although everything that is seen was put back; ``None`` if nothing.
    """

    losses: list[tuple[Loss, Group | None]] = field(default_factory=list)
    followed: bool = False
    harmless: list[Group] = field(default_factory=list)
    unexplained: Spread | None = None

    @property
    def healing(self) -> list[Change]:
        """What has to be put back for everything else to be as if nothing was lost."""
        return [change for _, group in self.losses if group is not None for change in group.changes]

    def without_leaves(self) -> Judgement:
        """What can be sent to another process: losses without the leaves that differ."""
        losses: list[tuple[Loss, Group | None]] = [(loss, None) for loss, _ in self.losses]
        return Judgement(losses, self.followed, [], self.unexplained)


def judge(experiment: Experiment, cut: int, *, used: bool = False) -> Judgement:
    """Judge what differs after loading the checkpoint of ``cut``; each load of an experiment once.

    Raises:
        Inconclusive: if two runs without any save learn differently.
        CheckFailure: if the load raises.
    """
    known = experiment.judgements
    if (cut, used) not in known:
        known[cut, used] = _Judge(experiment, cut, used=used).judge()
    experiment.consulted.add((cut, used))
    return known[cut, used]


def follow(experiment: Experiment, cut: int, *, used: bool = False) -> Judgement:
    """The same, and what follows although nothing that is seen differs. Raises as :func:`judge`."""
    judgement = judge(experiment, cut, used=used)
    if not judgement.followed:
        judge_again = _Judge(experiment, cut, used=used)
        judge_again.judgement = judgement
        judge_again.follow([])
    return judgement


class _Judge:
    def __init__(self, experiment: Experiment, cut: int, *, used: bool) -> None:
        self.experiment = experiment
        self.inventory = experiment.inventory
        self.cut = cut
        self.used = used
        self.horizon = experiment.program.horizon
        self.judgement = Judgement()
        differing = experiment.after_load(cut, used=used)
        self.groups = (
            grouped(
                differing,
                experiment.moment(cut).snapshot,
                experiment.cold(used=used),
                experiment.part_of,
            )
            if differing
            else []
        )

    def judge(self) -> Judgement:
        open_ = []
        for group in self.groups:
            loss = self.inventory.loss_at(group.path)
            if loss is not None and loss.how == SPREADS:
                self.judgement.losses.append((self.told_better(loss, group), group))
            else:
                open_.append(group)
        if not self.groups:
            return self.judgement
        self.follow(open_)
        return self.judgement

    def follow(self, open_: list[Group]) -> None:
        """Go on from the load, and see what follows from what is not known to be lost."""
        self.judgement.followed = True
        whole = self.trial([])
        if whole.spread is not None:
            open_ = self.explain(whole, open_)
        elif open_:
            open_ = self.blame(open_, horizon=0)
        if open_:
            self.examine(open_)

    # -- experiments -----------------------------------------------------------------------------------

    def trial(self, broken: Sequence[Group], *, horizon: int = 0) -> Trial:
        """A run with everything put back but ``broken``."""
        paths = {group.path for group in broken}
        heal = [change for group in self.groups if group.path not in paths for change in group.changes]
        return resume(self.experiment, self.cut, used=self.used, heal=heal, horizon=horizon)

    def blame(self, suspects: list[Group], *, horizon: int) -> list[Group]:
        """Find every smallest set of suspects that something follows from; returns those left."""
        while suspects:
            trial = self.trial(suspects, horizon=horizon)
            if trial.spread is None:
                return suspects
            guilty, spread = self.smallest(suspects, trial.spread, horizon)
            for group in guilty:
                others = [name_of(other) for other in guilty if other is not group]
                together = f", together with {', '.join(others)}" if others else ""
                self.lost(
                    group,
                    SPREADS,
                    spread.effect(self.experiment.part_of, self.near(group)),
                    f"with everything else put back{together} the run differs; "
                    "with this put back, too, it does not",
                    spread.first(self.experiment.part_of, self.near(group)),
                )
            paths = {group.path for group in guilty}
            suspects = [group for group in suspects if group.path not in paths]
        return suspects

    def smallest(self, suspects: list[Group], spread: Spread, horizon: int) -> tuple[list[Group], Spread]:
        """A smallest set of suspects that something follows from, and what does: delta debugging."""
        parts = 2
        while len(suspects) > 1:
            size = -(-len(suspects) // parts)
            pieces = [suspects[start : start + size] for start in range(0, len(suspects), size)]
            for piece in [*pieces, *(_without(suspects, piece) for piece in pieces if len(pieces) > 2)]:
                trial = self.trial(piece, horizon=horizon)
                if trial.spread is not None:
                    suspects, spread, parts = piece, trial.spread, 2
                    break
            else:
                if parts >= len(suspects):
                    break
                parts = min(len(suspects), parts * 2)
        return suspects, spread

    def told_better(self, loss: Loss, group: Group) -> Loss:
        """A known loss; where more of it is lost here than was before, as what it is here."""
        parts = [part.value for part in DECISIVE]
        if loss.path != group.path or parts.index(group.part.value) >= parts.index(loss.part):
            return loss
        better = dataclasses.replace(
            loss, part=group.part.value, name=name_of(group), content=content_of(group)
        )
        self.inventory.add(better)
        return better

    # -- verdicts --------------------------------------------------------------------------------------

    def lost(
        self, group: Group, how: str, effect: str, experiment: str, first: Consequence | None = None
    ) -> None:
        found = self.experiment.loaded(self.cut, used=self.used)
        loss = Loss(
            name=name_of(group),
            path=group.path,
            part=group.part.value,
            how=how,
            content=content_of(group),
            effect=effect,
            experiment=experiment,
            differences=tuple(str(in_words(change, found)) for change in group.changes),
            within=group.within,
            equals=lookalikes(
                group.changes,
                reference=self.experiment.moment(self.cut).snapshot,
                loaded=found,
                built=self.experiment.cold(used=self.used),
                begun=self.experiment.moment(0).snapshot,
            ),
            first=first,
        )
        self.inventory.add(loss)
        self.judgement.losses.append((loss, group))

    def harmless(self, group: Group, reason: str, how: str) -> None:
        self.inventory.note(Note(name_of(group), group.path, reason, how))
        self.judgement.harmless.append(group)

    def explain(self, whole: Trial, open_: list[Group]) -> list[Group]:
        """Something follows although everything that is seen was put back."""
        assert whole.spread is not None
        stuck = [group for group in open_ if _left(group, whole)]
        for group in stuck:
            why = next((text for path, text in whole.unwritten.items() if overlap(path, group.path)), "")
            self.lost(
                group,
                SPREADS,
                whole.spread.effect(self.experiment.part_of, self.near(group)),
                f"it could not be put back into a live agent ({why or 'it differs again at once'}); with "
                "everything else put back the run differs",
                whole.spread.first(self.experiment.part_of, self.near(group)),
            )
        if not stuck and not any(_left(group, whole) for _, group in self.judgement.losses if group):
            heal = self.all_changes()
            loss = hidden.find(self.experiment, self.cut, used=self.used, heal=heal, spread=whole.spread)
            if loss is None:
                self.judgement.unexplained = whole.spread
            else:
                self.inventory.add(loss)
                self.judgement.losses.append((loss, None))
        return [group for group in open_ if group not in stuck]

    def examine(self, groups: list[Group]) -> None:
        """Look closely at what nothing followed from within the program."""
        closely = []
        for group in groups:
            if (loss := self.inventory.loss_at(group.path)) is not None:
                self.judgement.losses.append((loss, group))
            elif self.is_new_here(group) and self.inventory.wants(
                group.path, used=self.used, times=_EXAMINED
            ):
                closely.append(group)
            else:
                self.judgement.harmless.append(group)
        if not closely or self.judgement.unexplained is not None:
            return
        closely = self.blame(closely, horizon=self.horizon)
        if not closely:
            return
        trial = self.trial(closely, horizon=self.horizon)
        staying = []
        for group in closely:
            if any(overlap(path, group.path) for path in trial.staying):
                staying.append(group)
            else:
                reason = f"the run makes it anew; nothing followed in {trial.steps} steps"
                self.harmless(group, reason, HEALS)
        candidates = [group for group in staying if not all(map(is_drift, group.changes))]
        constants = [group for group in candidates if not self.changes(group)]
        reading = Reading(
            experiment=self.experiment, cut=self.cut, used=self.used, differing=self.all_changes()
        )
        read = reading.among(constants)
        for group in candidates:
            if group not in constants:  # together, they could be what follows from one another
                read |= reading.among([group])
        for group in staying:
            self.decide(group, trial.steps, read.get(group.path))

    def is_new_here(self, group: Group) -> bool:
        """Whether no other load of this program has been examined for a group."""
        key = group.path, self.used
        new = key not in self.experiment.examined
        self.experiment.examined.add(key)
        return new

    def near(self, group: Group) -> frozenset[str]:
        """What a lost object leads to, such as an optimizer's parameters: that is changed by it first."""
        owner = component_of(group.path)
        leaves = self.experiment.moment(self.cut).snapshot.leaves
        return frozenset(
            str(leaf.value)
            for path, leaf in leaves.items()
            if leaf.kind == "identity" and overlap(path, owner)
        )

    def all_changes(self) -> list[Change]:
        """Whatever differs right after the load."""
        return [change for group in self.groups for change in group.changes]

    def changes(self, group: Group) -> bool:
        """Whether training changes anything in a group."""
        return any(change.path in self.experiment.changing for change in group.changes)

    def decide(self, group: Group, steps: int, read: Spread | None) -> None:
        """A difference stays, and nothing has followed from it; ``read`` is what does if it is changed."""
        changes = self.changes(group)
        drift = all(map(is_drift, group.changes))
        if read is not None:
            self.lost(
                group,
                READ,
                f"nothing followed in {steps} steps, but training reads it",
                f"changed on purpose, {read.effect(self.experiment.part_of)}",
            )
        elif group.part in _LEARNED and changes and not self.can_be_read(group) and not drift:
            self.lost(group, LEARNED, f"training changes it; nothing followed in {steps} steps", "")
        elif changes and not drift:
            self.lost(group, RECORDED, "training changes it, but no effect on training was seen", "")
        else:
            reason = f"nothing followed from it in {steps} steps, and nothing that was seen reads it"
            self.harmless(group, reason, UNREAD)

    def can_be_read(self, group: Group) -> bool:
        """Whether reading it would have shown: a schedule or a stream takes effect when it does."""
        return group.part in {Part.ONLINE, Part.TARGET, Part.OPTIMIZER} and any(
            change.aspect == "value"
            and change.expected is not None
            and change.expected.kind in {"tensor", "array"}
            for change in group.changes
        )


def _without(groups: list[Group], some: list[Group]) -> list[Group]:
    return [group for group in groups if group not in some]


def _left(group: Group, trial: Trial) -> bool:
    """Whether a group differs although it was to be put back."""
    return any(overlap(change.path, group.path) for change in trial.residue)

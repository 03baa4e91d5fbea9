# SPDX-License-Identifier: MIT
"""Judges what differs after a load by what follows from it.

From the load on, a difference *spreads* (an action, or a leaf that was equal, comes to differ), *heals* (is
equal again, and nothing spread) or *stays*. Which of several differences is to blame is found by experiment:
all the others are put back, and the run goes on. What is found to be lost is put back in everything that
follows, so that one loss never hides another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.engine import hidden
from verification.engine.closer_look import ON_PURPOSE, read_before_made_anew, read_while_it_stays
from verification.engine.culprits import culprits
from verification.engine.findings import Findings, Judgement
from verification.engine.groups import Group, name_of
from verification.engine.resumption import Resumption
from verification.engine.trial import Spread, Trial, is_drift
from verification.losses import HEALS, LEARNED, READ, RECORDED, SPREADS, UNREAD, overlap
from verification.program import updates
from verification.state import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verification.engine.experiment import Experiment

# In how many programs a harmless difference is examined so closely, besides those that reach further.
_EXAMINED = 2
# Of a whole of which nothing has come back, the pieces that are found to be lost one by one.
_ENOUGH = 4
#: What training makes of an agent. Where such state differs it is lost, unless nothing reads it.
_LEARNED = frozenset({Part.ONLINE, Part.TARGET, Part.OPTIMIZER, Part.SCHEDULE, Part.GENERATOR})


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
        judge_again = _Judge(experiment, cut, used=used, judgement=judgement)
        judge_again.follow([])
    return judgement


class _Judge:
    def __init__(
        self, experiment: Experiment, cut: int, *, used: bool, judgement: Judgement | None = None
    ) -> None:
        self.experiment = experiment
        self.inventory = experiment.inventory
        self.cut = cut
        self.used = used
        self.resumption = Resumption(experiment, cut, used=used)
        self.findings = Findings(self.resumption, judgement)
        self.judgement = self.findings.judgement

    def judge(self) -> Judgement:
        open_ = []
        for group in self.resumption.groups:
            loss = self.inventory.loss_at(group.path)
            if loss is not None and loss.how == SPREADS:
                self.judgement.losses.append((self.findings.seen_again(loss, group), group))
            else:
                open_.append(group)
        if not self.resumption.groups:
            return self.judgement
        self.follow(open_)
        return self.judgement

    def follow(self, open_: list[Group]) -> None:
        """Go on from the load, and see what follows from what is not known to be lost."""
        self.judgement.followed = True
        whole = self.resumption.trial([])
        if whole.spread is not None:
            open_ = self.explain(whole, open_)
        if open_ and self.judgement.unexplained is None:
            open_ = self.blame(open_, horizon=0)
        if open_:
            self.examine(open_)

    # -- who is to blame -------------------------------------------------------------------------------

    def blame(self, suspects: list[Group], *, horizon: int) -> list[Group]:
        """Find every smallest set of suspects that something follows from; returns those left."""

        def following(broken: Sequence[Group]) -> Spread | None:
            without_effect = self.findings.without_effect(self.resumption.groups)
            return self.resumption.following(broken, without_effect, horizon=horizon)

        while suspects and (all_of_it := following(suspects)) is not None:
            left = self.findings.not_lost(self.resumption.groups)
            spared, known = [], len(self.judgement.losses)
            for guilty, spread in culprits(suspects, all_of_it, following, self.findings.not_lost):
                if self.resumption.is_none_the_better_without(guilty, spread, left, horizon=horizon):
                    spared.append((guilty, spread))
                else:
                    self.convict(guilty, spread, suspects)
            if len(self.judgement.losses) == known:
                if following(left) is None:
                    return suspects
                for guilty, spread in spared:  # of several that do the same harm none makes a difference
                    self.convict(guilty, spread, suspects)
            suspects = self.findings.not_lost(suspects)
        return suspects

    def convict(self, guilty: list[Group], spread: Spread, suspects: list[Group]) -> None:
        """Report as lost the groups from which something follows together."""
        for group in guilty:
            others = [name_of(other) for other in guilty if other is not group]
            together = f", together with {', '.join(others)}" if others else ""
            self.findings.spreads(
                group,
                spread,
                f"with everything else put back{together} the run differs; "
                "with this put back, too, it does not",
            )
        for group in guilty:
            self.lose_the_rest_of(group, suspects, spread)

    def lose_the_rest_of(self, group: Group, suspects: list[Group], spread: Spread) -> None:
        """Of a whole of which nothing has come back a few pieces are enough to see that it is lost."""
        for whole in group.within[-1:]:
            known = [one for _, one in self.judgement.losses if one is not None and whole in one.within]
            if len(known) < _ENOUGH:
                continue
            for other in self.findings.not_lost([one for one in suspects if whole in one.within]):
                self.findings.lost(
                    other,
                    SPREADS,
                    spread.effect(self.experiment.part_of, self.resumption.near(group)),
                    f"nothing of {whole} has come back, and the run differs without other pieces of it",
                )

    def explain(self, whole: Trial, open_: list[Group]) -> list[Group]:
        """Something follows although everything that is seen was put back."""
        assert whole.spread is not None
        if open_ and self.is_harm_of_healing(open_):
            return []
        stuck = [group for group in open_ if _left(group, whole)]
        for group in stuck:
            why = next((text for path, text in whole.unwritten.items() if overlap(path, group.path)), "")
            self.findings.spreads(
                group,
                whole.spread,
                f"it could not be put back into a live agent ({why or 'it differs again at once'}); with "
                "everything else put back the run differs",
            )
        if not stuck and not any(_left(group, whole) for _, group in self.judgement.losses if group):
            heal = self.resumption.all_changes()
            losses, self.resumption.streams = hidden.find(
                self.experiment, self.cut, used=self.used, heal=heal, spread=whole.spread
            )
            if not losses:
                self.judgement.unexplained = whole.spread
            for loss in losses:
                self.inventory.add(loss)
                self.judgement.losses.append((loss, None))
        if not self.resumption.streams:
            self.resumption.anyway = whole.spread
        return [group for group in open_ if group not in stuck]

    def is_harm_of_healing(self, groups: list[Group]) -> bool:
        """Whether nothing follows with nothing put back: a live agent may not bear what is put into it."""
        as_it_is = self.resumption.trial(self.resumption.groups, horizon=self.resumption.horizon)
        if as_it_is.spread is not None:
            return False
        for group in groups:
            reason = f"nothing followed in {as_it_is.steps} steps; it cannot be put back for a closer look"
            self.findings.harmless(group, reason, UNREAD)
        return True

    def examine(self, groups: list[Group]) -> None:
        """Look closely at what nothing followed from within the program."""
        closely = []
        reach = sum(map(updates, self.experiment.program.steps)) + self.resumption.horizon
        for group in groups:
            loss = self.inventory.loss_at(group.path)
            undecided = loss is None or loss.how == RECORDED
            times = _EXAMINED if loss is None else 0
            if (
                undecided
                and self.is_new_here(group)
                and self.inventory.wants(group.path, used=self.used, times=times, reach=reach)
            ):
                closely.append(group)
            elif loss is not None:
                self.judgement.losses.append((loss, group))
            else:
                self.judgement.harmless.append(group)
        if closely and self.judgement.unexplained is None:
            self.look_closely(closely)

    def look_closely(self, closely: list[Group]) -> None:
        """Look as far as the horizon, and see what is read."""
        if self.resumption.anyway is None and (later := self.resumption.follows_later()) is not None:
            if self.is_harm_of_healing(closely):
                return
            self.resumption.anyway = later
        closely = self.blame(closely, horizon=self.resumption.horizon)
        if not closely or self.resumption.anyway is not None:  # which hides what would follow from the rest
            return
        # As the load has left it: something may put them right that is not looked at any more.
        trial = self.resumption.trial(
            self.findings.not_lost(self.resumption.groups), horizon=self.resumption.horizon
        )
        if trial.spread is not None:  # which follows from that
            trial = self.resumption.trial(closely, horizon=self.resumption.horizon)
        staying = [group for group in closely if any(overlap(path, group.path) for path in trial.staying)]
        healed = [group for group in closely if group not in staying]
        self.decide_on_what_is_made_anew(healed, trial)
        without_effect = self.findings.without_effect(self.resumption.groups)
        read = read_while_it_stays(self.resumption, staying, without_effect)
        for group in staying:
            self.decide(group, trial.steps, read.get(group.path))

    def decide_on_what_is_made_anew(self, healed: list[Group], trial: Trial) -> None:
        """What the run makes anew is harmless, unless it is read before."""
        steps, left = trial.steps, self.findings.not_lost(self.resumption.groups)
        read = read_before_made_anew(self.resumption, healed, left, trial.lasting)
        for group in healed:
            if group.path not in read:
                self.findings.harmless(
                    group, f"the run makes it anew; nothing followed in {steps} steps", HEALS
                )
                continue
            how, spread = read[group.path]
            self.findings.lost(
                group,
                READ,
                f"nothing followed in {steps} steps, but training reads it",
                f"{how}, {spread.effect(self.experiment.part_of)}",
            )

    def is_new_here(self, group: Group) -> bool:
        """Whether no other load of this program has been examined for a group."""
        key = group.path, self.used
        new = key not in self.experiment.examined
        self.experiment.examined.add(key)
        return new

    def decide(self, group: Group, steps: int, read: Spread | None) -> None:
        """A difference stays, and nothing has followed from it; ``read`` is what does if it is changed."""
        changes = self.resumption.changes(group)
        drift = all(map(is_drift, group.changes))
        if read is not None:
            self.findings.lost(
                group,
                READ,
                f"nothing followed in {steps} steps, but training reads it",
                f"{ON_PURPOSE}, {read.effect(self.experiment.part_of)}",
            )
        elif group.part in _LEARNED and changes and not self.can_be_read(group) and not drift:
            self.findings.lost(group, LEARNED, f"training changes it; nothing followed in {steps} steps", "")
        elif changes and not drift:
            self.findings.lost(group, RECORDED, "training changes it, but no effect on training was seen", "")
        else:
            reason = f"nothing followed from it in {steps} steps, and nothing that was seen reads it"
            self.findings.harmless(group, reason, UNREAD)

    def can_be_read(self, group: Group) -> bool:
        """Whether reading it would have shown: a schedule or a stream takes effect when it does."""
        return group.part in {Part.ONLINE, Part.TARGET, Part.OPTIMIZER} and any(
            change.aspect == "value"
            and change.expected is not None
            and change.expected.kind in {"tensor", "array"}
            for change in group.changes
        )


def _left(group: Group, trial: Trial) -> bool:
    """Whether a group differs although it was to be put back."""
    return any(overlap(change.path, group.path) for change in trial.residue)

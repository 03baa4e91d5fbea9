# SPDX-License-Identifier: MIT
"""What a load is found to have lost, and what differs without harm: in words, and in the inventory."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verification.engine.groups import DECISIVE, Group, content_of, name_of, network_around
from verification.engine.lookalikes import lookalikes
from verification.losses import RECORDED, SPREADS, Loss, Note
from verification.state import in_words

if TYPE_CHECKING:
    from verification.engine.experiment import Experiment
    from verification.engine.resumption import Resumption
    from verification.engine.trial import Spread
    from verification.losses import Consequence
    from verification.state import Change


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


class Findings:
    """Writes a judgement, and what of it concerns the agent at large into its inventory.

    Args:
        resumption: of the load.
        judgement: to go on with; a new one by default.
    """

    def __init__(self, resumption: Resumption, judgement: Judgement | None = None) -> None:
        self.experiment: Experiment = resumption.experiment
        self.resumption = resumption
        self.judgement: Judgement = judgement or Judgement()

    def not_lost(self, groups: list[Group]) -> list[Group]:
        """Those that are not known to be lost here."""
        lost = {group.path for _, group in self.judgement.losses if group is not None}
        return [group for group in groups if group.path not in lost]

    def without_effect(self, groups: list[Group]) -> list[Group]:
        """Those of which no effect on training is known."""
        known = {group.path for loss, group in self.judgement.losses if group and loss.how != RECORDED}
        return [group for group in groups if group.path not in known]

    def seen_again(self, loss: Loss, group: Group) -> Loss:
        """A loss that is known already; where more of it is lost here than was before, as what it is here."""
        parts = [part.value for part in DECISIVE]
        if loss.path != group.path or parts.index(group.part.value) >= parts.index(loss.part):
            return loss
        better = dataclasses.replace(
            loss, part=group.part.value, name=name_of(group), content=content_of(group)
        )
        self.experiment.inventory.add(better)
        return better

    def spreads(self, group: Group, spread: Spread, experiment: str) -> None:
        """A group is lost, as an experiment has shown by what came to differ."""
        part_of, near = self.experiment.part_of, self.resumption.near(group)
        self.lost(group, SPREADS, spread.effect(part_of, near), experiment, spread.first(part_of, near))

    def lost(
        self, group: Group, how: str, effect: str, experiment: str, first: Consequence | None = None
    ) -> None:
        """A group is lost, in a way of :mod:`verification.losses`, with an effect in words."""
        found = self.experiment.loaded(self.resumption.cut, used=self.resumption.used)
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
                reference=self.experiment.moment(self.resumption.cut).snapshot,
                loaded=found,
                built=self.experiment.cold(used=self.resumption.used),
                begun=self.experiment.moment(0).snapshot,
            ),
            first=first,
        )
        self.experiment.inventory.add(loss)
        self.judgement.losses.append((loss, group))

    def harmless(self, group: Group, reason: str, how: str) -> None:
        """A group differs, and nothing follows from it; the modes of one network make one note."""
        name, path = name_of(group), group.path
        if all(change.expected is not None and change.expected.role == "mode" for change in group.changes):
            network = network_around(path, self.experiment.moment(self.resumption.cut).snapshot)
            name, path = f"modes of {network}", f"{network}.training"
        self.experiment.inventory.note(Note(name, path, reason, how))
        self.judgement.harmless.append(group)

# SPDX-License-Identifier: MIT
"""What a save does to the agent that is saved, judged by what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verification.engine.arms import Moment
from verification.engine.groups import grouped
from verification.engine.trial import extent
from verification.losses import SPREADS, Loss, Note, overlap
from verification.state import Change, Difference, Snapshot, in_words, take

if TYPE_CHECKING:
    from verification.engine.experiment import Experiment


@dataclass
class SavedRun:
    """A run that is saved at every cut of a program.

    Attributes:
        touched: what saves changed in the agent, by how far the difference may move.
        words: the same as text.
        spread: the first leaves that came to differ besides.
        lasting: what was touched, differs still at the end, and is changed by training.
        after: how many steps were taken before the save that this follows from.
        saved: the agent after that save.
    """

    touched: dict[str, Change] = field(default_factory=dict)
    words: list[Difference] = field(default_factory=list)
    spread: list[Difference] = field(default_factory=list)
    lasting: list[Change] = field(default_factory=list)
    after: int = 0
    saved: Snapshot = field(default_factory=lambda: Snapshot({}))


def saved_run(experiment: Experiment) -> SavedRun:
    """Train, save at every cut, and look for the first consequence."""
    agent = experiment.start()
    run = SavedRun()
    differing: list[Change] = []
    saved = False
    for position in range(len(experiment.program.steps) + 1):
        output = experiment.step(agent, position) if position else None
        snapshot = experiment.driver.snapshot(agent)
        if saved:
            differing = experiment.differing(position, Moment(snapshot, take({"action": output})))
            outside = [one for one in differing if not any(overlap(one.path, path) for path in run.touched)]
            if outside:
                run.spread = [in_words(one, snapshot) for one in outside]
                return run
        if position in experiment.program.cuts:
            experiment.save(agent)
            saved, run.after = True, position
            run.saved = snapshot = experiment.driver.snapshot(agent)
            differing = experiment.differing(position, Moment(snapshot, experiment.moment(position).output))
            run.touched |= {extent(one): one for one in differing}
            run.words += [in_words(one, snapshot) for one in differing]
    run.lasting = [one for one in differing if one.path in experiment.changing]
    return run


def saving_changes_nothing(experiment: Experiment) -> None:
    """Fail if what a save changes in the agent has consequences; note it if it has none."""
    __tracebackhide__ = True
    run = saved_run(experiment)
    if run.touched and (run.spread or run.lasting):
        groups = grouped(
            list(run.touched.values()),
            experiment.moment(run.after).snapshot,
            run.saved,
            experiment.cold(),
            experiment.part_of,
        )
        effect = f"it changes {run.spread[0].path}" if run.spread else "it stays so"
        losses = [
            Loss(
                group.path,
                group.path,
                group.part.value,
                SPREADS,
                effect=effect,
                experiment="a save changes it",
            )
            for group in groups
        ]
        names = ", ".join(loss.name for loss in losses)
        experiment.fail(
            f"saving after {experiment.taken(run.after)} changed {names}, and training goes on differently",
            run.words,
            losses,
        )
    for path in run.touched:
        experiment.inventory.note(Note(path, path, "a save changes it, and nothing followed"))


def saving_draws_nothing(experiment: Experiment) -> None:
    """Fail if a run that is saved goes on differently although no save has changed anything in the agent."""
    __tracebackhide__ = True
    run = saved_run(experiment)
    if run.spread and not run.touched:
        experiment.fail(
            f"saving after {experiment.taken(run.after)} changed nothing in the agent, but the run goes on "
            "differently: a global random generator, or a setting of the process, is no longer what it was",
            run.spread,
        )

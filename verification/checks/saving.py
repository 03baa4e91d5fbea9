# SPDX-License-Identifier: MIT
"""What a save does to the agent that is saved, judged by what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.engine.experiment import Moment, steps
from verification.engine.trial import extent
from verification.losses import Note, overlap
from verification.state import Change, Snapshot, in_words, take

if TYPE_CHECKING:
    from verification.engine.experiment import Experiment


def saving_changes_nothing(experiment: Experiment, sentence: str) -> None:
    """Fail if a run that is saved at every cut trains on otherwise than one that never is.

    What a save changes and nothing follows from, such as a helper that is made at the first save, is noted.
    """
    __tracebackhide__ = True
    agent = experiment.start()
    touched: dict[str, Change] = {}  # by a save, and not seen to matter so far
    last = 0
    differing: list[Change] = []
    snapshot = Snapshot({})
    for position in range(len(experiment.program.steps) + 1):
        output = experiment.step(agent, position) if position else None
        snapshot = experiment.driver.snapshot(agent)
        if touched or last:
            action = take({"action": output}) if position else experiment.moment(position).output
            differing = experiment.differing(position, Moment(snapshot, action))
            if outside := [one for one in differing if not any(overlap(one.path, path) for path in touched)]:
                experiment.fail(
                    f"saving after {steps(last)} {sentence}", [in_words(one, snapshot) for one in outside]
                )
        if position in experiment.program.cuts:
            before = experiment.moment(position).output
            experiment.save(agent)
            last = position
            snapshot = experiment.driver.snapshot(agent)
            differing = experiment.differing(position, Moment(snapshot, before))
            touched |= {extent(one): one for one in differing}
    if lasting := [one for one in differing if one.path in experiment.changing]:
        experiment.fail(
            f"saving after {steps(last)} {sentence}", [in_words(one, snapshot) for one in lasting]
        )
    for path in touched:
        experiment.inventory.note(Note(path, path, "a save changes it, and nothing followed"))

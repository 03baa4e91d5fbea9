# SPDX-License-Identifier: MIT
"""Level ``protocol``: without these, no other verdict would mean anything."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from verification.checks.losing import refuse_state_elsewhere
from verification.checks.registry import check
from verification.engine.experiment import ALL_PARTS
from verification.engine.global_rng import isolated
from verification.levels import Level
from verification.program import Advance, Learn
from verification.state import Part, changes, compare, in_words

if TYPE_CHECKING:
    from pathlib import Path

    from verification.engine.experiment import Experiment


@check(level=Level.PROTOCOL)
def runs_are_repeatable(experiment: Experiment) -> None:
    """Two runs from the same seeds on the same batches are identical.

    If they are not, a difference after a reload could come from anywhere.
    """
    experiment.repeat()
    experiment.counted = True


@check(
    level=Level.PROTOCOL,
    needs=["runs_are_repeatable"],
    never_counted="training changed no weight in any example",
)
def training_changes_the_agent(experiment: Experiment) -> None:
    """Training changes what the agent has learned.

    An agent that ignores its batches would pass every comparison of what follows a reload.
    """
    for position, step in enumerate(experiment.program.steps, start=1):
        if isinstance(step, Learn | Advance):  # other steps may change weights, too, but do not train
            before, after = (experiment.reference[at].snapshot for at in (position - 1, position))
            experiment.counted |= experiment.differ(
                before, after, {Part.ONLINE} if after.trained else ALL_PARTS
            )
    if not experiment.changing:
        refuse_state_elsewhere(experiment.reference[-1].snapshot)


@check(level=Level.PROTOCOL)
def saving_writes_a_checkpoint(experiment: Experiment) -> None:
    """Saving leaves at least one file that is not empty.

    A save that writes nothing is noticed on the day on which the run has to be resumed.
    """
    for cut, directory in experiment.checkpoints.items():
        files = [file for file in directory.rglob("*") if file.is_file()]
        if not any(file.stat().st_size for file in files):
            found = f"only empty files: {', '.join(file.name for file in files)}" if files else "no file"
            waits = hasattr(experiment.driver.adapter, "wait")
            behind = "" if waits else "; if it goes on behind the call, add wait(agent) to the adapter"
            experiment.fail(f"save() after {experiment.taken(cut)} left {found}{behind}")
        experiment.counted = True


@check(level=Level.PROTOCOL, needs=["saving_writes_a_checkpoint", "training_changes_the_agent"])
def loading_restores_something(experiment: Experiment) -> None:
    """Loading changes the receiver's weights, where they were not the saved agent's.

    A load that quietly does nothing leaves a freshly initialised agent that runs.
    """
    for cut in experiment.program.cuts:
        reference, cold = experiment.reference[cut].snapshot, experiment.cold()
        parts = frozenset({Part.ONLINE, Part.TARGET})
        if not experiment.differ(reference, cold, parts):
            continue
        experiment.counted = True
        if not experiment.differ(cold, experiment.driver.snapshot(experiment.load(cut)), parts):
            before = experiment.select(compare(reference, cold), parts)
            experiment.fail(
                f"load() changed none of the {len(before)} weights that it had to restore", before
            )


@check(level=Level.PROTOCOL, needs=["loading_restores_something"])
def loading_leaves_the_checkpoint_unchanged(experiment: Experiment) -> None:
    """Loading does not change the files that it reads.

    A checkpoint that a load has emptied or rewritten restores another agent the second time.
    """
    for cut in experiment.program.cuts:
        before = _contents(experiment.checkpoints[cut])
        experiment.load(cut)
        after = _contents(experiment.checkpoints[cut])
        if before != after:
            changed = sorted(
                name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
            )
            experiment.fail(f"loading the checkpoint changed {', '.join(changed)}")
        experiment.counted = True


@check(level=Level.PROTOCOL, needs=["loading_leaves_the_checkpoint_unchanged"])
def a_checkpoint_is_a_snapshot(experiment: Experiment) -> None:
    """Training on after a save does not change what the checkpoint holds.

    Saved references to live tensors, or a file that is written later, turn the best agent into the last one.
    """
    at_once = {}
    for cut, directory, _ in experiment.saves():
        with isolated():  # the run that is saved goes on
            restored = experiment.driver.load(experiment.receiver(), directory)
            at_once[cut] = directory, experiment.driver.snapshot(restored)
    for cut, (directory, snapshot) in at_once.items():
        # The other one was not waited for before training went on.
        for one in (directory, experiment.checkpoints[cut]):
            later = experiment.driver.snapshot(experiment.driver.load(experiment.receiver(), one))
            if found := experiment.trained(changes(snapshot, later)):
                experiment.fail(
                    f"the checkpoint saved after {experiment.taken(cut)} held another state once training "
                    "had gone on",
                    [in_words(change, later) for change in found],
                )
        saved, last = experiment.reference[cut].snapshot, experiment.reference[-1].snapshot
        experiment.counted |= experiment.differ(saved, last, {Part.ONLINE})


def _contents(directory: Path) -> dict[str, str]:
    """The digest of every file below a directory, by name."""
    return {
        str(file.relative_to(directory)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(directory.rglob("*"))
        if file.is_file()
    }

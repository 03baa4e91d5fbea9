# SPDX-License-Identifier: MIT
"""Level ``training``, too, and what is around a checkpoint: its place, its past, the process, the caller."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from verification.checks.registry import check
from verification.engine.trial import is_drift
from verification.errors import AdapterError, CheckFailure, NotApplicable
from verification.levels import Level
from verification.state import changes, in_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verification.engine.experiment import Experiment

# Leaves that a sentence names.
_NAMED = 3
_LOADED = ["loading_restores_something", "a_checkpoint_is_a_snapshot"]


@check(level=Level.TRAINING, needs=[*_LOADED, "loading_leaves_the_checkpoint_unchanged"])
def a_moved_checkpoint_loads(experiment: Experiment) -> None:
    """A checkpoint that was moved, with nothing left in its old place, restores what it did there.

    Parts that are found by an absolute path are gone with the machine or the folder they were saved in.
    """
    for cut in experiment.program.cuts:
        here = experiment.loaded(cut)
        try:
            with _moved(experiment.checkpoints[cut]) as elsewhere:
                loaded = experiment.driver.load(experiment.receiver(), elsewhere)
        except CheckFailure as failure:
            experiment.fail(
                f"from another folder, the checkpoint saved after {experiment.taken(cut)} does not load: "
                f"{failure.sentence}"
            )
        there = experiment.driver.snapshot(loaded)
        if found := experiment.trained(changes(here, there)):
            experiment.fail(
                f"from another folder, the checkpoint saved after {experiment.taken(cut)} restored another "
                "state",
                [in_words(one, there) for one in found],
            )
        experiment.count_if_cold_differs(cut)


@contextlib.contextmanager
def _moved(directory: Path) -> Iterator[Path]:
    """The directory under another name meanwhile."""
    elsewhere = directory.rename(directory.with_name(f"{directory.name}-moved"))
    try:
        yield elsewhere
    finally:
        elsewhere.rename(directory)


@check(level=Level.TRAINING, needs=["the_latest_save_is_loaded"])
def an_earlier_state_saved_later_is_loaded(experiment: Experiment) -> None:
    """Of several saves to one path, the last is loaded, also where it is of an earlier step.

    A run that went back to an older checkpoint writes smaller step numbers beside the stale ones: the latest
    is not the highest, and whoever keeps only the highest removes what has just been written.
    """
    cut, end = experiment.program.cuts[0], len(experiment.program.steps)
    old = experiment.start()
    for position in range(1, end + 1):
        experiment.step(old, position)
    directory = experiment.save(old)
    young = experiment.start()
    for position in range(1, cut + 1):
        experiment.step(young, position)
    alone = experiment.save(young)
    try:
        experiment.save(young, over=directory)
    except (AdapterError, CheckFailure):
        return  # who does not overwrite, and says so, loses nothing
    expected, found = (
        experiment.driver.snapshot(experiment.driver.load(experiment.receiver(), one))
        for one in (alone, directory)
    )
    if experiment.differ(experiment.reference[cut].snapshot, experiment.reference[end].snapshot):
        experiment.count_if_cold_differs(cut)
    if differing := experiment.trained(changes(expected, found)):
        experiment.fail(
            f"the state after {experiment.taken(cut)}, saved over that after {experiment.taken(end)}, was "
            "not what was loaded",
            [in_words(one, found) for one in differing],
        )


@check(level=Level.TRAINING, needs=["loading_leaves_the_checkpoint_unchanged"])
def process_settings_survive_save_and_load(experiment: Experiment) -> None:
    """Saving and loading leave the settings of the process as they are.

    A default dtype or a gradient mode that a load leaves behind changes whatever is computed next.
    """
    for cut in experiment.program.cuts:
        experiment.load(cut)
    experiment.counted = True
    found = [
        f"{member}() changed the {name} of the process from {before} to {after}"
        for member, changed in experiment.driver.changed_settings.items()
        for name, (before, after) in changed.items()
    ]
    if found:
        experiment.fail("; ".join(found))


@check(level=Level.TRAINING, needs=_LOADED)
def loading_keeps_what_is_the_callers(experiment: Experiment) -> None:
    """What the adapter declares as the caller's is after a load what it was in the receiver.

    A learning rate that population-based training has just chosen is undone by a load that puts the saved
    one back.
    """
    callers, driver = experiment.driver.callers, experiment.driver
    if callers is None:
        raise NotApplicable("the adapter declares nothing as the caller's")
    for cut in experiment.program.cuts:
        saved = callers.of(driver.roots(experiment.living(cut).agent))
        receiver = experiment.receiver()
        own = callers.of(driver.roots(receiver))
        restored = driver.load(receiver, experiment.checkpoints[cut])
        after = callers.of(driver.roots(restored))
        experiment.counted |= experiment.differ(saved, own)
        if found := [one for one in changes(own, after) if not is_drift(one)]:
            other = {one.path for one in changes(saved, after)}
            value = "another value" if any(one.path in other for one in found) else "the saved value"
            experiment.fail(
                f"loading what was saved after {experiment.taken(cut)} put {value} where the caller's own "
                f"was to be kept: {', '.join(one.path for one in found[:_NAMED])}",
                [in_words(one, after) for one in found],
            )

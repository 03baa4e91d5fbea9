# SPDX-License-Identifier: MIT
"""Level ``training``: given the same batches, a loaded agent trains on as the saved one would have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.checks.registry import check
from verification.checks.weights import survives
from verification.engine.experiment import ALL_PARTS, steps
from verification.errors import AdapterError, CheckFailure
from verification.levels import Level
from verification.state import Part, compare

if TYPE_CHECKING:
    from verification.engine.experiment import Experiment

_LOADED = ["loading_leaves_the_checkpoint_unchanged", "a_checkpoint_is_a_snapshot"]
PIECES = [
    "online_networks_survive_reload",
    "targets_survive_reload",
    "modes_survive_reload",
    "optimizer_state_survives_reload",
    "objects_stay_bound",
    "counters_survive_reload",
    "hyper_parameters_survive_reload",
    "schedules_survive_reload",
]
_LEARNED = frozenset({Part.ONLINE, Part.TARGET, Part.OPTIMIZER})


@check(level=Level.TRAINING, after=_LOADED)
def targets_survive_reload(experiment: Experiment) -> None:
    """Target networks come back bit for bit.

    Targets that are made anew, or copied from the online networks, change the very next update.
    """
    survives(experiment, Part.TARGET)


@check(level=Level.TRAINING, after=_LOADED)
def modes_survive_reload(experiment: Experiment) -> None:
    """Every module comes back in the mode, train or eval, that it was saved in.

    A network left in eval mode trains on without updating its normalisation statistics.
    """
    survives(experiment, Part.MODE, telling=ALL_PARTS)


@check(level=Level.TRAINING, after=_LOADED)
def optimizer_state_survives_reload(experiment: Experiment) -> None:
    """Moments, momenta and step counts of every optimizer come back bit for bit.

    Without them the next step has another size and direction, and the loss jumps.
    """
    survives(experiment, Part.OPTIMIZER)


@check(level=Level.TRAINING, after=_LOADED)
def objects_stay_bound(experiment: Experiment) -> None:
    """What was one object before is one object after: optimizers hold the networks' own parameters.

    An optimizer bound to parameters that were replaced steps without any effect.
    """
    survives(experiment, Part.BINDING, telling=ALL_PARTS)


@check(level=Level.TRAINING, after=_LOADED)
def counters_survive_reload(experiment: Experiment) -> None:
    """Every number that training changes comes back with its value and type.

    A counter that starts again shifts delayed updates, schedules and exploration.
    """
    survives(experiment, Part.COUNTER)


@check(level=Level.TRAINING, after=["optimizer_state_survives_reload"])
def hyper_parameters_survive_reload(experiment: Experiment) -> None:
    """Hyper-parameters come from the checkpoint, whatever the receiver was built with.

    Values of the constructor that silently win change every following update.
    """
    survives(experiment, Part.HYPER_PARAMETER)


@check(level=Level.TRAINING, after=["optimizer_state_survives_reload"])
def schedules_survive_reload(experiment: Experiment) -> None:
    """Learning-rate schedules come back at their position, and so do the rates they have set.

    A warm-up that repeats, or a decay that is lost, shows only after many steps.
    """
    survives(experiment, Part.SCHEDULE)


@check(level=Level.TRAINING, after=_LOADED)
def saving_leaves_the_agent_unchanged(experiment: Experiment) -> None:
    """An agent that is saved trains on exactly as one that is not.

    A save that swaps weights, steps an optimizer or draws a random number makes training depend on how
    often it is saved.
    """
    for cut, _, agent in experiment.saves():
        if differences := compare(experiment.reference[cut].snapshot, experiment.driver.snapshot(agent)):
            experiment.fail(f"saving after {steps(cut)} changed the agent", differences)
        experiment.count_if_cold_differs(cut)


@check(level=Level.TRAINING, after=[*PIECES, "saving_leaves_the_agent_unchanged"])
def next_steps_survive_reload(experiment: Experiment) -> None:
    """Every training step after a reload is bitwise the step that the saved agent would have taken.

    This is what the other promises are for; it also shows what is hidden from all of them.
    """
    for cut in experiment.program.cuts:
        agent = experiment.load(cut)
        at_load = compare(experiment.reference[cut].snapshot, experiment.driver.snapshot(agent))
        experiment.count_if_cold_differs(cut, _LEARNED)
        for position, differences in experiment.resumed(agent, cut):
            diverged = [
                one
                for one in differences
                if one.path.startswith("action") or experiment.part_of(one) in _LEARNED
            ]
            if diverged:
                experiment.fail(story(cut, position), [*at_load, *diverged])


@check(level=Level.TRAINING, after=PIECES)
def loading_shares_no_memory(experiment: Experiment) -> None:
    """Agents restored from one checkpoint have nothing in common: training one leaves the other alone.

    Optimizers adopt the very tensors they are given, so two agents loaded from one dict disturb each other.
    """
    cut = experiment.program.cuts[0]
    first = experiment.load(cut)
    second = experiment.load(cut)
    before = experiment.driver.snapshot(second)
    for position in range(cut + 1, len(experiment.program.steps) + 1):
        experiment.step(first, position, reloaded=True)
    moved = compare(before, experiment.driver.snapshot(first))
    experiment.counted = bool(experiment.select(moved, _LEARNED))
    if differences := compare(before, experiment.driver.snapshot(second)):
        experiment.fail(
            "training one restored agent changed another one restored from the same file", differences
        )


@check(level=Level.TRAINING, after=[*PIECES, "saving_leaves_the_agent_unchanged"])
def the_latest_save_is_loaded(experiment: Experiment) -> None:
    """Of several saves to one path, a load restores the last.

    Where checkpoints lie side by side, the order of their names puts step 10 before step 9.
    """
    agent = experiment.start()
    directory = experiment.save(agent)
    end = len(experiment.program.steps)
    for position in range(1, end + 1):
        experiment.step(agent, position)
        if position in {*experiment.program.cuts, end}:
            try:
                experiment.save(agent, over=directory)
            except (AdapterError, CheckFailure):
                return  # who does not overwrite, and says so, loses nothing
    # What the format itself loses is lost from a new path, too, and is the other checks' concern.
    alone, last = (
        experiment.driver.snapshot(experiment.driver.load(experiment.receiver(), one))
        for one in (experiment.save(agent), directory)
    )
    if experiment.differ(experiment.reference[end - 1].snapshot, experiment.reference[end].snapshot):
        experiment.count_if_cold_differs(end)
    if differences := compare(alone, last):
        experiment.fail(
            f"of several saves to one path, not the last, after {steps(end)}, was loaded", differences
        )


@check(level=Level.TRAINING, after=["next_steps_survive_reload", "loading_shares_no_memory"])
def loading_leaves_no_residue(experiment: Experiment) -> None:
    """Loading into an agent that has already trained gives the same as loading into a new one.

    Moments, counters or statistics of the receiver's own past that survive a load belong to nobody.
    """
    parts = set(Part) - {Part.GENERATOR, Part.OTHER}
    for cut in experiment.program.cuts:
        experiment.count_if_cold_differs(cut, parts, used=True)
        if differences := experiment.after_load(cut, parts, used=True):
            experiment.fail(
                f"a used receiver kept something of its own when loading at {steps(cut)}", differences
            )
    cut = experiment.program.cuts[-1]
    for position, differences in experiment.resumed(experiment.load(cut, used=True), cut):
        if diverged := experiment.select(differences, _LEARNED):  # of gradients, only the effect can tell
            experiment.fail(f"a used receiver kept something of its own: {story(cut, position)}", diverged)


def story(cut: int, position: int) -> str:
    """The sentence for a run resumed at ``cut`` that differs from the reference at ``position``."""
    when = "the first step" if position == cut + 1 else f"step {position - cut}"
    return f"resumed after {steps(cut)}, {when} differs from the run that was never interrupted"

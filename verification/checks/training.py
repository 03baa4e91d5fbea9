# SPDX-License-Identifier: MIT
"""Level ``training``: given the same batches, a loaded agent trains on as the saved one would have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.checks.losing import lost, refuse_losses, refuse_unexplained, survives
from verification.checks.registry import check
from verification.checks.saving import saving_changes_nothing
from verification.engine.consequences import follow, judge
from verification.engine.experiment import ALL_PARTS
from verification.engine.global_rng import isolated
from verification.errors import AdapterError, CheckFailure
from verification.levels import Level
from verification.state import Part, changes, in_words

if TYPE_CHECKING:
    from verification.engine.experiment import Experiment

_LOADED = ["loading_restores_something", "a_checkpoint_is_a_snapshot"]
#: The checks that report a kind of state each.
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
_TOLD = ["actions_survive_reload"]
_LEARNED = frozenset({Part.ONLINE, Part.TARGET, Part.OPTIMIZER})


@check(level=Level.TRAINING, needs=_LOADED, after=_TOLD)
def targets_survive_reload(experiment: Experiment) -> None:
    """Target networks come back bit for bit.

    Targets that are made anew, or copied from the online networks, change the very next update.
    """
    survives(experiment, Part.TARGET)


@check(level=Level.TRAINING, needs=_LOADED, after=_TOLD)
def modes_survive_reload(experiment: Experiment) -> None:
    """Every module comes back in the mode, train or eval, that it was saved in.

    A network left in eval mode trains on without updating its normalisation statistics.
    """
    survives(experiment, Part.MODE, telling=ALL_PARTS)


@check(level=Level.TRAINING, needs=_LOADED, after=_TOLD)
def optimizer_state_survives_reload(experiment: Experiment) -> None:
    """Moments, momenta and step counts of every optimizer come back bit for bit.

    Without them the next step has another size and direction, and the loss jumps.
    """
    survives(experiment, Part.OPTIMIZER)


@check(level=Level.TRAINING, needs=_LOADED, after=_TOLD)
def objects_stay_bound(experiment: Experiment) -> None:
    """What was one object before is one object after: optimizers hold the networks' own parameters.

    An optimizer bound to parameters that were replaced steps without any effect.
    """
    survives(experiment, Part.BINDING, telling=ALL_PARTS)


@check(level=Level.TRAINING, needs=_LOADED, after=_TOLD)
def counters_survive_reload(experiment: Experiment) -> None:
    """Every number that training changes comes back with its value and type.

    A counter that starts again shifts delayed updates, schedules and exploration.
    """
    survives(experiment, Part.COUNTER)


@check(level=Level.TRAINING, needs=_LOADED, after=_TOLD)
def hyper_parameters_survive_reload(experiment: Experiment) -> None:
    """Hyper-parameters come from the checkpoint, whatever the receiver was built with.

    Values of the constructor that silently win change every following update.
    """
    survives(experiment, Part.HYPER_PARAMETER)


@check(level=Level.TRAINING, needs=_LOADED, after=_TOLD)
def schedules_survive_reload(experiment: Experiment) -> None:
    """Learning-rate schedules come back at their position, and so do the rates they have set.

    A warm-up that repeats, or a decay that is lost, shows only after many steps.
    """
    survives(experiment, Part.SCHEDULE)


@check(level=Level.TRAINING, needs=["runs_are_repeatable", "saving_writes_a_checkpoint"])
def saving_leaves_the_agent_unchanged(experiment: Experiment) -> None:
    """An agent that is saved trains on exactly as one that is not.

    A save that swaps weights, steps an optimizer or draws a random number makes training depend on how
    often it is saved.
    """
    saving_changes_nothing(experiment)
    experiment.count_if_cold_differs(experiment.program.cuts[0])


@check(level=Level.TRAINING, needs=_LOADED, after=[*PIECES, *_TOLD, "saving_leaves_the_agent_unchanged"])
def next_steps_survive_reload(experiment: Experiment) -> None:
    """Every training step after a reload is bitwise the step that the saved agent would have taken.

    What is known to be lost is put back first: this shows what is hidden from all the other promises.
    """
    for cut in experiment.program.cuts:
        experiment.count_if_cold_differs(cut, _LEARNED)
        judgement = follow(experiment, cut)
        refuse_losses(
            experiment,
            lost(experiment, judgement, {Part.OTHER, Part.GENERATOR}),
            f"training resumed after {experiment.taken(cut)} goes on differently",
            cut,
        )
        refuse_unexplained(experiment, judgement, cut)


@check(level=Level.TRAINING, needs=_LOADED, after=PIECES)
def loading_shares_no_memory(experiment: Experiment) -> None:
    """Agents restored from one checkpoint have nothing in common: training one leaves the other alone.

    Optimizers adopt the very tensors they are given, so two agents loaded from one dict disturb each other.
    """
    cut = experiment.program.cuts[0]
    first = experiment.load(cut)
    second = experiment.load(cut)
    before = experiment.driver.snapshot(second)
    with isolated():  # what a class holds, too: it is common to both by intent
        for position in range(cut + 1, len(experiment.program.steps) + 1):
            experiment.step(first, position, reloaded=True)
        experiment.counted = experiment.differ(before, experiment.driver.snapshot(first), _LEARNED)
    after = experiment.driver.snapshot(second)
    if found := experiment.trained(changes(before, after)):
        experiment.fail(
            "training one restored agent changed another one restored from the same file",
            [in_words(one, after) for one in found],
        )


@check(level=Level.TRAINING, needs=[*_LOADED, "saving_leaves_the_agent_unchanged"])
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
    if found := experiment.trained(changes(alone, last)):
        experiment.fail(
            f"of several saves to one path, not the last, after {experiment.taken(end)}, was loaded",
            [in_words(one, last) for one in found],
        )


@check(level=Level.TRAINING, needs=_LOADED, after=["next_steps_survive_reload", "loading_shares_no_memory"])
def loading_leaves_no_residue(experiment: Experiment) -> None:
    """Loading into an agent that has already trained gives the same as loading into a new one.

    Moments, counters or statistics of the receiver's own past that survive a load belong to nobody.
    """
    parts = set(Part) - {Part.GENERATOR, Part.OTHER}
    for cut in experiment.program.cuts:
        experiment.count_if_cold_differs(cut, parts, used=True)
        leave_no_residue(experiment, cut, Level.TRAINING)


def leave_no_residue(experiment: Experiment, cut: int, level: Level) -> None:
    """Fail if a used receiver loses what a new one does not."""
    __tracebackhide__ = True
    new = [loss.path for loss, _ in judge(experiment, cut).losses]
    judgement = follow(experiment, cut, used=True)
    found = lost(experiment, judgement, level=level, known=new)
    sentence = f"a used receiver kept something of its own when loading at {experiment.taken(cut)}"
    refuse_losses(experiment, found, sentence, cut, used=True)
    if follow(experiment, cut).unexplained is None:
        refuse_unexplained(experiment, judgement, cut)

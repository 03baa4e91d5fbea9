# SPDX-License-Identifier: MIT
"""Level ``resume``: a training run goes on exactly as if it had never been interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.checks.registry import check
from verification.checks.training import PIECES, story
from verification.checks.weights import survives
from verification.engine.experiment import ALL_PARTS, steps
from verification.engine.global_rng import global_states
from verification.engine.new_process import resume_elsewhere
from verification.levels import Level
from verification.state import Part, compare, take

if TYPE_CHECKING:
    from verification.engine.experiment import Experiment


@check(level=Level.RESUME, after=["next_steps_survive_reload"], closed_loop=True)
def generators_survive_reload(experiment: Experiment) -> None:
    """The agent's own random generators come back at their position.

    A stream that starts again repeats the noise of the first steps after every resume.
    """
    survives(experiment, Part.GENERATOR)


@check(level=Level.RESUME, after=PIECES, closed_loop=True)
def every_leaf_survives_reload(experiment: Experiment) -> None:
    """Whatever else can be found in the agent comes back: replay, statistics, noise state, containers.

    State that nobody thought of is what gets lost.
    """
    survives(experiment, Part.OTHER, Part.COUNTER, Part.HYPER_PARAMETER)


@check(level=Level.RESUME, after=["saving_writes_a_checkpoint"], closed_loop=True)
def saving_leaves_global_generators_unchanged(experiment: Experiment) -> None:
    """Saving draws nothing from the global random generators.

    A save that advances them makes training depend on how often it is saved.
    """
    program = experiment.program
    agent = experiment.start()
    for position in range(len(program.steps) + 1):
        if position:
            experiment.step(agent, position)
        if position in program.cuts:
            before = take(global_states())
            experiment.save(agent)
            if differences := compare(before, take(global_states())):
                experiment.fail(f"saving after {steps(position)} advanced a global generator", differences)
            experiment.counted = True


@check(
    level=Level.RESUME,
    after=[
        "generators_survive_reload",
        "every_leaf_survives_reload",
        "saving_leaves_global_generators_unchanged",
    ],
    closed_loop=True,
)
def resume_equals_uninterrupted(experiment: Experiment) -> None:
    """A run resumed at any cut is, after every following step, the run that was never interrupted.

    Acting, exploration, environment and replay included, with the global random generators scrambled
    between save and load, as in a new process.
    """
    for cut in experiment.program.cuts:
        agent = experiment.load(cut)
        at_load = compare(experiment.reference[cut].snapshot, experiment.driver.snapshot(agent))
        experiment.count_if_cold_differs(cut)
        for position, differences in experiment.resumed(agent, cut):
            if differences:
                experiment.fail(story(cut, position), at_load or differences)


@check(
    level=Level.RESUME,
    after=["generators_survive_reload", "every_leaf_survives_reload", "loading_leaves_no_residue"],
    closed_loop=True,
)
def resuming_leaves_no_residue(experiment: Experiment) -> None:
    """Resuming in an agent that has already acted and trained gives the same as in a new one.

    Transitions, statistics or noise of the receiver's own past that survive a load belong to nobody.
    """
    for cut in experiment.program.cuts:
        experiment.count_if_cold_differs(cut, used=True)
        if differences := experiment.after_load(cut, ALL_PARTS, used=True):
            experiment.fail(
                f"a used receiver kept something of its own when loading at {steps(cut)}", differences
            )


@check(level=Level.RESUME, after=["resume_equals_uninterrupted"], closed_loop=True, cost=2)
def repeated_reloads_change_nothing(experiment: Experiment) -> None:
    """Any number of save and load cycles, with and without training between them, is as good as none.

    A value that is transformed at every load drifts: after five cycles 2500 had become 9.
    """
    program = experiment.program
    agent = experiment.start()
    for position in range(len(program.steps) + 1):
        if position:
            experiment.step(agent, position, reloaded=True)
        for cycle in range(3 if position in program.cuts else 1):
            directory = experiment.save(agent)
            agent = experiment.driver.load(experiment.receiver(), directory)
            differences = compare(experiment.reference[position].snapshot, experiment.driver.snapshot(agent))
            if differences:
                experiment.fail(
                    f"the cycle number {cycle + 1} after {steps(position)} changed the agent", differences
                )
    experiment.count_if_cold_differs(program.cuts[0])


@check(level=Level.RESUME, after=["resume_equals_uninterrupted"], closed_loop=True, cost=5)
def a_new_process_resumes_the_same(experiment: Experiment) -> None:
    """A run resumed in a new process, with another hash seed, is the run that was never interrupted.

    Orders that depend on hashes or addresses give each parameter another one's moments.
    """
    for cut, outcome in resume_elsewhere(experiment).items():
        for position, snapshot in outcome.items():
            if differences := compare(experiment.reference[position].snapshot, snapshot):
                experiment.fail(f"in a new process: {story(cut, position)}", differences)
        experiment.count_if_cold_differs(cut)

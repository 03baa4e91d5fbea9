# SPDX-License-Identifier: MIT
"""Level ``resume``: a training run goes on exactly as if it had never been interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.checks.losing import lost, refuse_losses, refuse_unexplained, survives
from verification.checks.registry import check
from verification.checks.saving import saving_draws_nothing
from verification.checks.training import PIECES, leave_no_residue
from verification.engine.consequences import follow, judge
from verification.engine.inventory import established
from verification.engine.new_process import judge_elsewhere
from verification.engine.trial import is_drift, reload, restored
from verification.levels import Level
from verification.state import Part, in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verification.engine.experiment import Experiment

_LOADED = [
    "loading_restores_something",
    "a_checkpoint_is_a_snapshot",
    "saving_leaves_global_generators_unchanged",  # or every cut but the first is another run's
]
_TOLD = [*PIECES, "next_steps_survive_reload"]
_CYCLES = 4


@check(level=Level.RESUME, needs=_LOADED, after=_TOLD, closed_loop=True)
def generators_survive_reload(experiment: Experiment) -> None:
    """The agent's own random generators come back at their position.

    A stream that starts again repeats the noise of the first steps after every resume.
    """
    survives(experiment, Part.GENERATOR, level=Level.RESUME)


@check(level=Level.RESUME, needs=_LOADED, after=_TOLD, closed_loop=True)
def every_leaf_survives_reload(experiment: Experiment) -> None:
    """Whatever else can be found in the agent comes back: replay, statistics, noise state, containers.

    State that nobody thought of is what gets lost.
    """
    survives(experiment, Part.OTHER, Part.COUNTER, Part.HYPER_PARAMETER, level=Level.RESUME)


@check(level=Level.RESUME, needs=["runs_are_repeatable", "saving_writes_a_checkpoint"], closed_loop=True)
def saving_leaves_global_generators_unchanged(experiment: Experiment) -> None:
    """A run that is saved goes on exactly as one that is not, on the global random generators, too.

    A save that advances them makes training depend on how often it is saved.
    """
    saving_draws_nothing(experiment)
    experiment.counted = True


@check(
    level=Level.RESUME,
    needs=_LOADED,
    after=[
        "generators_survive_reload",
        "every_leaf_survives_reload",
    ],
    closed_loop=True,
)
def resume_equals_uninterrupted(experiment: Experiment) -> None:
    """A run resumed at any cut is, after every following step, the run that was never interrupted.

    Acting, exploration, environment and replay included, with the global random generators scrambled
    between save and load, as in a new process. What is known to be lost is put back first.
    """
    for cut in experiment.program.cuts:
        experiment.count_if_cold_differs(cut)
        judgement = follow(experiment, cut)
        found = lost(experiment, judgement, level=Level.RESUME)
        refuse_losses(
            experiment, found, f"the run resumed after {experiment.taken(cut)} goes on differently", cut
        )
        refuse_unexplained(experiment, judgement, cut)


@check(
    level=Level.RESUME,
    needs=_LOADED,
    after=["resume_equals_uninterrupted", "loading_leaves_no_residue"],
    closed_loop=True,
)
def resuming_leaves_no_residue(experiment: Experiment) -> None:
    """Resuming in an agent that has already acted and trained gives the same as in a new one.

    Transitions, statistics or noise of the receiver's own past that survive a load belong to nobody.
    """
    for cut in experiment.program.cuts:
        experiment.count_if_cold_differs(cut, used=True)
        leave_no_residue(experiment, cut, Level.RESUME)


@check(level=Level.RESUME, needs=_LOADED, after=["resume_equals_uninterrupted"], closed_loop=True, cost=2)
def repeated_reloads_change_nothing(experiment: Experiment) -> None:
    """Any number of save and load cycles is as good as one.

    A value that is transformed at every load drifts: after five cycles 2500 had become 9.
    """
    for cut in experiment.program.cuts:
        lost = judge(experiment, cut).healing
        agent, _ = restored(experiment, cut, heal=lost)
        known = {one.path for one in experiment.after_load(cut)}  # lost, or harmless, as after any load
        for cycle in range(2, _CYCLES + 1):
            agent, differing = reload(experiment, agent, cut, heal=lost)
            if drifted := [
                one for one in differing if not established(one.path, known) and not is_drift(one)
            ]:
                after = experiment.driver.snapshot(agent)
                experiment.fail(
                    f"the cycle number {cycle} after {experiment.taken(cut)} changed the agent",
                    [in_words(one, after) for one in drifted],
                )
        experiment.count_if_cold_differs(cut)


@check(level=Level.RESUME, needs=_LOADED, after=["resume_equals_uninterrupted"], closed_loop=True, cost=5)
def a_new_process_resumes_the_same(experiment: Experiment) -> None:
    """A run resumed in a new process, with another hash seed, is the run that was never interrupted.

    Orders that depend on hashes or addresses give each parameter another one's moments.
    """
    refuse_other_runs(experiment, "in a new process")


def refuse_other_runs(
    experiment: Experiment, where: str, environment: Mapping[str, str] | None = None
) -> None:
    """Fail if a run resumed in a new process with such variables goes on otherwise than in this one."""
    __tracebackhide__ = True
    for cut, judgement in judge_elsewhere(experiment, environment).items():
        known = [loss.path for loss, _ in follow(experiment, cut).losses]
        found = lost(experiment, judgement, level=Level.RESUME, known=known)
        sentence = f"{where}, the run resumed after {experiment.taken(cut)} goes on differently"
        refuse_losses(experiment, found, sentence, cut)
        if follow(experiment, cut).unexplained is None:
            refuse_unexplained(experiment, judgement, cut)
        experiment.count_if_cold_differs(cut)

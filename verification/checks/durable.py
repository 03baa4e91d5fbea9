# SPDX-License-Identifier: MIT
"""Level ``durable``: a damaged or interrupted checkpoint is refused, and the last good one is never lost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from verification.checks.registry import check
from verification.durability import scenarios
from verification.durability.agent_under_fault import Subject
from verification.errors import AdapterError, Inconclusive, NotApplicable, NotPortable
from verification.levels import Level
from verification.processes.sandbox import run_apart
from verification.processes.temporary_folders import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from verification.durability.agent_under_fault import Outcome
    from verification.engine.experiment import Experiment

_SAVED = ["loading_leaves_the_checkpoint_unchanged", "loading_restores_something"]
_REFUSED = ["failed_load_leaves_the_agent_unchanged"]
#: Each example takes a process, a training run and up to fifty loads.
_COST = 7


def check_scenario(
    experiment: Experiment,
    scenario: Callable[..., Any],
    prepare: Callable[..., Any],
) -> None:
    """Play a scenario with the agent in a process of its own, where ``prepare`` makes it.

    Raises:
        CheckFailure: the outcome is a broken promise, or the process hung or died in it.
        Inconclusive: not even an undamaged checkpoint loads.
        NotApplicable: there is nothing to try, or the adapter cannot be sent to another process.
    """
    adapter, program = experiment.driver.adapter, experiment.program
    with temporary_folder() as directory:
        try:
            prepared = partial(prepare, adapter=adapter, program=program, directory=directory)
            ended = run_apart(scenarios.run_scenario, prepared, scenario)
        except NotPortable as error:
            what = f"{type(adapter).__name__} cannot be sent to another process ({error})"
            raise NotApplicable(what) from None
    if ended.fate:
        experiment.fail(f"{ended.doing}: the process {ended.fate}")
    if ended.error:
        raise AdapterError(f"{ended.doing}: {ended.error}")
    outcome = ended.value
    if outcome.undecided:
        raise Inconclusive(outcome.undecided)
    if outcome.why_not:
        raise NotApplicable(outcome.why_not)
    if outcome.sentence:
        experiment.fail(outcome.sentence, outcome.differences)
    experiment.counted |= outcome.tried > 0


def _check(experiment: Experiment, scenario: Callable[[Subject], Outcome]) -> None:
    __tracebackhide__ = True
    # What was seen to differ after a load without any consequence breaks no promise here either.
    prepare = partial(Subject, harmless=tuple(experiment.inventory.notes))
    check_scenario(experiment, scenario, prepare)


@check(level=Level.DURABLE, after=_SAVED, closed_loop=True, cost=_COST)
def failed_load_leaves_the_agent_unchanged(experiment: Experiment) -> None:
    """A load that raises leaves the live agent as it was, leaf by leaf.

    A training run that survives a failed load otherwise goes on with half of another agent.
    """
    _check(experiment, scenarios.failed_loads)


@check(level=Level.DURABLE, after=_REFUSED, closed_loop=True, cost=_COST)
def truncated_checkpoint_is_rejected(experiment: Experiment) -> None:
    """A checkpoint that ends too early, anywhere, is refused.

    A full disk, a killed process or a broken transfer leave such files.
    """
    _check(experiment, scenarios.truncated)


@check(level=Level.DURABLE, after=_REFUSED, closed_loop=True, cost=_COST)
def flipped_bit_is_rejected(experiment: Experiment) -> None:
    """A checkpoint with a flipped bit is refused, or restores exactly what was saved.

    Formats with checksums that nobody compares load other weights, and nothing fails.
    """
    _check(experiment, scenarios.flipped)


@check(level=Level.DURABLE, after=_REFUSED, closed_loop=True, cost=_COST)
def zeroed_page_is_rejected(experiment: Experiment) -> None:
    """A checkpoint in which a page of a file is zeros is refused.

    After a power cut, files have their length, and zeros where data never reached the disk.
    """
    _check(experiment, scenarios.zeroed)


@check(level=Level.DURABLE, after=_REFUSED, closed_loop=True, cost=_COST)
def appended_bytes_change_nothing(experiment: Experiment) -> None:
    """A checkpoint with something behind its end is refused, or restores exactly what was saved.

    A file that was appended to, or not cut when it was written over, is not what was saved.
    """
    _check(experiment, scenarios.appended)


@check(level=Level.DURABLE, after=_REFUSED, closed_loop=True, cost=_COST)
def half_old_checkpoint_is_rejected(experiment: Experiment) -> None:
    """A file that is partly the new checkpoint and partly the old one is refused.

    It has the right size and sound structures; half of the weights are of another step.
    """
    _check(experiment, scenarios.mixed)


@check(level=Level.DURABLE, after=_REFUSED, closed_loop=True, cost=_COST)
def missing_file_is_rejected(experiment: Experiment) -> None:
    """A checkpoint that lacks one of its files is refused.

    What is loaded only if it is there starts from nothing when it is not.
    """
    _check(experiment, scenarios.missing)


@check(level=Level.DURABLE, after=_REFUSED, closed_loop=True, cost=_COST)
def exchanged_file_is_rejected(experiment: Experiment) -> None:
    """A checkpoint one of whose files is from another checkpoint is refused.

    Several files that do not know of one another restore weights of one run with moments of another.
    """
    _check(experiment, scenarios.exchanged)


@check(level=Level.DURABLE, after=_REFUSED, closed_loop=True, cost=_COST)
def foreign_file_is_rejected(experiment: Experiment) -> None:
    """An empty file, a text file and a folder in the place of a checkpoint are refused.

    A load that takes them for a checkpoint without contents restores nothing.
    """
    _check(experiment, scenarios.replaced)


@check(level=Level.DURABLE, after=_REFUSED, closed_loop=True, cost=_COST)
def another_architecture_is_rejected(experiment: Experiment) -> None:
    """A checkpoint of the same library's agent of another architecture is refused, or restored whole.

    Where shapes happen to agree, part of another agent's weights are loaded.
    """
    _check(experiment, scenarios.other_architectures)


@check(level=Level.DURABLE, after=_REFUSED, closed_loop=True, cost=_COST)
def code_in_a_checkpoint_is_not_run(experiment: Experiment) -> None:
    """Loading a checkpoint runs no code from it.

    Whoever can give somebody a file to load can do whatever that somebody can.
    """
    _check(experiment, scenarios.infected)


@check(level=Level.DURABLE, after=_REFUSED, closed_loop=True, cost=_COST)
def killed_save_leaves_a_checkpoint(experiment: Experiment) -> None:
    """A save that is killed at any moment leaves the old checkpoint or the new one.

    A file that is written in place is neither for as long as that takes.
    """
    _check(experiment, scenarios.killed)


@check(level=Level.DURABLE, after=_REFUSED, closed_loop=True, cost=_COST)
def full_disk_leaves_the_old_checkpoint(experiment: Experiment) -> None:
    """A save for which there is no room raises, and the old checkpoint is still there.

    The disk fills up in the middle of the night, and the last checkpoint is lost with the next one.
    """
    _check(experiment, scenarios.no_room)


@check(level=Level.DURABLE, after=_REFUSED, closed_loop=True, cost=_COST)
def saving_into_a_read_only_folder_raises(experiment: Experiment) -> None:
    """A save into a folder that cannot be written raises, and the old checkpoint is still there.

    A save that swallows the error ends a run without a checkpoint.
    """
    _check(experiment, scenarios.read_only)


@check(level=Level.DURABLE, after=_REFUSED, closed_loop=True, cost=_COST)
def links_are_followed(experiment: Experiment) -> None:
    """Saving to a path that is a link updates what it points to.

    What is kept elsewhere through a link stays at its old state for ever, or both are lost.
    """
    _check(experiment, scenarios.linked)


@check(level=Level.DURABLE, after=["killed_save_leaves_a_checkpoint"], closed_loop=True, cost=_COST)
def concurrent_saves_leave_a_checkpoint(experiment: Experiment) -> None:
    """Two processes that save to the same path leave a checkpoint of one of them.

    A job that was started twice otherwise leaves a mixture.
    """
    _check(experiment, scenarios.two_savers)


@check(level=Level.DURABLE, after=["killed_save_leaves_a_checkpoint"], closed_loop=True, cost=_COST)
def concurrent_load_reads_a_whole_checkpoint(experiment: Experiment) -> None:
    """A load while another process saves to the same path restores the old checkpoint or the new one.

    An evaluation that follows a training run reads its checkpoint at any moment.
    """
    _check(experiment, scenarios.loads_beside_saves)

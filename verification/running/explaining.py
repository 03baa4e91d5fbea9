# SPDX-License-Identifier: MIT
"""Finds out more of what a check has found to be lost, once it has failed: only then is it worth the time."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from verification.engine.course import course_of
from verification.engine.experiment import Experiment
from verification.engine.fates import fates
from verification.engine.global_rng import isolated
from verification.engine.inventory import Inventory, established
from verification.engine.remedies import in_checkpoint, neighbour
from verification.errors import CheckFailure
from verification.losses import overlap
from verification.processes.temporary_folders import temporary_folder
from verification.running.proving import proven

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verification.adapter import Adapter
    from verification.checks.registry import Check
    from verification.engine.groups import Group
    from verification.losses import Loss, Piece
    from verification.program import Program

# Of one failure, the losses that are looked at so closely, the worst first.
_MOST = 8


def explained(
    check: Check,
    adapter: Adapter,
    program: Program,
    failure: CheckFailure,
    *,
    known: Iterable[Loss] = (),
    told: tuple[str, ...] = (),
    target: str = "",
) -> tuple[Piece, ...]:
    """Complete the losses of a failure: their courses, whether they are in the checkpoint, what is beside.

    Args:
        check: what has failed.
        adapter: drives the agent.
        program: for which it has failed.
        failure: how; its losses are replaced by what is known more of them.
        known: losses that are known from other programs.
        told: paths of the losses that other checks have told of.
        target: the adapter's name, as ``verify check`` takes it; empty if it has none.

    Returns:
        What became of each leaf of the agent in the load that has shown the first loss.
    """
    mine = [loss.path for loss in failure.losses]
    others = {loss.path: loss for loss in known if not established(loss.path, mine)}
    with isolated(), temporary_folder() as folder:
        inventory = Inventory(others)
        experiment = Experiment(
            adapter, program, Path(folder), closed_loop=check.closed_loop, inventory=inventory
        )
        experiment.begin((*told, *others))
        with contextlib.suppress(CheckFailure):
            check.function(experiment)
        found = [_complete(experiment, loss, target) for loss in failure.losses[:_MOST]]
        failure.losses = (*(loss for loss, _ in found), *failure.losses[_MOST:])
        return next((pieces for _, pieces in found if pieces), ())


def _complete(experiment: Experiment, loss: Loss, target: str) -> tuple[Loss, tuple[Piece, ...]]:
    for (cut, used), judgement in sorted(experiment.judgements.items(), key=lambda one: one[0]):
        for one, group in judgement.losses:
            if overlap(one.path, loss.path):
                complete = _at(experiment, cut, used, loss, group)
                script = proven(
                    experiment.driver.adapter,
                    target,
                    experiment.described,
                    cut,
                    complete,
                    closed_loop=experiment.closed_loop,
                )
                return dataclasses.replace(complete, script=script), fates(experiment, cut, used=used)
    return loss, ()


def _at(experiment: Experiment, cut: int, used: bool, loss: Loss, group: Group | None) -> Loss:
    mine = group.changes if group is not None else ()
    paths = {change.path for change in mine}
    heal = [change for change in experiment.after_load(cut, used=used) if change.path not in paths]
    return dataclasses.replace(
        loss,
        course=course_of(experiment, cut, used=used, heal=heal),
        saved=in_checkpoint(experiment, cut, mine, used=used),
        beside=neighbour(experiment, cut, group.path, used=used) if group is not None else "",
    )

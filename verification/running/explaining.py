# SPDX-License-Identifier: MIT
"""Finds out more of what a check has found to be lost, once it has failed: only then is it worth the time."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

from verification.counterexamples.proof import Scripts
from verification.engine.course import course_of
from verification.engine.fates import fates
from verification.engine.global_rng import isolated
from verification.engine.remedies import in_checkpoint, neighbour
from verification.losses import overlap, together
from verification.running.proving import proven

if TYPE_CHECKING:
    from verification.engine.experiment import Experiment
    from verification.engine.groups import Group
    from verification.errors import CheckFailure
    from verification.losses import Loss, Piece

# Of one failure, the things lost that are looked at so closely, the worst first.
_MOST = 8
# Pieces of one thing for which a script is looked for.
_TRIED = 4


def explained(experiment: Experiment, failure: CheckFailure, *, target: str = "") -> tuple[Piece, ...]:
    """Complete the losses of a failure: their courses, whether they are in the checkpoint, what is beside.

    Args:
        experiment: in which a check has failed.
        failure: how; its losses are replaced by what is known more of them.
        target: the adapter's name, as ``verify check`` takes it; empty if it has none.

    Returns:
        What became of each leaf of the agent in the load that has shown the first loss.
    """
    with isolated():
        groups = list(together(failure.losses).values())[:_MOST]
        found = [_complete(experiment, pieces, target) for pieces in groups]
        complete = {loss.path: loss for loss, _ in found}
        failure.losses = tuple(complete.get(loss.path, loss) for loss in failure.losses)
        return next((pieces for _, pieces in found if pieces), ())


def _complete(experiment: Experiment, pieces: list[Loss], target: str) -> tuple[Loss, tuple[Piece, ...]]:
    """The worst of the pieces of a whole that is lost; of those as bad, the first that a script shows."""
    best: tuple[Loss, _Seen] | None = None
    for loss in [piece for piece in pieces if piece.rank == pieces[0].rank][:_TRIED]:
        if (seen := _seen(experiment, loss)) is None:
            continue
        driver, closed_loop = experiment.driver, experiment.closed_loop
        scripts = Scripts(driver.adapter, target, seen.cut, loss, closed_loop)
        script = proven(scripts, experiment.described)
        if best is None or script:
            best = dataclasses.replace(loss, script=script), seen
        if script:
            break
    if best is None:
        return pieces[0], ()
    loss, seen = best
    return _at(experiment, loss, seen), fates(experiment, seen.cut, used=seen.used)


class _Seen(NamedTuple):
    """In which load a loss was seen, and which leaves it is."""

    cut: int
    used: bool
    group: Group | None


def _seen(experiment: Experiment, loss: Loss) -> _Seen | None:
    for (cut, used), judgement in sorted(experiment.judgements.items(), key=lambda one: one[0]):
        for one, group in judgement.losses:
            if overlap(one.path, loss.path):
                return _Seen(cut, used, group)
    return None


def _at(experiment: Experiment, loss: Loss, seen: _Seen) -> Loss:
    cut, used, group = seen
    mine = group.changes if group is not None else ()
    paths = {change.path for change in mine}
    heal = [change for change in experiment.after_load(cut, used=used) if change.path not in paths]
    return dataclasses.replace(
        loss,
        course=course_of(experiment, cut, used=used, heal=heal),
        saved=in_checkpoint(experiment, cut, mine, used=used),
        beside=neighbour(experiment, cut, group.path, used=used) if group is not None else "",
    )

# SPDX-License-Identifier: MIT
"""What has ended a check is repeated, made smaller, explained and kept."""

from __future__ import annotations

import contextlib
import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING

from verification.engine.inventory import Inventory, established
from verification.engine.reduction import Reduction
from verification.errors import CheckFailure, Inconclusive
from verification.levels import Level
from verification.report.model import Result, Verdict
from verification.running.asking import ask_alone
from verification.running.explaining import explained

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from verification.adapter import Adapter
    from verification.checks.registry import Check
    from verification.counterexamples.store import FailureStore
    from verification.losses import Loss, Piece
    from verification.program import Program
    from verification.running.judging import Tally

# Of the time that a check has taken until it fails, as much again goes into making the program smaller.
_REDUCING = 1.0
_REDUCING_AT_LEAST = 6.0  # seconds of CPU time


def concluded(
    check: Check, adapter: Adapter, program: Program, tally: Tally, *, shrink: bool
) -> tuple[Exception, Program]:
    """A failure is repeated, and its program made smaller.

    Args:
        check: what has ended.
        adapter: drives the agent.
        program: with which it has.
        tally: what it has said, and how it has ended.
        shrink: look for the smallest program.

    Returns:
        The failure of the smallest program that fails alike, or :class:`Inconclusive` if it does not repeat;
        and that program.
    """
    failure = tally.outcome
    assert failure is not None
    if not isinstance(failure, CheckFailure) or tally.remembered:
        return failure, program
    found: dict[int, CheckFailure] = {}
    own = [loss.path for loss in failure.losses]
    known = {
        loss.path: loss
        for loss in tally.losses
        if not established(loss.path, own) and check.level >= Level.TRAINING
    }

    def fails(candidate: Program, more: Mapping[str, Loss] = MappingProxyType({})) -> bool:
        inventory = Inventory({**known, **more})
        again = ask_alone(check, adapter, candidate, (*tally.told, *known), inventory).failure
        if again is None:  # or another mistake than the one that is looked for
            return False
        found[id(candidate)] = again
        return _alike(failure, again)

    if not fails(program):
        # What follows from a loss may have been seen in another program than in this one.
        if fails(program, {loss.path: loss for loss in tally.losses}):
            return found[id(program)], program
        return Inconclusive(f"it failed, and passed when it was repeated: {failure.sentence}"), program
    search = Reduction(program, fails, max(_REDUCING_AT_LEAST, tally.seconds * _REDUCING) if shrink else 0.0)
    smallest = search.run(adapter)
    smaller = found[id(smallest)]
    if search.ran_out and shrink:
        smaller.program += (
            "\n# The search for a smaller program was ended, because it took as long as the check."
        )
    # What the smallest program does not show was told, too: later checks put it back.
    shown = [loss.path for loss in smaller.losses]
    smaller.losses += tuple(loss for loss in failure.losses if not established(loss.path, shown))
    return smaller, smallest


def explain(
    check: Check,
    adapter: Adapter,
    programs: Iterable[Program],
    tally: Tally,
    outcome: Exception,
    *,
    target: str = "",
) -> tuple[Piece, ...]:
    """Find out more of what a failure has lost; without that, too, it is a failure.

    Args:
        check: what has failed.
        adapter: drives the agent.
        programs: the smallest that fails, and others for the losses that it does not show.
        tally: what the check has said.
        outcome: with what it has ended.
        target: the adapter's name, as ``verify check`` takes it; empty if it has none.

    Returns:
        What became of each leaf of the agent in the load that has shown the first loss, if that was found.
    """
    pieces: tuple[Piece, ...] = ()
    if not isinstance(outcome, CheckFailure):
        return pieces
    for program in programs:
        if rest := [loss for loss in outcome.losses if loss.course is None]:
            part = CheckFailure(outcome.sentence, losses=rest)
            with contextlib.suppress(Exception):
                found = explained(
                    check, adapter, program, part, known=tally.losses, told=tally.told, target=target
                )
                pieces = pieces or found
            more = {loss.path: loss for loss in part.losses}
            outcome.losses = tuple(more.get(loss.path, loss) for loss in outcome.losses)
    return pieces


def keep(check: Check, program: Program | None, result: Result, store: FailureStore | None) -> Result:
    """The result, with the ID of its failing program if that could be kept."""
    kept = {Verdict.FAILED, Verdict.INCONCLUSIVE}
    if store is None or result.verdict not in kept or program is None:
        return result
    return dataclasses.replace(result, replay=store.keep(check, program, result.sentence))


def _alike(one: CheckFailure, other: CheckFailure) -> bool:
    """Whether the other failure tells of the same loss, and shows as much of it, or both tell of none."""
    if not one.losses or not other.losses:
        return not one.losses and not other.losses
    return any(
        established(again.path, [loss.path]) and again.rank <= loss.rank
        for again in other.losses
        for loss in one.losses
    )

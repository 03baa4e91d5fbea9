# SPDX-License-Identifier: MIT
"""What has ended a check is repeated, made smaller, explained and kept."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING

from verification.engine.inventory import established
from verification.engine.reduction import Reduction
from verification.errors import CheckFailure, Inconclusive
from verification.losses import together
from verification.report.model import Result, Verdict
from verification.running.explaining import explained

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verification.checks.registry import Check
    from verification.counterexamples.store import FailureStore
    from verification.losses import Piece
    from verification.program import Program
    from verification.running.repeating import Repeating

# Of the time that a check has taken until it fails, as much again goes into making the program smaller.
_REDUCING = 1.0
_REDUCING_AT_LEAST = 6.0  # seconds of CPU time


def concluded(again: Repeating, program: Program, *, shrink: bool) -> tuple[Exception, Program]:
    """A failure is repeated, and its program made smaller.

    Args:
        again: repeats it.
        program: with which the check has ended.
        shrink: look for the smallest program.

    Returns:
        The failure of the smallest program that fails alike, or :class:`Inconclusive` if it does not repeat;
        and that program.
    """
    tally = again.tally
    failure = tally.outcome
    assert failure is not None
    if not isinstance(failure, CheckFailure) or tally.remembered:
        return failure, program
    if not again.fails(program):
        # What follows from a loss may have been seen in another program than in this one.
        others = again.known_without(failure.losses)
        if again.fails(program, {**others, **{loss.path: loss for loss in failure.losses}}):
            return again.failure, program
        return Inconclusive(f"it failed, and passed when it was repeated: {failure.sentence}"), program
    seconds = max(_REDUCING_AT_LEAST, tally.seconds * _REDUCING) if shrink else 0.0
    search = Reduction(program, again.fails, seconds)
    smallest = search.run(again.adapter)
    smaller = again.failure  # it takes each program that fails alike
    if search.ran_out and shrink:
        smaller.program += (
            "\n# The search for a smaller program was ended, because it took as long as the check."
        )
    # What the smallest program does not show was reported, too: later checks put it back.
    shown = [loss.path for loss in smaller.losses]
    smaller.losses += tuple(loss for loss in failure.losses if not established(loss.path, shown))
    return smaller, smallest


def explain(
    again: Repeating, programs: Iterable[Program], outcome: Exception, *, target: str = ""
) -> tuple[Piece, ...]:
    """Find out more of what a failure has lost; without that, too, it is a failure.

    Args:
        again: repeats it.
        programs: the smallest that fails, and others for the losses that it does not show.
        outcome: with what the check has ended.
        target: the adapter's name, as ``verify check`` takes it; empty if it has none.

    Returns:
        What became of each leaf of the agent in the load that has shown the first loss, if that was found.
    """
    pieces: tuple[Piece, ...] = ()
    if not isinstance(outcome, CheckFailure):
        return pieces
    for program in programs:
        # Of the pieces of one thing, one that was looked at closely is enough.
        things = together(outcome.losses).values()
        unknown = [thing for thing in things if all(one.course is None for one in thing)]
        if rest := [one for thing in unknown for one in thing]:
            part = CheckFailure(outcome.sentence, losses=rest)
            with contextlib.suppress(Exception):
                found = explained(again.experiment(program, rest), part, target=target)
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

# SPDX-License-Identifier: MIT
"""Makes one verdict of the runs of a check on one program after another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verification.errors import AdapterError, CheckFailure, Inconclusive, NotApplicable
from verification.levels import Level
from verification.losses import Note, merged, without_losses
from verification.report.model import Result, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verification.checks.registry import Check
    from verification.losses import Loss, Piece
    from verification.running.check_run import CheckRun


@dataclass
class Tally:
    """What has come of a check so far.

    Attributes:
        drawn: the programs that it was run on.
        counted: those that counted.
        seconds: how long that took.
        outcome: what has ended it; ``None`` if nothing has.
        reported: paths of the losses that other checks had reported when it ended.
        remembered: whether the program that has ended it was kept by an earlier run.
        opaque: what could not be looked into: its type, by path.
        losses: that it has come across.
        notes: differences of which nothing follows.
        pieces: what became of each leaf in one load.
    """

    drawn: int = 0
    counted: int = 0
    seconds: float = 0.0
    outcome: Exception | None = None
    reported: tuple[str, ...] = ()
    remembered: bool = False
    opaque: dict[str, str] = field(default_factory=dict)
    losses: tuple[Loss, ...] = ()
    notes: tuple[Note, ...] = ()
    pieces: tuple[Piece, ...] = ()

    def add(self, run: CheckRun) -> None:
        """Count what came of the next program."""
        self.drawn += 1
        self.counted += run.counted
        self.seconds += run.seconds
        self.opaque |= run.opaque
        self.losses = merged([*self.losses, *run.losses])
        if run.ends:
            self.outcome, self.reported = run.outcome, run.reported


def judge(check: Check, tally: Tally, outcome: BaseException | None, seconds: float) -> Result:
    """The result of a check that has been run."""
    verdict, sentence = _judged(check, tally, outcome)
    failure = outcome if isinstance(outcome, CheckFailure) else None
    return Result(
        check=check.name,
        level=str(check.level),
        promise=check.promise,
        verdict=verdict,
        sentence=sentence,
        differences=tuple(str(one) for one in failure.differences) if failure else (),
        paths=_paths(failure) if failure else (),
        program=failure.program if failure else "",
        examples=tally.counted,
        drawn=tally.drawn,
        seconds=round(seconds, 3),
        opaque=tuple(f"{path} ({what})" for path, what in tally.opaque.items()),
        losses=merged([*(failure.losses if failure else ()), *_relevant(check, tally.losses)]),
        notes=(*without_losses(tally.notes, tally.losses), *_noted(check, tally.losses)),
        lost=tuple(loss.path for loss in failure.losses) if failure else (),
        remembered=tally.remembered,
        pieces=tally.pieces,
    )


def _paths(failure: CheckFailure) -> tuple[str, ...]:
    """What a failure names: what is lost, or else every leaf that differs."""
    return tuple(loss.name for loss in failure.losses) or tuple(one.path for one in failure.differences)


def _relevant(check: Check, losses: Iterable[Loss]) -> list[Loss]:
    """The losses of an inventory that break a promise at the check's level."""
    return [loss for loss in losses if loss.affects_training or check.level >= Level.RESUME]


def _noted(check: Check, losses: Iterable[Loss]) -> list[Note]:
    """The other losses: what a run that goes on has lost, but training has not as far as was seen."""
    relevant = _relevant(check, losses)
    return [Note(loss.name, loss.path, loss.effect) for loss in losses if loss not in relevant]


def _judged(check: Check, tally: Tally, outcome: BaseException | None) -> tuple[Verdict, str]:
    if outcome is not None:
        return verdict_on(outcome)
    if tally.counted:
        return Verdict.PASSED, ""
    if check.never_counted:
        return Verdict.FAILED, check.never_counted
    return Verdict.NOT_APPLICABLE, f"none of {tally.drawn} examples had anything to compare"


def verdict_on(outcome: BaseException) -> tuple[Verdict, str]:
    """The verdict on a check that has ended with an exception, and why in one sentence."""
    match outcome:
        case CheckFailure():
            return Verdict.FAILED, outcome.sentence
        case Inconclusive():
            return Verdict.INCONCLUSIVE, str(outcome)
        case NotApplicable():
            return Verdict.NOT_APPLICABLE, str(outcome)
        case AdapterError():
            return Verdict.ERROR, str(outcome)
        case _:
            return Verdict.ERROR, f"{type(outcome).__name__}: {outcome}"

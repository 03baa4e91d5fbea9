# SPDX-License-Identifier: MIT
"""Runs one check of one adapter as a Hypothesis property and turns what happens into a verdict."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from hypothesis import event

from verification.counterexamples.store import forget
from verification.engine.cache import shared_experiment
from verification.engine.experiment import Experiment
from verification.engine.fates import fates
from verification.engine.global_rng import isolated
from verification.engine.inventory import Inventory, established
from verification.engine.reduction import Reduction
from verification.errors import AdapterError, CheckFailure, Inconclusive, NotApplicable, RefusedState
from verification.levels import Level
from verification.losses import merged, without_losses
from verification.processes.temporary_folders import temporary_folder
from verification.report.model import Result, Verdict
from verification.running.drawing import ALIKE, SmallEnough, draw, draw_one, examples_of
from verification.running.explaining import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import hypothesis.strategies as st

    from verification.adapter import Adapter
    from verification.checks.registry import Check
    from verification.counterexamples.store import FailureStore
    from verification.losses import Loss, Note, Piece
    from verification.program import Program
    from verification.shard import Shard

# Of the time that a check has taken until it fails, as much again goes into making the program smaller.
_REDUCING = 1.0
_REDUCING_AT_LEAST = 6.0  # seconds of CPU time


@dataclass
class Tally:
    """What happened in the examples of one check so far, and what is looked for in them."""

    seen: int = 0
    drawn: int = 0
    counted: int = 0
    started: float = field(default_factory=time.process_time)
    failure: Exception | None = None
    program: Program | None = None
    remembered: bool = False
    shrink: bool = True
    horizon: int | None = None
    opaque: dict[str, str] = field(default_factory=dict)
    established: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()
    notes: tuple[Note, ...] = ()
    largest: Experiment | None = None  # of those in which a load was judged, that of the largest agent
    pieces: tuple[Piece, ...] = ()


def property_of(check: Check, tally: Callable[[Adapter], Tally]) -> Callable[..., None]:
    """The check as a function of an adapter and of ``st.data()``, for ``@given``.

    Args:
        check: what is asked of each experiment.
        tally: finds the place where the examples of an adapter are counted.
    """

    def examine(adapter: Adapter, data: st.DataObject) -> None:
        counts = tally(adapter)
        program = draw_one(data, adapter, closed_loop=check.closed_loop, horizon=counts.horizon)
        counts.seen += 1
        if counts.seen <= ALIKE:
            return
        counts.drawn += 1
        try:
            ask(check, adapter, program, counts)
        except RefusedState:
            event("the agent refused to go on with a state that was written into its optimizers")
        except CheckFailure as failure:
            raise SmallEnough(failure) from None  # it is made smaller once Hypothesis has ended
        except AdapterError as error:
            raise SmallEnough(error) from None  # its message says it all; nobody waits for a hang again

    examine.__name__ = examine.__qualname__ = check.name
    examine.__doc__ = check.promise
    return examine


def ask(check: Check, adapter: Adapter, program: Program, counts: Tally) -> None:
    """Ask a check about one program.

    Raises:
        CheckFailure: if the agent broke the promise.
        RefusedState: if the program cannot be carried out.
    """
    with isolated():
        experiment = shared_experiment(adapter, program, closed_loop=check.closed_loop)
        experiment.begin(counts.established)
        try:
            check.function(experiment)
        except RefusedState:
            raise
        except Exception as failure:
            counts.failure, counts.program = failure, program
            raise
        finally:
            counts.opaque.update(experiment.driver.opaque)
            # Not the whole inventory: what other checks in this process have found depends on the workers.
            counts.losses = merged([*counts.losses, *experiment.losses_seen()])
            counts.notes = tuple(experiment.inventory.notes.values())
            if experiment.consulted and (counts.largest is None or len(experiment) > len(counts.largest)):
                counts.largest = experiment
        counts.counted += experiment.counted and counts.failure is None


def concluded(check: Check, adapter: Adapter, counts: Tally, failure: Exception) -> Exception:
    """What has ended a check: a failure is repeated, and its program made smaller.

    Returns:
        The failure of the smallest program that fails alike, or :class:`Inconclusive` if it does not repeat.
    """
    program = counts.program
    if not isinstance(failure, CheckFailure) or program is None or counts.remembered:
        return failure
    found: dict[int, CheckFailure] = {}
    told = [loss.path for loss in failure.losses]
    known = {
        loss.path: loss
        for loss in counts.losses
        if not established(loss.path, told) and check.level >= Level.TRAINING
    }

    def fails(candidate: Program, more: Mapping[str, Loss] = MappingProxyType({})) -> bool:
        inventory = Inventory({**known, **more})
        try:
            ask_alone(check, adapter, candidate, (*counts.established, *known), inventory)
        except CheckFailure as again:
            found[id(candidate)] = again
            return _alike(failure, again)
        except Exception:  # another mistake than the one that is looked for
            return False
        return False

    if not fails(program):
        # What follows from a loss may have been seen in another program than in this one.
        if fails(program, {loss.path: loss for loss in counts.losses}):
            return found[id(program)]
        return Inconclusive(f"it failed, and passed when it was repeated: {failure.sentence}")
    spent = time.process_time() - counts.started
    search = Reduction(program, fails, max(_REDUCING_AT_LEAST, spent * _REDUCING) if counts.shrink else 0.0)
    smallest = search.run(adapter)
    counts.program = smallest
    counts.failure = smaller = found[id(smallest)]
    if search.ran_out and counts.shrink:
        smaller.program += (
            "\n# The search for a smaller program was ended, because it took as long as the check."
        )
    return smaller


def explain(check: Check, adapter: Adapter, counts: Tally, outcome: Exception, target: str = "") -> None:
    """Find out more of what a failure has lost; without that, too, it is a failure."""
    if isinstance(outcome, CheckFailure) and outcome.losses and counts.program is not None:
        with contextlib.suppress(Exception):
            counts.pieces = explained(
                check,
                adapter,
                counts.program,
                outcome,
                known=counts.losses,
                told=counts.established,
                target=target,
            )


def _alike(one: CheckFailure, other: CheckFailure) -> bool:
    """Whether two failures tell of the same loss, or both of none."""
    if not one.losses or not other.losses:
        return not one.losses and not other.losses
    paths = [loss.path for loss in one.losses]
    return any(established(loss.path, paths) for loss in other.losses)


def ask_alone(
    check: Check,
    adapter: Adapter,
    program: Program,
    known: tuple[str, ...] = (),
    inventory: Inventory | None = None,
) -> None:
    """Ask a check about one program as if little was known of the agent.

    Args:
        check: what is asked.
        adapter: drives the agent.
        program: what happens.
        known: paths of losses that others have told of.
        inventory: what is known; nothing by default.

    Raises:
        CheckFailure: if the agent broke the promise.
    """
    with isolated(), temporary_folder() as folder:
        experiment = Experiment(
            adapter, program, Path(folder), closed_loop=check.closed_loop, inventory=inventory
        )
        experiment.begin(known)
        check.function(experiment)


def ask_again(check: Check, adapter: Adapter, counts: Tally, store: FailureStore | None) -> None:
    """Ask about the programs that failed earlier, and forget those that pass now.

    Raises:
        CheckFailure: the first of them that fails still.
    """
    for stored in store.of(check) if store else ():
        tally = Tally(drawn=1)
        try:
            ask(check, adapter, stored.program(), tally)
        except CheckFailure:
            counts.drawn, counts.failure, counts.program = 1, tally.failure, tally.program
            counts.remembered = True
            raise
        except Exception:  # noqa: S112 - the adapter has changed; drawn programs show how it is now
            continue
        forget(stored)


def keep(check: Check, counts: Tally, result: Result, store: FailureStore | None) -> Result:
    """The result, with the ID of its failing program if that could be kept."""
    kept = {Verdict.FAILED, Verdict.INCONCLUSIVE}
    if store is None or result.verdict not in kept or counts.program is None:
        return result
    name = store.keep(check, counts.program, result.sentence)
    return dataclasses.replace(result, replay=name, remembered=counts.remembered)


def run_check(
    adapter: Adapter,
    check: Check,
    *,
    examples: int,
    seed: int,
    shrink: bool = True,
    store: FailureStore | None = None,
    established: tuple[str, ...] = (),
    horizon: int | None = None,
    shard: Shard | None = None,
) -> Result:
    """Run one check outside pytest.

    Args:
        adapter: drives the agent.
        check: what is asked.
        examples: experiments, of a check that is as cheap as any.
        seed: draws them.
        shrink: look for the smallest failing program.
        store: keeps failing programs.
        established: paths of losses that other checks have told of.
        horizon: how far is looked; by default as far as the adapter says.
        shard: of whose share of the examples is asked; by default of all.
    """
    tally = Tally(shrink=shrink, established=established, horizon=horizon)
    started = time.monotonic()
    outcome: BaseException | None = None
    try:
        ask_again(check, adapter, tally, store)
        number = examples_of(check, examples)
        for program in draw(
            adapter, closed_loop=check.closed_loop, seed=seed, examples=number, horizon=horizon, shard=shard
        ):
            tally.drawn += 1
            with contextlib.suppress(RefusedState):
                ask(check, adapter, program, tally)
        if tally.largest is not None:
            cut, used = min(tally.largest.judgements)
            tally.pieces = fates(tally.largest, cut, used=used)
    except CheckFailure as failure:
        outcome = concluded(check, adapter, tally, failure)
        explain(check, adapter, tally, outcome, store.target if store else "")
    except Exception as error:  # a verdict is made of it
        outcome = error
    return keep(check, tally, judge(check, tally, outcome, time.monotonic() - started), store)


def judge(check: Check, tally: Tally, outcome: BaseException | None, seconds: float) -> Result:
    """The verdict on a check that has been run."""
    verdict, sentence = _verdict(check, tally, outcome)
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
        notes=without_losses(tally.notes, tally.losses),
        lost=tuple(loss.path for loss in failure.losses) if failure else (),
        pieces=tally.pieces,
    )


def _paths(failure: CheckFailure) -> tuple[str, ...]:
    """What a failure names: what is lost, or else every leaf that differs."""
    return tuple(loss.name for loss in failure.losses) or tuple(one.path for one in failure.differences)


def _relevant(check: Check, losses: Iterable[Loss]) -> list[Loss]:
    """The losses of an inventory that break a promise at the check's level."""
    return [loss for loss in losses if loss.affects_training or check.level >= Level.RESUME]


def _verdict(check: Check, tally: Tally, outcome: BaseException | None) -> tuple[Verdict, str]:
    match outcome:
        case None if tally.counted:
            return Verdict.PASSED, ""
        case None if check.never_counted:
            return Verdict.FAILED, check.never_counted
        case None:
            return Verdict.NOT_APPLICABLE, f"none of {tally.drawn} examples had anything to compare"
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

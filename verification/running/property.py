# SPDX-License-Identifier: MIT
"""Runs one check of one adapter as a Hypothesis property and turns what happens into a verdict."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import hypothesis
import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, given, note, settings

from verification.counterexamples.store import forget
from verification.engine.cache import shared_experiment
from verification.engine.driver import within_limit
from verification.engine.global_rng import isolated
from verification.errors import AdapterError, CheckFailure, Inconclusive, NotApplicable
from verification.report.model import Result, Verdict
from verification.strategies.program import programs

if TYPE_CHECKING:
    from collections.abc import Callable

    from verification.adapter import Adapter
    from verification.checks.registry import Check
    from verification.counterexamples.store import FailureStore
    from verification.program import Program

#: Experiments of each check, where nobody says how many.
DEFAULT_EXAMPLES = 20
# A failing experiment is rarely made smaller by more tries, each of them several runs.
_SHRINK_TRIES = 30
# Hypothesis begins with a repetition of the failure as it was, which shows whether it was chance.
_REPEATS = 1


class SmallEnough(BaseException):
    """Ends Hypothesis's search for a smaller failure; an ``Exception`` would be taken for another one."""

    def __init__(self, failure: Exception) -> None:
        super().__init__(str(failure))
        self.failure = failure


@dataclass
class Tally:
    """What happened in the examples of one check so far, and whether a smaller failure is looked for."""

    drawn: int = 0
    counted: int = 0
    tries: int = 0
    failure: Exception | None = None
    program: Program | None = None
    remembered: bool = False
    shrink: bool = True
    opaque: dict[str, str] = field(default_factory=dict)


def property_of(check: Check, tally: Callable[[Adapter], Tally]) -> Callable[..., None]:
    """The check as a function of an adapter and of ``st.data()``, for ``@given``.

    Args:
        check: what is asked of each experiment.
        tally: finds the place where the examples of an adapter are counted.
    """

    def examine(adapter: Adapter, data: st.DataObject) -> None:
        counts = tally(adapter)
        try:
            with within_limit(adapter, "drawing from configs(), batches() and observations()"):
                program = data.draw(programs(adapter, closed_loop=check.closed_loop), label="program")
            if counts.failure is not None:
                counts.tries += 1
                if counts.tries > (_SHRINK_TRIES if counts.shrink else _REPEATS):
                    raise SmallEnough(counts.failure)
            counts.drawn += counts.failure is None  # an example, not a try at a smaller one
            ask(check, adapter, program, counts)
        except CheckFailure as failure:
            note(failure.program)
            raise
        except AdapterError as error:
            raise SmallEnough(error) from None  # its message says it all; nobody waits for a hang again

    examine.__name__ = examine.__qualname__ = check.name
    examine.__doc__ = check.promise
    return examine


def ask(check: Check, adapter: Adapter, program: Program, counts: Tally) -> None:
    """Ask a check about one program.

    Raises:
        CheckFailure: if the agent broke the promise.
    """
    with isolated():
        experiment = shared_experiment(adapter, program, closed_loop=check.closed_loop)
        experiment.counted = False
        try:
            check.function(experiment)
        except Exception as failure:
            counts.failure, counts.program = failure, program
            raise
        finally:
            counts.opaque.update(experiment.driver.opaque)
        counts.counted += experiment.counted and counts.failure is None


def examples_of_the_profile() -> int:
    """Experiments a check, where nobody says how many: a fifth of the active profile's ``max_examples``."""
    return settings().max_examples * DEFAULT_EXAMPLES // 100


def check_settings(check: Check, examples: int | None) -> settings:
    """Settings of a check: a child of the active profile, with an experiment's idea of many examples.

    There are fewer examples than the profile has, because each is an experiment of many runs.
    """
    # Explaining a failure would repeat it some hundred times; the differences explain it.
    phases = [phase for phase in settings().phases if phase is not Phase.explain]
    wanted = examples if examples is not None else examples_of_the_profile()
    return settings(
        max_examples=max(1, wanted // check.cost),
        deadline=None,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


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
    if store is None or result.verdict is not Verdict.FAILED or counts.program is None:
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
) -> Result:
    """Run one check outside pytest."""
    tally = Tally(shrink=shrink)
    test = given(data=st.data())(property_of(check, lambda _: tally))
    phases = [Phase.generate, Phase.shrink]
    test = settings(check_settings(check, examples), database=None, phases=phases, print_blob=False)(test)
    test = hypothesis.seed(seed)(test)
    started = time.monotonic()
    outcome: BaseException | None = None
    try:
        ask_again(check, adapter, tally, store)
        test(adapter)
    except SmallEnough as enough:
        outcome = enough.failure
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
        paths=tuple(one.path for one in failure.differences) if failure else (),
        program=failure.program if failure else "",
        examples=tally.counted,
        drawn=tally.drawn,
        seconds=round(seconds, 3),
        opaque=tuple(f"{path} ({what})" for path, what in tally.opaque.items()),
    )


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
        case hypothesis.errors.Flaky():
            return Verdict.INCONCLUSIVE, "an experiment failed and then passed with the same seeds"
        case AdapterError():
            return Verdict.ERROR, str(outcome)
        case _:
            return Verdict.ERROR, f"{type(outcome).__name__}: {outcome}"

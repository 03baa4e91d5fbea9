# SPDX-License-Identifier: MIT
"""A check as a Hypothesis property, for pytest: one check at a time, about programs that Hypothesis draws."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import event

from verification.counterexamples.store import forget
from verification.engine.cache import shared_experiment
from verification.errors import AdapterError, CheckFailure, RefusedState
from verification.running.check_run import run_check
from verification.running.drawing import ALIKE, SmallEnough, draw_one
from verification.running.judging import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    import hypothesis.strategies as st

    from verification.adapter import Adapter
    from verification.checks.registry import Check
    from verification.counterexamples.store import FailureStore
    from verification.program import Program


@dataclass
class Examples:
    """The examples of one check so far.

    Attributes:
        reported: paths of losses that other checks report.
        shrink: whether a smaller failure is looked for.
        seen: how many were drawn, those included that are not run.
        tally: what has come of them.
        program: with which it has ended; ``None`` if it has not.
    """

    reported: tuple[str, ...] = ()
    shrink: bool = True
    seen: int = 0
    tally: Tally = field(default_factory=Tally)
    program: Program | None = None


def property_of(check: Check, examples_of: Callable[[Adapter], Examples]) -> Callable[..., None]:
    """The check as a function of an adapter and of ``st.data()``, for ``@given``.

    Args:
        check: what is asked of each experiment.
        examples_of: finds the place where the examples of an adapter are counted.
    """

    def examine(adapter: Adapter, data: st.DataObject) -> None:
        examples = examples_of(adapter)
        program = draw_one(data, adapter, closed_loop=check.closed_loop, horizon=None)
        examples.seen += 1
        if examples.seen <= ALIKE:
            return
        try:
            run_example(check, adapter, program, examples)
        except RefusedState:
            event("the agent refused to go on with a state that was written into its optimizers")
        except CheckFailure as failure:
            raise SmallEnough(failure) from None  # it is made smaller once Hypothesis has ended
        except AdapterError as error:
            raise SmallEnough(error) from None  # its message says it all; nobody waits for a hang again

    examine.__name__ = examine.__qualname__ = check.name
    examine.__doc__ = check.promise
    return examine


def run_example(check: Check, adapter: Adapter, program: Program, examples: Examples) -> None:
    """Run a check on one program, whose experiment other tests may share, and count the example.

    Raises:
        Exception: what the check has raised.
    """
    experiment = shared_experiment(adapter, program, closed_loop=check.closed_loop)
    run = run_check(check, experiment, examples.reported)
    examples.tally.add(run)
    examples.tally.notes = tuple(experiment.inventory.notes.values())
    if run.ends:
        examples.program = program
    if run.outcome is not None:
        raise run.outcome


def run_stored(check: Check, adapter: Adapter, examples: Examples, store: FailureStore | None) -> None:
    """Run the programs that failed earlier again, and forget those that pass now.

    Raises:
        CheckFailure: the first of them that fails still.
    """
    for stored in store.of(check) if store else ():
        again = Examples(examples.reported)
        try:
            run_example(check, adapter, stored.program(), again)
        except CheckFailure:
            again.tally.remembered = True
            examples.tally, examples.program = again.tally, again.program
            raise
        except Exception:  # noqa: S112 - the adapter has changed; drawn programs show how it is now
            continue
        forget(stored)

# SPDX-License-Identifier: MIT
"""Draws programs: what the arms of an experiment do."""

from __future__ import annotations

import dataclasses
import functools
import operator
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
from hypothesis import event

from verification.errors import MISTAKES, AdapterError, shortly
from verification.program import (
    Act,
    Advance,
    Implant,
    Learn,
    Operate,
    Program,
    Step,
    horizon_of,
    repeated,
    text_of,
    trained,
)
from verification.strategies.local_constants import no_local_constants
from verification.strategies.moments import optimizer_states

if TYPE_CHECKING:
    from collections.abc import Callable

    from verification.adapter import Adapter


# How many programs there are for one that begins with a long run.
_ONE_IN = 3
_IMPLANTS = st.builds(Implant, optimizer_states())
# Another agent doubles the cost of every step after a load.
_ONE_IN_SIXTEEN = st.sampled_from((*[False] * 15, True))


def programs(
    adapter: Adapter,
    *,
    closed_loop: bool = False,
    max_learned: int = 6,
    max_tail: int = 5,
    max_cuts: int = 3,
    horizon: int | None = None,
) -> st.SearchStrategy[Program]:
    """Draw programs for an adapter's agent.

    Args:
        adapter: whose configs, batches and observations are drawn.
        closed_loop: train through ``advance`` where the adapter has it, instead of on given batches.
        max_learned: the latest cut, in steps of any kind, without that of ``horizon``. The first may be 0:
            before any training.
        max_tail: at most how many steps follow the latest cut, in front of a last one that trains.
        max_cuts: at most how many checkpoints one run serves; at least one.
        horizon: in every third program, begin with so many updates on one batch, or steps of the loop, that
            about as many have been taken at the latest cut. By default the adapter's ``horizon``, or 12.

    Raises:
        AdapterError: when drawn, if ``configs``, ``batches``, ``observations``, ``variants`` or
            ``operations`` of the adapter raises, or returns something else than a strategy.

    Example:
        >>> from hypothesis import given
        >>> @given(program=programs(MyAdapter()))
        ... def test_something(program): ...
    """
    drawn = functools.partial(
        _program,
        adapter=adapter,
        closed_loop=closed_loop,
        max_learned=max_learned,
        max_tail=max_tail,
        max_cuts=max_cuts,
        horizon=horizon_of(adapter, horizon),
    )
    return _unmutated(_programs(drawn))


def _unmutated(strategy: st.SearchStrategy[Program]) -> st.SearchStrategy[Program]:
    """``strategy`` such that every example is drawn anew.

    After ten examples Hypothesis makes most of them by copying one part of an example over another part. The
    parts of a program mean different things, so that gave near-duplicates: 13 different configs in 20
    examples. What is unique within a collection is not copied, and this is a collection of one.
    """
    return st.lists(strategy, min_size=1, max_size=1, unique_by=id).map(operator.itemgetter(0))


@st.composite
def _programs(draw: st.DrawFn, drawn: Callable[[st.DrawFn], Program]) -> Program:
    with no_local_constants():
        program = drawn(draw)
    _report(program)
    return program


def _program(
    draw: st.DrawFn,
    adapter: Adapter,
    *,
    closed_loop: bool,
    max_learned: int,
    max_tail: int,
    max_cuts: int,
    horizon: int,
) -> Program:
    config = draw(_strategy(adapter, "configs"), label="config")
    batches = st.builds(Learn, _strategy(adapter, "batches", config))
    observations = _strategy(adapter, "observations", config)
    acts = [st.builds(Act, observations)] * 5 if hasattr(adapter, "act") else []
    if closed_loop and hasattr(adapter, "advance"):
        training: st.SearchStrategy[Step] = st.builds(Advance, st.integers(1, 9))
    else:
        training = batches
    step = _steps((*[training] * 10, *acts, *_rare_steps(adapter, config)))
    # Rarely none: a checkpoint of an agent that never learned hides most bugs.
    numbers = st.sampled_from([0, *range(1, max_learned + 1), *range(1, max_learned + 1)])
    learned = draw(_counted(step, numbers), label="steps before the last cut")
    tail = [
        *draw(_counted(step, st.integers(0, max_tail)), label="steps after it"),
        draw(training, label="last step"),
    ]
    earlier = draw(st.sets(st.integers(0, len(learned)), max_size=max_cuts - 1), label="earlier cuts")
    cuts = tuple(sorted(earlier | {len(learned)}))
    seed = draw(st.integers(0, 2**16), label="seed")
    program = Program(
        config=config,
        receiver_config=_receiver_config(draw, adapter, config),
        seed=seed,
        receiver_seed=seed + draw(st.integers(1, 2**8), label="distance of the receiver's seed"),
        steps=(*learned, *tail),
        cuts=cuts,
        receiver_steps=tuple(draw(_counted(training, st.integers(1, 3)), label="the receiver's past")),
        probe=draw(observations, label="probe"),
        entropy=draw(st.integers(0, 2**16), label="entropy"),
        bystander=draw(_ONE_IN_SIXTEEN, label="bystander"),
        horizon=horizon,
    )
    if acts:  # which may keep something for the next time, such as what the weights came to
        program = dataclasses.replace(program, receiver_steps=(*program.receiver_steps, Act(program.probe)))
    return _begun_long_before(program) if program.entropy % _ONE_IN == 1 else program


def _begun_long_before(program: Program) -> Program:
    """The program behind as much training as its horizon takes, in one step, of which one snapshot is taken.

    How much, and whether at all, follows from what is drawn anyway: a seed draws the same programs for any
    horizon, but for this step. Some end just below the horizon, so that not all are at one place of a cycle.
    """
    missing = program.horizon - program.entropy // _ONE_IN % 3 - trained(program.steps[: program.cuts[-1]])
    if missing <= 0:
        return program
    last = program.steps[-1]
    step = repeated(last.batch, missing) if isinstance(last, Learn) else Advance(missing)
    cuts = tuple(cut + 1 for cut in program.cuts)
    return dataclasses.replace(program, steps=(step, *program.steps), cuts=cuts)


@st.composite
def _steps(draw: st.DrawFn, kinds: tuple[st.SearchStrategy[Step], ...]) -> Step:
    """A step of one of the kinds, which may repeat: one_of would take each only once."""
    return draw(kinds[draw(st.integers(0, len(kinds) - 1))])


@st.composite
def _counted(draw: st.DrawFn, step: st.SearchStrategy[Step], numbers: st.SearchStrategy[int]) -> list[Step]:
    """Steps, their number first: from a list that ends somewhere, shrinking drops few of its first steps."""
    return [draw(step) for _ in range(draw(numbers))]


def _rare_steps(adapter: Adapter, config: Any) -> list[st.SearchStrategy[Step]]:
    """Steps that are neither training nor acting; rare, because after most of them bugs show less."""
    if not hasattr(adapter, "operations"):
        return [_IMPLANTS]
    return [_IMPLANTS, *[st.builds(Operate, _strategy(adapter, "operations", config))] * 2]


def _strategy(adapter: Adapter, member: str, *arguments: Any) -> st.SearchStrategy[Any]:
    """What a member of the adapter returns, if it is a strategy."""
    try:
        strategy = getattr(adapter, member)(*arguments)
    except MISTAKES as error:
        raise AdapterError(f"the adapter {adapter.name!r}: {member}() raised {shortly(error)}") from error
    if not isinstance(strategy, st.SearchStrategy):
        raise AdapterError(
            f"the adapter {adapter.name!r}: {member}() returned {strategy!r}; return a Hypothesis strategy, "
            "such as st.just(...)"
        )
    return strategy


def _receiver_config(draw: st.DrawFn, adapter: Adapter, config: Any) -> Any:
    if not hasattr(adapter, "variants"):
        return config
    return draw(_strategy(adapter, "variants", config), label="the receiver's config")


def _report(program: Program) -> None:
    """Tell Hypothesis's statistics which interesting states were reached."""
    freq = getattr(program.config, "policy_freq", None)
    for cut in program.cuts:
        learned = trained(program.steps[:cut])
        event("cut after training steps", learned)
        if freq:
            event("cut at residue of the policy delay", f"{learned % freq} of {freq}")
    for step in program.steps:
        if isinstance(step, Implant):
            event("implanted optimizer state", repr(step.state))
        elif isinstance(step, Operate):
            event("operation", text_of(step.operation))
    if program.bystander:
        event("a bystander")
    kind = getattr(program.config, "observation_kind", None)
    if kind:
        event("observation", kind)

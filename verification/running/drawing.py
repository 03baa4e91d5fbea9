# SPDX-License-Identifier: MIT
"""Draws the programs that checks ask about: how many, and the same for all checks with one seed."""

from __future__ import annotations

import collections
import contextlib
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Flaky, HypothesisException, InvalidArgument, NoSuchExample, Unsatisfiable

from verification.counterexamples.program_json import names_in
from verification.engine.driver import within_limit
from verification.errors import MISTAKES, AdapterError, shortly
from verification.strategies.program import programs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verification.adapter import Adapter
    from verification.checks.registry import Check
    from verification.program import Program
    from verification.shard import Shard

#: Experiments of each check, where nobody says how many.
DEFAULT_EXAMPLES = 20
#: Hypothesis draws the simplest example first, and then two that are nearly as simple, whatever the seed is.
#: They are drawn and not run, so that seeds differ from the first program on.
ALIKE = 3
# Of one run of the checks: both loops, and three numbers of examples.
_MOST = 8
_drawn: collections.OrderedDict[tuple[int, bool, int, int, int | None], tuple[Adapter, list[Program]]] = (
    collections.OrderedDict()
)


class SmallEnough(BaseException):
    """Ends a test once its failure is small; Hypothesis would take an ``Exception`` for one to shrink."""

    def __init__(self, failure: Exception) -> None:
        super().__init__(str(failure))
        self.failure = failure


def draw_one(data: st.DataObject, adapter: Adapter, *, closed_loop: bool, horizon: int | None) -> Program:
    """The program of one example.

    Raises:
        SmallEnough: with the :class:`AdapterError` of a strategy that raises, or draws for too long.
    """
    try:
        with within_limit(adapter, "drawing from configs(), batches() and observations()"):
            drawn = programs(adapter, closed_loop=closed_loop, horizon=horizon)
            return data.draw(drawn, label="program")
    except AdapterError as error:
        raise SmallEnough(error) from None  # its message says it all; nobody waits for a hang again
    except HypothesisException:
        raise
    except MISTAKES as error:
        *_, where = traceback.extract_tb(error.__traceback__)
        what = f"drawing from configs(), batches() and observations() raised {shortly(error)}"
        place = f"{Path(where.filename).name}:{where.lineno}"
        raise SmallEnough(AdapterError(f"the adapter {adapter.name!r}: {what} ({place})")) from error


def draw(
    adapter: Adapter,
    *,
    closed_loop: bool,
    seed: int,
    examples: int,
    horizon: int | None = None,
    shard: Shard | None = None,
) -> Sequence[Program]:
    """The programs of one seed, at most ``examples``. They are drawn once in a process: it takes long.

    A shard draws all of them, and gets its share.

    Raises:
        AdapterError: if a strategy of the adapter raises, or draws for too long.
    """
    key = id(adapter), closed_loop, seed, examples, horizon
    if key not in _drawn:
        _drawn[key] = adapter, _draw(adapter, closed_loop, seed, examples, horizon)  # so the id stays taken
        if len(_drawn) > _MOST:
            _drawn.popitem(last=False)
    drawn = _drawn[key][1]
    return shard.share(drawn) if shard else drawn


def names_drawn(adapter: Adapter, *, examples: int = DEFAULT_EXAMPLES) -> frozenset[str]:
    """The classes and functions that programs of an adapter name: all that a kept one may.

    Raises:
        AdapterError: as :func:`draw` does.
    """
    names: set[str] = set()
    for closed_loop in (False, True):
        for program in draw(adapter, closed_loop=closed_loop, seed=0, examples=examples):
            with contextlib.suppress(Exception):  # what does not describe itself is never kept
                names |= names_in(program)
    return frozenset(names)


def draw_simple(adapter: Adapter, *, seed: int) -> Program:
    """One program on given batches, for a rehearsal.

    Raises:
        AdapterError: if a strategy of the adapter raises, draws for too long, or has nothing to draw.
    """
    found = _draw(adapter, closed_loop=False, seed=seed, examples=1, horizon=None)
    return found[0]


def _draw(
    adapter: Adapter, closed_loop: bool, seed: int, examples: int, horizon: int | None
) -> list[Program]:
    found: list[Program] = []
    failures: list[Exception] = []

    def collect(data: st.DataObject) -> None:
        try:
            found.append(draw_one(data, adapter, closed_loop=closed_loop, horizon=horizon))
        except SmallEnough as enough:
            failures.append(enough.failure)
            raise

    options = settings(settings_for(examples), database=None, phases=[Phase.generate], print_blob=False)
    try:
        hypothesis.seed(seed)(options(given(data=st.data())(collect)))()
    except SmallEnough as enough:
        raise enough.failure from None
    except Flaky:
        if not failures:
            raise
        raise failures[0] from None  # it is not raised each time, which says less than what was raised
    except Unsatisfiable:
        raise AdapterError(_draws_nothing(adapter)) from None
    except InvalidArgument as error:
        what = f"the adapter {adapter.name!r}: a strategy cannot be drawn from: {error}"
        raise AdapterError(what) from None
    return found[ALIKE:]


def _draws_nothing(adapter: Adapter) -> str:
    """Which strategy of an adapter is empty, in a sentence."""
    at_fault = "configs(), batches() and observations() together"
    drawn: list[Any] = []
    for member in ("configs", "batches", "observations"):
        strategy = getattr(adapter, member)(*drawn[:1])
        try:
            options = settings(settings_for(1), database=None, derandomize=True)
            drawn.append(hypothesis.find(strategy, lambda _: True, settings=options))
        except (Unsatisfiable, NoSuchExample):
            at_fault = f"{member}()"
            break
    return (
        f"the adapter {adapter.name!r}: {at_fault} can draw nothing; let it return a strategy with at least "
        "one value, such as st.just(...)"
    )


def examples_of_the_profile() -> int:
    """Experiments a check, where nobody says how many: a fifth of the active profile's ``max_examples``."""
    return settings().max_examples * DEFAULT_EXAMPLES // 100


def examples_of(check: Check, examples: int | None) -> int:
    """Experiments of a check: the dearer it is, the fewer."""
    wanted = examples if examples is not None else examples_of_the_profile()
    return max(1, wanted // check.cost)


def check_settings(check: Check, examples: int | None) -> settings:
    """Settings of a check: a child of the active profile, with an experiment's idea of many examples."""
    return settings_for(examples_of(check, examples))


def settings_for(examples: int) -> settings:
    """Settings with fewer examples than the profile has, because each is an experiment of many runs."""
    # A program is made smaller by its structure, and the experiments explain it.
    phases = [phase for phase in settings().phases if phase not in {Phase.shrink, Phase.explain}]
    return settings(
        max_examples=examples + ALIKE,
        deadline=None,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )

# SPDX-License-Identifier: MIT
"""Draws the programs that checks ask about: how many, and the same for all checks with one seed."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

import hypothesis
import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, given, settings

from verification.engine.driver import within_limit
from verification.errors import AdapterError
from verification.strategies.program import programs

if TYPE_CHECKING:
    from verification.adapter import Adapter
    from verification.checks.registry import Check
    from verification.program import Program

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


def draw(
    adapter: Adapter, *, closed_loop: bool, seed: int, examples: int, horizon: int | None = None
) -> list[Program]:
    """The programs of one seed, at most ``examples``. They are drawn once in a process: it takes long.

    Raises:
        AdapterError: if a strategy of the adapter raises, or draws for too long.
    """
    key = id(adapter), closed_loop, seed, examples, horizon
    if key not in _drawn:
        _drawn[key] = adapter, _draw(adapter, closed_loop, seed, examples, horizon)  # so the id stays taken
        if len(_drawn) > _MOST:
            _drawn.popitem(last=False)
    return _drawn[key][1]


def _draw(
    adapter: Adapter, closed_loop: bool, seed: int, examples: int, horizon: int | None
) -> list[Program]:
    found: list[Program] = []

    def collect(data: st.DataObject) -> None:
        found.append(draw_one(data, adapter, closed_loop=closed_loop, horizon=horizon))

    options = settings(settings_for(examples), database=None, phases=[Phase.generate], print_blob=False)
    try:
        hypothesis.seed(seed)(options(given(data=st.data())(collect)))()
    except SmallEnough as enough:
        raise enough.failure from None
    return found[ALIKE:]


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

# SPDX-License-Identifier: MIT
"""An agent that raises on huge values is nobody's mistake, where the suite has written them."""

from __future__ import annotations

from typing import Any

from adapters import Tiny
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from verification import Verdict, check_agent, checkpoint_machine

_HUGE = 50.0


class Strict(Tiny):
    """Refuses to train once a moment is huge, or in any case."""

    def __init__(self, *, always: bool = False) -> None:
        super().__init__()
        self.always = always
        self.refused = 0

    def learn(self, agent: Any, batch: Any) -> None:
        moments = [one for held in agent.optimizer.state.values() for one in held.values() if one is not None]
        if self.always or not all(bool((one.abs() < _HUGE).all()) for one in moments):
            self.refused += 1
            raise ValueError("found invalid values")
        super().learn(agent, batch)


def test_a_state_that_the_suite_has_written_may_be_refused() -> None:
    adapter = Strict()
    report = check_agent(adapter, level="training", examples=20, seed=0)
    assert adapter.refused > 0
    assert report.ok, report.summary()
    assert all(result.verdict in {Verdict.PASSED, Verdict.NOT_APPLICABLE} for result in report.results)


def test_whoever_refuses_by_himself_is_in_error() -> None:
    report = check_agent(Strict(always=True), checks=["runs_are_repeatable"], examples=3, seed=0)
    assert report.result("runs_are_repeatable").verdict is Verdict.ERROR


def test_the_state_machine_lets_a_state_be_refused() -> None:
    adapter = Strict()
    run_state_machine_as_test(
        checkpoint_machine(adapter, closed_loop=False),
        settings=settings(
            max_examples=30,
            stateful_step_count=15,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert adapter.refused > 0

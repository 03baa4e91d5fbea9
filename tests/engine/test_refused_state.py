# SPDX-License-Identifier: MIT
"""An agent that raises on a state that is impossible is nobody's mistake, where the suite has written it."""

from __future__ import annotations

import itertools
from typing import Any

from adapters import Tiny
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from verification import Verdict, check_agent, checkpoint_machine


class Strict(Tiny):
    """Refuses to train where there was an update and moments are missing, or in any case."""

    def __init__(self, *, always: bool = False) -> None:
        super().__init__()
        self.always = always
        self.refused = 0

    def learn(self, agent: Any, batch: Any) -> None:
        complete = len(agent.optimizer.state) == len(list(agent.net.parameters()))
        if self.always or (agent.total_it > 0 and not complete):
            self.refused += 1
            raise ValueError("found no moments after an update")
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
    random = itertools.count()
    while not adapter.refused:  # few random programs train, write a state, and train again
        run_state_machine_as_test(
            seed(next(random))(checkpoint_machine(adapter, closed_loop=False)),
            settings=settings(
                max_examples=30,
                stateful_step_count=15,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )

# SPDX-License-Identifier: MIT
"""What the state machine can do, and what it does with an agent: each rule by itself."""

from __future__ import annotations

import itertools
from typing import Any

import hypothesis.strategies as st
import pytest
from adapters import OpenLoop, Tiny
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from verification.engine.state_machine import checkpoint_machine
from verification.program import Act, Advance, Implant, Learn, Operate


class Operated(OpenLoop):
    """Its gain can be changed."""

    def operations(self, config: Any) -> Any:
        return st.just(2.0)

    def operate(self, agent: Any, operation: float) -> None:
        agent.gain *= operation


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What the machines of a test do with their twin."""
    history: list[tuple[str, Any]] = []

    class Recording:
        def __init__(self, *_: Any, closed_loop: bool, **__: Any) -> None:
            history.append(("closed loop", closed_loop))

        def step(self, step: Any) -> None:
            history.append(("step", type(step)))

        def save(self) -> int:
            history.append(("save", None))
            return 0

        def load(self, number: int, *, used: bool) -> None:
            history.append(("load", used))

    monkeypatch.setattr("verification.engine.state_machine.Twin", Recording)
    return history


def run(adapter: Any, **options: Any) -> None:
    few = settings(
        max_examples=30,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(checkpoint_machine(adapter, **options), settings=few)


def test_the_machine_is_named_after_its_adapter() -> None:
    machine = checkpoint_machine(Tiny())
    assert machine.__name__ == machine.__qualname__ == "CheckpointMachine_tiny"


def test_it_does_whatever_can_happen_to_an_agent(done: list[tuple[str, Any]]) -> None:
    run(Operated())
    steps = {kind for what, kind in done if what == "step"}
    assert steps == {Learn, Act, Implant, Operate}
    assert {used for what, used in done if what == "load"} == {True, False}
    assert ("closed loop", False) in done
    # Older checkpoints are loaded, and new ones at once.
    assert {before for (before, _), (what, _) in itertools.pairwise(done) if what == "load"} > {
        "save",
        "step",
    }


def test_what_an_adapter_cannot_do_is_not_done(done: list[tuple[str, Any]]) -> None:
    run(Tiny())
    steps = {kind for what, kind in done if what == "step"}
    assert steps == {Advance, Act, Implant}
    assert {closed for what, closed in done if what == "closed loop"} == {True}


def test_the_loop_may_stay_open(done: list[tuple[str, Any]]) -> None:
    run(Tiny(), closed_loop=False)
    assert {kind for what, kind in done if what == "step"} == {Learn, Act, Implant}
    assert {closed for what, closed in done if what == "closed loop"} == {False}

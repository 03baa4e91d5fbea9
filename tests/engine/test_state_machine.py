# SPDX-License-Identifier: MIT
"""The state machine finds what only histories show, blames no correct agent, and prints programs that run."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from adapters import LosesItsCounter, Tiny
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from verification.adapters.td3_core import TD3Core
from verification.engine.state_machine import checkpoint_machine
from verification.errors import CheckFailure, Inconclusive
from verification.mutants.harmless import changed
from verification.mutants.model import planted

if TYPE_CHECKING:
    from pathlib import Path

    from verification.adapter import Adapter

_SETTINGS = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def run(adapter: Adapter, *, closed_loop: bool = False, **changes: Any) -> None:
    run_state_machine_as_test(
        checkpoint_machine(adapter, closed_loop=closed_loop), settings=settings(_SETTINGS, **changes)
    )


@pytest.mark.parametrize("closed_loop", [False, True])
def test_td3_core_is_never_told_from_its_twin(closed_loop: bool) -> None:
    """With the active profile: a few histories by default, random ones and many of them at night."""
    few = settings(
        settings(), max_examples=max(1, settings().max_examples // 16), stateful_step_count=15, deadline=None
    )
    run_state_machine_as_test(checkpoint_machine(TD3Core(), closed_loop=closed_loop), settings=few)


@pytest.mark.parametrize(
    ("mutant", "leaf"),
    [("total_it_lost", "agent.total_it"), ("value_drifts_over_cycles", "agent.total_it")],
)
def test_a_mutant_of_td3_core_is_found(mutant: str, leaf: str) -> None:
    with pytest.raises(CheckFailure) as caught:
        run(planted(mutant), max_examples=40)
    assert leaf in {one.path for one in caught.value.differences}


def test_a_loss_in_the_middle_of_an_epoch_is_found() -> None:
    """Only who trains by itself walks through epochs: the default where an adapter has ``advance``."""
    run(planted("epoch_walked_again"), closed_loop=False)
    with pytest.raises(CheckFailure) as caught:
        run_state_machine_as_test(checkpoint_machine(planted("epoch_walked_again")), settings=_SETTINGS)
    assert "agent.sampler.index" in {one.path for one in caught.value.differences}


@pytest.mark.parametrize("change", ["last_loss_for_a_log", "clock", "time_spent", "seen_so_far"])
def test_a_harmless_difference_is_not_blamed(change: str) -> None:
    run(changed("dqn", change))


class Trains(Tiny):
    """Cannot train for no step at all."""

    def advance(self, agent: Any, steps: int) -> None:
        assert steps > 0
        super().advance(agent, steps)


def test_nobody_is_asked_to_train_for_no_step() -> None:
    run(Trains(), closed_loop=True)


def test_an_agent_that_differs_from_itself_is_not_blamed() -> None:
    with pytest.raises(Inconclusive, match="two runs without any save differ"):
        run(Tiny("is nondeterministic"))


def test_a_failure_prints_a_program_that_shows_it(tmp_path: Path) -> None:
    with pytest.raises(CheckFailure) as caught:
        run(LosesItsCounter(), phases=[Phase.generate, Phase.shrink])
    notes = "\n".join(caught.value.__notes__)
    script = tmp_path / "program.py"
    lines = notes.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(("from ", "import ")))
    last = max(number for number, line in enumerate(lines) if line.startswith("twin."))
    script.write_text("\n".join(lines[first : last + 1]))
    here = {"PYTHONPATH": os.pathsep.join([*sys.path])}
    ended = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=300, env=here
    )
    assert ended.returncode == 1
    assert "agent.total_it expected 1, got 0" in ended.stderr

# SPDX-License-Identifier: MIT
"""Progress is a live bar on a terminal, and plain lines elsewhere."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from td3_core.training import progress
from td3_core.training.metrics import EpisodeSummary
from td3_core.training.progress import ProgressDisplay, facts_of


def a_run(steps: int = 0) -> Any:
    return SimpleNamespace(steps=steps, last_episode=None, losses={})


def test_facts_name_speed_then_episode_then_losses() -> None:
    run = a_run()
    assert facts_of(run, 12.3) == "12 steps/s"
    run.last_episode = EpisodeSummary(1, 7, -3.14159, 7, {})
    run.losses = {"critic_loss": 0.1234, "actor_loss": 9.87}
    assert facts_of(run, 12.3) == "12 steps/s  return -3.1  length 7  loss critic 0.12 actor 9.9"


def test_a_log_gets_plain_lines_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    out, run = io.StringIO(), a_run(steps=100)
    with ProgressDisplay(run, 200, Console(file=out)) as display:
        for _ in range(50):
            run.steps, clock[0] = run.steps + 1, clock[0] + 0.5
            display.update()
    assert out.getvalue().splitlines() == [
        "step 120/200  2 steps/s",
        "step 140/200  2 steps/s",
        "step 150/200  2 steps/s",
    ]


def test_a_terminal_gets_a_bar() -> None:
    out, run = io.StringIO(), a_run()
    console = Console(file=out, force_terminal=True, width=100)
    with ProgressDisplay(run, 200, console) as display:
        run.steps = 150
        display.update()
    assert "step 150/200" in out.getvalue()
    assert "━" in out.getvalue()


def test_an_error_leaves_no_last_line() -> None:
    out = io.StringIO()

    def fail() -> None:
        with ProgressDisplay(a_run(), 200, Console(file=out)):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert out.getvalue() == ""

# SPDX-License-Identifier: MIT
"""What a run shows: at a terminal how far it is, in a log a line for every check."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from rich.console import Console

from verification.checks.registry import all_checks
from verification.report.model import Result, Verdict
from verification.running import live as module
from verification.running.live import live

if TYPE_CHECKING:
    import pytest

NAMES = ["saving_leaves_global_generators_unchanged", "an_earlier_state_saved_later_is_loaded"]


def ended(name: str, verdict: Verdict) -> Result:
    return Result(name, "training", "", verdict)


def shown(*, terminal: bool, width: int = 80, **options: object) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=width, **options)  # type: ignore[arg-type]
    checks = all_checks()
    with live(40, console) as run:
        run.began(checks[NAMES[0]], 10)
        run.began(checks[NAMES[1]], 20)
        run._progress.refresh()
        run.ended(checks[NAMES[0]], ended(NAMES[0], Verdict.PASSED))
        run.ended(checks[NAMES[1]], ended(NAMES[1], Verdict.FAILED))
        run._progress.refresh()
    return output.getvalue()


def test_a_log_gets_a_line_for_every_check_and_no_colour() -> None:
    told = shown(terminal=False)
    assert f"passed {NAMES[0]}\nfailed {NAMES[1]}\n" in told
    assert "\x1b" not in told


def test_a_terminal_shows_examples_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_rate", lambda task: 0.1 if task.completed else 0.0)
    told = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown(terminal=True))
    assert "0/40 examples" in told
    assert "30/40 examples 0.1/s 1:40 left" in told
    assert f"failed {NAMES[1]}" in told
    assert f"passed {NAMES[0]}" not in told  # the bar says enough
    lines = {line.rstrip() for line in re.split(r"[\r\n]+", told)}
    assert {f"{NAMES[0]},", NAMES[1]} <= lines  # no word is cut
    assert max(map(len, lines)) <= 80


def test_no_color_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    told = shown(terminal=True)
    assert not re.search(r"\x1b\[[\d;]*3\dm", told)

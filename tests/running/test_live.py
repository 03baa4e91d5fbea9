# SPDX-License-Identifier: MIT
"""What a run shows: at a terminal how far it is, in a log from time to time, and each failure at once."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from verification.checks.registry import all_checks, select
from verification.errors import CheckFailure, NotApplicable
from verification.report.model import Result, Verdict
from verification.running import live as module
from verification.running.check_run import CheckRun
from verification.running.live import Live, live

if TYPE_CHECKING:
    from collections.abc import Callable

LONG, DEAR = "saving_leaves_global_generators_unchanged", "repeated_reloads_change_nothing"
CHECKS = [all_checks()[name] for name in (LONG, DEAR)]


def ended(name: str, verdict: Verdict) -> Result:
    return Result(name, "training", "", verdict)


def whole(run: Live) -> None:
    """One check passes and one fails."""
    for _ in range(10):
        run.began(CHECKS[0])
        run.ran(CHECKS[0], CheckRun(LONG, counted=True))
    run._progress.refresh()
    run.ran(CHECKS[1], CheckRun(DEAR, outcome=CheckFailure("the cycle number 2 changed the agent")))
    run._progress.refresh()
    run.ended(CHECKS[0], ended(LONG, Verdict.PASSED))
    run.ended(CHECKS[1], ended(DEAR, Verdict.FAILED))


def shown(happens: Callable[[Live], None], *, terminal: bool, width: int = 80) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=width)
    with live(CHECKS, 20, console) as run:
        happens(run)
    return output.getvalue()


def test_a_log_gets_a_line_for_every_check_and_no_colour() -> None:
    told = shown(whole, terminal=False)
    assert f"passed {LONG}\nfailed {DEAR}\n" in told
    assert "\x1b" not in told


def test_a_failure_is_shown_at_once_with_its_sentence_and_its_check_is_not_waited_for() -> None:
    def fails(run: Live) -> None:
        run.ran(CHECKS[1], CheckRun(DEAR, outcome=CheckFailure("it broke in [this]", program="agent = ...")))

    assert shown(fails, terminal=False) == f"failed {DEAR}: it broke in [this]\n\n"
    assert "1/21 examples" in re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown(fails, terminal=True))


def test_a_failure_that_is_expected_is_shown_as_such() -> None:
    output = io.StringIO()
    with live(CHECKS, 20, Console(file=output), excused={DEAR}) as run:
        run.ran(CHECKS[1], CheckRun(DEAR, outcome=CheckFailure("it broke", program="agent = ...")))
    assert output.getvalue().strip() == f"xfailed {DEAR}: it broke"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_failure_that_turns_out_to_be_told_by_another_check_is_taken_back(terminal: bool) -> None:
    def fails_and_passes(run: Live) -> None:
        run.ran(CHECKS[1], CheckRun(DEAR, outcome=CheckFailure("it broke", program="agent = ...")))
        run.ended(CHECKS[1], ended(DEAR, Verdict.PASSED))

    told = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown(fails_and_passes, terminal=terminal))
    assert f"passed {DEAR}, with what others report put back" in " ".join(told.split())


def test_what_does_not_apply_is_no_news() -> None:
    def passes(run: Live) -> None:
        run.ran(CHECKS[1], CheckRun(DEAR, outcome=NotApplicable("nothing to compare")))

    assert shown(passes, terminal=False).strip() == ""


def test_what_needs_a_failed_check_is_not_waited_for() -> None:
    checks = select("protocol")
    output = io.StringIO()
    with live(checks, 5, Console(file=output)) as run:
        assert run._progress.tasks[0].total == 5 * len(checks)
        run.ran(checks[0], CheckRun(checks[0].name, outcome=CheckFailure("it broke")))
        assert checks[0].name == "runs_are_repeatable"
        assert run._progress.tasks[0].total == 1 + 5  # saving_writes_a_checkpoint needs nothing
        run.ran(checks[0], CheckRun(checks[0].name, counted=True))  # from a worker that did not know yet
        assert run._progress.tasks[0].completed == 1


def test_a_log_says_from_time_to_time_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_rate", lambda _: 0.1)

    def passes(run: Live) -> None:
        for number in range(20):
            run.ran(CHECKS[0], CheckRun(LONG, counted=True))
            if number < 10:
                run.ran(CHECKS[1], CheckRun(DEAR, counted=True))

    assert [line.strip() for line in shown(passes, terminal=False).splitlines() if line.strip()] == [
        "8/30 examples 0.1/s 3:40 left",
        "15/30 examples 0.1/s 2:30 left",
        "23/30 examples 0.1/s 1:10 left",
    ]


def test_a_terminal_shows_examples_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_rate", lambda task: 0.1 if task.completed else 0.0)
    told = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown(whole, terminal=True, width=40))
    assert "10/30 examples 0.1/s 3:20 left" in told
    assert "11/21 examples 0.1/s 1:40 left" in told
    assert told.count("failed") == 1
    assert f"passed {LONG}" not in told  # the bar says enough
    lines = {line.rstrip() for line in re.split(r"[\r\n]+", told)}
    assert max(map(len, lines)) <= 40 + 2


def test_no_color_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    told = shown(whole, terminal=True)
    assert not re.search(r"\x1b\[[\d;]*3\dm", told)

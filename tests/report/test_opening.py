# SPDX-License-Identifier: MIT
"""The first sentence of a report: safe or not, what is lost, what follows, and what to do."""

from __future__ import annotations

import dataclasses

import pytest

from verification.checks.registry import all_checks, select
from verification.losses import Loss, Note
from verification.report.model import Report, Result, Verdict
from verification.report.opening import SURVIVING, opening, survived

MOMENTS = Loss(
    "agent.adam",
    "agent.adam",
    "optimizer state",
    "spreads",
    "moments of 2 parameters",
    "it changes agent.net.weight at the first step after the load",
)
COUNT = Loss(
    "agent.count", "agent.count", "counters", "recorded", effect="training changes it, no more is seen"
)
LINK = Loss("agent.net", "agent.net", "object identity", "spreads", effect="right after the load it raised X")


def result(check: str, verdict: Verdict, sentence: str = "", losses: tuple[Loss, ...] = ()) -> Result:
    paths = tuple(loss.path for loss in losses)
    return Result(check, "resume", "Promise.", verdict, sentence, losses=losses, lost=paths)


def report(*results: Result, level: str = "resume") -> Report:
    """All checks passed but for these."""
    given = {one.check: one for one in results}
    every = [given.get(one.name, result(one.name, Verdict.PASSED)) for one in select(level)]
    return Report("mine", level, tuple(every), 1, {})


FAILED, XFAILED = Verdict.FAILED, Verdict.XFAILED
OPTIMIZER, REPEATABLE = "optimizer_state_survives_reload", "runs_are_repeatable"


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (report(), "It is safe to resume mine: nothing is lost."),
        (report(level="training"), "It is safe to train on with a loaded mine: nothing is lost."),
        (report(level="weights"), "It is safe to act with a loaded mine: nothing is lost."),
        (
            report(result(OPTIMIZER, FAILED, "x", (MOMENTS,))),
            "It is not safe to resume mine: agent.adam (moments of 2 parameters) is lost; that changes "
            "agent.net.weight at the first step after the load; let save write it and load put it back.",
        ),
        (
            report(result(OPTIMIZER, FAILED, "x", (MOMENTS, LINK)), result(REPEATABLE, Verdict.ERROR, "y")),
            "It is not safe to resume mine: agent.net and agent.adam (moments of 2 parameters) are lost; of "
            "agent.net: right after the load it raised X; let save write them and load put them back; "
            "another check went wrong, too.",
        ),
        (
            report(result("objects_stay_bound", FAILED, "x", (LINK,))),
            "It is not safe to resume mine: agent.net is lost; right after the load it raised X; let load "
            "fill the objects that exist instead of replacing them.",
        ),
        (
            report(result("every_leaf_survives_reload", FAILED, "x", (COUNT,))),
            "mine trains on exactly, but does not resume with all that it had: agent.count is lost; training "
            "changes it, no more is seen; let save write it and load put it back.",
        ),
        (
            report(result(OPTIMIZER, XFAILED, "x", (MOMENTS,))),
            "It is not safe to resume mine, as expected: agent.adam (moments of 2 parameters) is lost; that "
            "changes agent.net.weight at the first step after the load; let save write it and load put it "
            "back.",
        ),
        (
            report(result(REPEATABLE, FAILED, "it fell over.")),
            "It is not safe to resume mine: it fell over.",
        ),
        (
            report(result(REPEATABLE, Verdict.INCONCLUSIVE, "two runs\n differ")),
            "Nothing can be said about mine: two runs differ.",
        ),
        (report(result(REPEATABLE, Verdict.ERROR, "a typo")), "mine could not be checked: a typo."),
        (
            report(result(OPTIMIZER, Verdict.STALE, "expected to fail, but it passes: remove the entry")),
            "It is safe to resume mine: nothing is lost; but optimizer_state_survives_reload was expected to "
            "fail, but it passes: remove the entry.",
        ),
        (
            Report("mine", "resume", (), 1, {}),
            "Nothing is known about mine: no check ran that had anything to compare.",
        ),
    ],
)
def test_the_first_sentence_says_it_all(found: Report, sentence: str) -> None:
    assert opening(found) == sentence


def test_what_nobody_promised_is_not_called_safe() -> None:
    untold = dataclasses.replace(result(REPEATABLE, Verdict.PASSED), losses=(MOMENTS,))
    assert "nothing is lost; but agent.adam" not in opening(report(untold, level="weights"))
    assert "but agent.adam (moments of 2 parameters) is lost; that" in opening(
        report(untold, level="weights")
    )


def test_a_run_of_few_checks_promises_no_more_than_those() -> None:
    few = Report("mine", "resume", (result(REPEATABLE, Verdict.PASSED),), 1, {})
    number = len(select("resume"))
    assert opening(few) == (
        f"mine keeps what it was asked to promise, in 1 of the {number} checks at level resume."
    )


def test_many_losses_are_counted_and_notes_are_mentioned() -> None:
    many = tuple(dataclasses.replace(MOMENTS, name=f"agent.x{i}", path=f"agent.x{i}") for i in range(5))
    told = opening(report(result(OPTIMIZER, FAILED, "x", many)))
    assert "agent.x2 (moments of 2 parameters) and 2 more are lost; the loss of agent.x0 changes" in told
    noted = dataclasses.replace(result(REPEATABLE, Verdict.PASSED), notes=(Note("agent.x", "agent.x", "y"),))
    assert opening(report(noted)) == (
        "It is safe to resume mine: nothing is lost; 1 difference has no consequence."
    )


def test_what_survived_is_what_its_check_has_passed() -> None:
    assert set(SURVIVING) <= set(all_checks())
    told = survived(report(result(OPTIMIZER, FAILED, "x", (MOMENTS,))))
    assert "optimizer state" not in told
    assert "online networks, target networks, actions" in told
    assert survived(Report("mine", "resume", (), 1, {})) == ""

# SPDX-License-Identifier: MIT
"""The first sentence of a report: safe or not, what is lost, what follows, and what to do."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from verification.checks.registry import all_checks, select
from verification.losses import ABSENT, PRESENT, Consequence, Course, Loss, Note
from verification.ordinals import ordinal_word
from verification.report.model import Report, Result, Verdict
from verification.report.opening import SURVIVING, opening, survived

MOMENTS = Loss(
    "agent.adam",
    "agent.adam",
    "optimizer state",
    "spreads",
    "moments of 2 parameters",
    "it changes agent.net.weight at the first step after the load",
    first=Consequence("agent.net.weight", "online networks", 1),
)
COUNT = Loss(
    "agent.count", "agent.count", "counters", "recorded", effect="training changes it, no more is seen"
)
LINK = Loss("agent.net", "agent.net", "object identity", "spreads", effect="right after the load it raised X")
STREAM = Loss("the global generator of numpy", "the global generator of numpy", "generators", "spreads")
BESIDE = dataclasses.replace(MOMENTS, beside="agent.sgd")


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
        (report(), "Safe to resume mine: nothing is lost."),
        (report(level="training"), "Safe to train on with a loaded mine: nothing is lost."),
        (report(level="weights"), "Safe to act with a loaded mine: nothing is lost."),
        (
            report(result(OPTIMIZER, FAILED, "x", (MOMENTS,))),
            "Not safe to resume mine: `adam` does not come back; `net` takes another step from the first "
            "step on. Let save write it and load put it back.",
        ),
        (
            report(result(OPTIMIZER, FAILED, "x", (MOMENTS, LINK)), result(REPEATABLE, Verdict.ERROR, "y")),
            "Not safe to resume mine: `net` and `adam` do not come back; without `net`, right after the "
            "load it raised X; another check went wrong, too. Let save write them and load put them back.",
        ),
        (
            report(result("generators_survive_reload", FAILED, "x", (BESIDE, STREAM))),
            "Not safe to resume mine: `adam` and the global generator of numpy do not come back; without "
            "`adam`, `net` takes another step from the first step on. Let save write them and load put "
            "them back.",
        ),
        (
            report(result("objects_stay_bound", FAILED, "x", (LINK,))),
            "Not safe to resume mine: `net` comes back as another object; right after the load it raised X. "
            "Let load fill the objects that exist instead of replacing them.",
        ),
        (
            report(result("every_leaf_survives_reload", FAILED, "x", (COUNT,))),
            "mine trains on exactly, but does not resume with all that it had: `count` does not come back; "
            "training changes it, no more is seen. Let save write it and load put it back.",
        ),
        (
            report(result(OPTIMIZER, XFAILED, "x", (MOMENTS,))),
            "Not safe to resume mine, as expected: `adam` does not come back; `net` takes another step from "
            "the first step on. Let save write it and load put it back.",
        ),
        (
            report(result(REPEATABLE, FAILED, "it fell over.")),
            "Not safe to resume mine: it fell over.",
        ),
        (
            report(result(REPEATABLE, Verdict.INCONCLUSIVE, "two runs\n differ. If it is harmless, do this")),
            "Nothing can be said about mine: two runs differ.",
        ),
        (report(result(REPEATABLE, Verdict.ERROR, "a typo")), "mine could not be checked: a typo."),
        (
            report(result(OPTIMIZER, Verdict.STALE, "expected to fail, but it passes: remove the entry")),
            "Safe to resume mine: nothing is lost; but optimizer_state_survives_reload was expected to "
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


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (
            {"saved": ABSENT, "beside": "agent.critic_optimizer"},
            "`adam` is not in the checkpoint; `net` takes another step from the first step on. Save it "
            "beside `critic_optimizer`.",
        ),
        (
            {"saved": PRESENT, "beside": "agent.critic_optimizer"},
            "`adam` is in the checkpoint, but load does not put it back; `net` takes another step from the "
            "first step on. Let load put it back, as it does `critic_optimizer`.",
        ),
        ({"saved": PRESENT}, "from the first step on. Let load put it back."),
        ({"saved": ABSENT}, "from the first step on. Let save write it and load put it back."),
        (
            {"course": Course((), ("learn", "act"), {}, 1)},
            "`net` takes another step from the first update on.",
        ),
        ({"course": Course((), ("act", "learn"), {}, 1)}, "`net` takes another step from the first step on."),
        ({"first": Consequence("action", "other state", 0)}, "the actions differ right after the load."),
        ({"first": Consequence("action", "other state", 12)}, "the actions differ from the 12th step on."),
        (
            {"first": Consequence("agent.sgd.param_groups[0]['lr']", "schedules", 2)},
            "the learning rate of `sgd` differs from the second step on.",
        ),
        (
            {"first": Consequence("agent.old[0].bias", "target networks", 3)},
            "`old` differs from the third step on",
        ),
        ({"first": Consequence("agent.n.x", "counters", 3)}, "`n.x` differs from the third step on"),
        ({"first": None}, "it changes agent.net.weight at the first step after the load."),
    ],
)
def test_what_is_known_of_a_loss_is_said(known: dict[str, Any], told: str) -> None:
    loss = dataclasses.replace(MOMENTS, **known)
    assert told in opening(report(result(OPTIMIZER, FAILED, "x", (loss,))))


def test_several_losses_are_told_together_where_they_are_alike() -> None:
    both = [dataclasses.replace(MOMENTS, name=f"agent.{one}", path=f"agent.{one}") for one in ("adam", "sgd")]
    absent = [dataclasses.replace(one, saved=ABSENT, beside="agent.critic") for one in both]
    told = opening(report(result(OPTIMIZER, FAILED, "x", tuple(absent))))
    assert "`sgd` and `adam` are not in the checkpoint; without `sgd`, `net`" in told
    assert told.endswith("Save them beside `critic`.")
    mixed = opening(report(result(OPTIMIZER, FAILED, "x", (both[0], absent[1]))))
    assert "`sgd` and `adam` do not come back" in mixed
    lost = [dataclasses.replace(one, beside="agent.sgd") for one in absent]
    assert "beside `sgd`" not in opening(report(result(OPTIMIZER, FAILED, "x", tuple(lost))))


@pytest.mark.parametrize(
    ("number", "word"), [(1, "first"), (9, "ninth"), (10, "10th"), (11, "11th"), (21, "21st"), (112, "112th")]
)
def test_steps_are_counted_in_words(number: int, word: str) -> None:
    assert ordinal_word(number) == word


def test_what_nobody_promised_is_not_called_safe() -> None:
    untold = dataclasses.replace(result(REPEATABLE, Verdict.PASSED), losses=(MOMENTS,))
    assert "nothing is lost" not in opening(report(untold, level="weights"))
    assert "but `adam` does not come back; `net` takes" in opening(report(untold, level="weights"))


def test_a_run_of_few_checks_promises_no_more_than_those() -> None:
    few = Report("mine", "resume", (result(REPEATABLE, Verdict.PASSED),), 1, {})
    number = len(select("resume"))
    assert opening(few) == (
        f"mine keeps what it was checked for, in 1 of the {number} checks at level resume."
    )


def test_many_losses_are_counted_and_notes_are_mentioned() -> None:
    many = tuple(dataclasses.replace(MOMENTS, name=f"agent.x{i}", path=f"agent.x{i}") for i in range(5))
    told = opening(report(result(OPTIMIZER, FAILED, "x", many)))
    assert "`x2` and 2 more do not come back; without `x0`, `net` takes another step" in told
    noted = dataclasses.replace(result(REPEATABLE, Verdict.PASSED), notes=(Note("agent.x", "agent.x", "y"),))
    assert opening(report(noted)) == (
        "Safe to resume mine: nothing is lost; 1 difference has no consequence."
    )


def test_what_survived_is_what_its_check_has_passed() -> None:
    assert set(SURVIVING) <= set(all_checks())
    told = survived(report(result(OPTIMIZER, FAILED, "x", (MOMENTS,))))
    assert "optimizer state" not in told
    assert told.startswith("Came back bit for bit: online networks, target networks, actions")
    noted = dataclasses.replace(result(REPEATABLE, Verdict.PASSED), notes=(Note("agent.x", "agent.x", "y"),))
    assert survived(report(noted)).startswith("Came back bit for bit, but for what is noted: online networks")
    assert survived(Report("mine", "resume", (), 1, {})) == ""


def test_an_interrupted_run_says_so_first_and_calls_nothing_safe() -> None:
    asked = [dataclasses.replace(one, drawn=2) for one in report().results]
    whole = len(asked)
    interrupted = dataclasses.replace(report(), results=tuple(asked), interrupted=True)
    assert opening(interrupted) == (
        f"The run was interrupted after {2 * whole} examples. As far as it got: mine keeps what it was "
        f"checked for, in {whole} of the {whole} checks at level resume."
    )
    lossy = dataclasses.replace(report(result(OPTIMIZER, FAILED, "x", (MOMENTS,))), interrupted=True)
    assert opening(lossy).startswith("The run was interrupted after 0 examples. As far as it got: Not safe")
    nothing = dataclasses.replace(report(), results=(), interrupted=True)
    assert opening(nothing).endswith(
        "As far as it got: Nothing is known about mine: no check ran that had anything to compare."
    )

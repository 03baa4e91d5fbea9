# SPDX-License-Identifier: MIT
"""Reports of shards become one, as if everything had been run at once; what does not belong is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from test_schema import PUBLISHED

from verification.checks.registry import earlier
from verification.errors import UsageError
from verification.losses import Loss, Note
from verification.report.as_json import as_json
from verification.report.merging import merge
from verification.report.model import Report, Result, Verdict
from verification.report.saved import read_report
from verification.shard import Shard

FAILED, ERROR, INCONCLUSIVE, XFAILED = Verdict.FAILED, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.XFAILED
STALE, PASSED, BLOCKED, NOTHING = Verdict.STALE, Verdict.PASSED, Verdict.BLOCKED, Verdict.NOT_APPLICABLE
FIRST, NEEDS_IT = "runs_are_repeatable", "training_changes_the_agent"
HAS_TO_COUNT = NEEDS_IT
COUNTER = Loss("agent.steps", "agent.steps", "counter", "spreads", effect="it changes agent.net")
MOMENTS = Loss("agent.adam", "agent.adam", "optimizer state", "read")
NOTE = Note("agent.last", "agent.last", "made anew")


def result(verdict: Verdict, *losses: Loss, check: str = FIRST, **more: Any) -> Result:
    lost = tuple(loss.path for loss in losses)
    fields = {"examples": 2, "drawn": 3, "seconds": 1.5, **more}
    return Result(check, "protocol", "Promise.", verdict, "why", losses=losses, lost=lost, **fields)


def shard(number: int, *results: Result, of: int = 2, **changed: Any) -> Report:
    environment = {"torch": "2.13.0", "platform": "Linux"}
    whole = Report("mine", "protocol", results, 1, environment, examples=6, command="verify check mine:A")
    part = Shard(number, of)
    return dataclasses.replace(whole, **{"shard": part, "not_run": (part.remark, "More."), **changed})


@pytest.fixture
def merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One report of several, through files named a, b, ..."""
    monkeypatch.chdir(tmp_path)

    def merge_files(*reports: Report) -> Report:
        files = [Path(name) for name, _ in zip("abcdef", reports, strict=False)]
        for file, report in zip(files, reports, strict=True):
            file.write_text(as_json(report), encoding="utf-8")
        return merge({file: read_report(file) for file in files})

    return merge_files


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        ((PASSED, PASSED), PASSED),
        ((PASSED, FAILED), FAILED),
        ((ERROR, FAILED), FAILED),
        ((PASSED, ERROR), ERROR),
        ((PASSED, INCONCLUSIVE), INCONCLUSIVE),
        ((INCONCLUSIVE, FAILED), FAILED),
        ((STALE, XFAILED), XFAILED),
        ((STALE, STALE), STALE),
        ((STALE, NOTHING), STALE),
        ((NOTHING, PASSED), PASSED),
        ((NOTHING, NOTHING), NOTHING),
    ],
)
def test_the_worst_verdict_holds_whatever_the_order(merged: Any, verdicts: Any, verdict: Verdict) -> None:
    for one, other in (verdicts, verdicts[::-1]):
        report = merged(shard(1, result(one)), shard(2, result(other)))
        assert [found.verdict for found in report.results] == [verdict]


def test_examples_are_added(merged: Any) -> None:
    (found,) = merged(shard(1, result(PASSED)), shard(2, result(NOTHING, examples=0, drawn=2))).results
    assert (found.examples, found.drawn, found.seconds) == (2, 5, 3.0)


def test_nothing_to_compare_is_said_of_all_examples(merged: Any) -> None:
    nothing = dataclasses.replace(
        result(NOTHING, examples=0), sentence="none of 3 examples had anything to compare"
    )
    report = merged(shard(1, nothing), shard(2, nothing))
    assert report.results[0].sentence == "none of 6 examples had anything to compare"


def test_what_has_to_count_fails_if_it_has_in_no_shard(merged: Any) -> None:
    nothing, counted = (result(one, check=HAS_TO_COUNT) for one in (NOTHING, PASSED))
    assert merged(shard(1, nothing), shard(2, counted)).ok
    report = merged(shard(1, nothing), shard(2, nothing))
    assert report.results[0].verdict is FAILED
    assert report.results[0].sentence == "training changed no weight in any example"


def test_a_check_is_blocked_by_a_failure_in_another_shard(merged: Any) -> None:
    fails = shard(1, result(FAILED), result(BLOCKED, check=NEEDS_IT))
    passes = shard(2, result(PASSED), result(PASSED, check=NEEDS_IT))
    for report in (merged(fails, passes), merged(passes, fails)):
        assert [one.verdict for one in report.results] == [FAILED, BLOCKED]
        assert report.results[1].sentence == f"blocked by {FIRST}"
    also_fails = shard(2, result(PASSED), result(FAILED, check=NEEDS_IT))
    assert [one.verdict for one in merged(fails, also_fails).results] == [FAILED, FAILED]


def test_losses_of_all_shards_are_told_with_the_shortest_program(merged: Any) -> None:
    long = result(FAILED, MOMENTS, program="learn\nlearn", replay="3f9a")
    short = result(FAILED, COUNTER, program="learn")
    report = merged(shard(1, long), shard(2, short))
    assert report.lost == (COUNTER, MOMENTS)
    (found,) = report.results
    assert (found.program, found.replay, set(found.lost)) == ("learn", "", {COUNTER.path, MOMENTS.path})
    assert all(report.reported_by(loss) is found for loss in report.lost)


def test_a_loss_that_an_earlier_check_tells_of_in_another_shard_is_told_once(merged: Any) -> None:
    check = "loading_leaves_no_residue"
    assert "counters_survive_reload" in earlier(check)
    tells = shard(1, result(FAILED, COUNTER, check="counters_survive_reload"), result(PASSED, check=check))
    inner = dataclasses.replace(COUNTER, name="agent.steps[0]", path="agent.steps[0]")
    told = shard(2, result(PASSED, check="counters_survive_reload"), result(FAILED, inner, check=check))
    other = shard(2, result(PASSED, check="counters_survive_reload"), result(FAILED, MOMENTS, check=check))
    assert [one.verdict for one in merged(tells, told).results] == [FAILED, PASSED]
    assert [one.verdict for one in merged(tells, other).results] == [FAILED, FAILED]


def test_a_note_of_one_shard_is_none_where_another_has_lost_it(merged: Any) -> None:
    noted = Note("agent.steps", "agent.steps", "nothing follows")
    report = merged(shard(1, result(PASSED, notes=(noted, NOTE))), shard(2, result(FAILED, COUNTER)))
    assert report.notes == (NOTE,)


def test_what_is_said_of_the_run_stays(merged: Any) -> None:
    other = shard(
        2, result(PASSED, opaque=("agent.c (C)",)), environment={"torch": "2.13.0", "platform": "Mac"}
    )
    report = merged(shard(1, result(PASSED, opaque=("agent.b (B)",))), other)
    assert report.not_run == ("More.",)
    assert report.shard is None
    assert (report.seed, report.examples, report.command) == (1, 6, "verify check mine:A")
    assert report.environment == {"torch": "2.13.0", "platform": "Linux; Mac"}
    assert report.opaque == ("agent.b (B)", "agent.c (C)")


def test_a_shard_that_passes_what_is_expected_to_fail_does_not_fail(merged: Any) -> None:
    assert shard(1, result(STALE)).ok
    assert not shard(1, result(FAILED)).ok
    assert not merged(shard(1, result(STALE)), shard(2, result(STALE))).ok


def test_the_report_of_a_shard_follows_the_schema(merged: Any) -> None:
    merged(shard(1, result(PASSED)), shard(2, result(PASSED)))

    Draft202012Validator(PUBLISHED).validate(json.loads(Path("a").read_text(encoding="utf-8")))


P = result(PASSED)


@pytest.mark.parametrize(
    ("reports", "sentence"),
    [
        ([shard(1, P, shard=None), shard(2, P)], "a is the report of a whole run; "),
        ([shard(1, P), shard(2, P, interrupted=True)], "b is of a shard that was interrupted; run it again"),
        ([shard(1, P)], "2/2 is missing; give all shards"),
        ([shard(2, P, of=4), shard(3, P, of=4)], "1/4, 4/4 are missing; give all shards"),
        ([shard(1, P), shard(1, P)], "a and b are both shard 1/2; give each of them once"),
        ([shard(1, P), shard(2, P, of=3)], "b is shard 2/3, and others are of 2; give those of one run"),
        ([shard(1, P), shard(2, P, seed=2)], "b is of another run than a: its seed is 2, not 1"),
        (
            [shard(1, P), shard(2, P, adapter="yours")],
            "b is of another run than a: its adapter is yours, not mine",
        ),
        (
            [shard(1, P), shard(2, P, level="resume")],
            "b is of another run than a: its level is resume, not protocol",
        ),
        ([shard(1, P), shard(2, P, examples=7)], "b is of another run than a: its examples is 7, not 6"),
        ([shard(1, P), shard(2, P, horizon=99)], "b is of another run than a: its horizon is 99, not 12"),
        (
            [shard(1, P), shard(2, P, strict=True)],
            "b is of another run than a: its strict is True, not False",
        ),
        (
            [shard(1, P), shard(2, P, environment={"torch": "2.6.0"})],
            "b is of another run than a: it ran with torch 2.6.0, not 2.13.0",
        ),
        (
            [shard(1, P), shard(2)],
            "b is of another run than a: other checks were run",
        ),
    ],
)
def test_what_is_no_shard_of_the_run_is_refused(merged: Any, reports: list[Report], sentence: str) -> None:
    with pytest.raises(UsageError) as refusal:
        merged(*reports)
    assert str(refusal.value).startswith(sentence)

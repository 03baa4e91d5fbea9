# SPDX-License-Identifier: MIT
"""The report as data and as text: exit codes, counts, the story of a failure, and what was lost."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import threading
from xml.etree import ElementTree

import pytest
from adapters import Tiny
from rich.console import Console

from verification.checks.registry import prerequisites, select
from verification.mutants.model import planted
from verification.report.html import html
from verification.report.junit import junit
from verification.report.lost import holder, lost_state
from verification.report.markdown import markdown
from verification.report.model import SCHEMA, ExitCode, Report, Result, Verdict
from verification.report.text import STYLES, render
from verification.report.verdicts import blocked, blocked_by
from verification.running.check_agent import check_agent

FAILED = Result(
    "targets_survive_reload",
    "training",
    "Target networks come back bit for bit.",
    Verdict.FAILED,
    "target networks saved after 2 steps came back different",
    differences=tuple(f"agent.critic_target.net[{i}].weight expected [0]=1.0, got [0]=2.0" for i in range(9)),
    paths=tuple(f"agent.critic_target.net[{i}].weight" for i in range(9)),
    program="agent = adapter.build([bold]Config(), seed=1)\nadapter.learn(agent, ...)",
    examples=3,
    drawn=4,
    seconds=0.25,
)


def result(verdict: Verdict, check: str = "runs_are_repeatable", sentence: str = "because") -> Result:
    return Result(check, "protocol", "Promise.", verdict, "" if verdict is Verdict.PASSED else sentence)


def report(*results: Result) -> Report:
    return Report("tiny", "training", results, 7, {"torch": "2.13.0"})


def text(*results: Result, width: int = 100) -> str:
    output = io.StringIO()
    render(report(*results), Console(file=output, width=width), command="verify check tiny")
    return output.getvalue()


# -- as data -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([Verdict.PASSED], ExitCode.CONFORMANT),
        ([Verdict.PASSED, Verdict.XFAILED, Verdict.BLOCKED], ExitCode.CONFORMANT),
        ([Verdict.PASSED, Verdict.NOT_APPLICABLE], ExitCode.CONFORMANT),
        ([Verdict.PASSED, Verdict.FAILED], ExitCode.FAILED),
        ([Verdict.PASSED, Verdict.STALE], ExitCode.FAILED),
        ([Verdict.PASSED, Verdict.ERROR], ExitCode.FAILED),
        ([Verdict.PASSED, Verdict.INCONCLUSIVE], ExitCode.INCONCLUSIVE),
        ([Verdict.INCONCLUSIVE, Verdict.FAILED], ExitCode.FAILED),
        ([Verdict.NOT_APPLICABLE], ExitCode.NOTHING_RAN),
        ([], ExitCode.NOTHING_RAN),
    ],
)
def test_the_exit_code_says_how_it_went(verdicts: list[Verdict], code: ExitCode) -> None:
    found = report(*(result(verdict) for verdict in verdicts))
    assert found.exit_code is code
    assert found.ok is (code is ExitCode.CONFORMANT)


def test_exit_codes_are_public() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "CONFORMANT": 0,
        "FAILED": 1,
        "USAGE": 2,
        "INCONCLUSIVE": 3,
        "NOTHING_RAN": 5,
    }


def test_the_summary_counts_every_verdict() -> None:
    found = report(result(Verdict.PASSED), result(Verdict.PASSED), result(Verdict.NOT_APPLICABLE), FAILED)
    assert found.summary() == "tiny at level training: 2 passed, 1 failed, 1 not applicable"
    assert report().summary() == "tiny at level training: nothing ran"


def test_a_run_that_checked_too_little_can_be_refused() -> None:
    found = report(result(Verdict.PASSED), result(Verdict.NOT_APPLICABLE))
    assert found.require(1) is found
    with pytest.raises(AssertionError, match="1 checks passed, at least 2 were required"):
        found.require(2)


def test_a_report_is_plain_json_with_a_schema() -> None:
    data = json.loads(json.dumps(report(FAILED, result(Verdict.PASSED)).to_dict()))
    assert data["schema"] == SCHEMA == 1
    assert {key: data[key] for key in ("adapter", "level", "ok", "exit_code", "seed")} == {
        "adapter": "tiny",
        "level": "training",
        "ok": False,
        "exit_code": 1,
        "seed": 7,
    }
    assert data["counts"] == {"failed": 1, "passed": 1}
    assert data["environment"] == {"torch": "2.13.0"}
    assert set(data["results"][0]) == {
        "check",
        "level",
        "promise",
        "verdict",
        "sentence",
        "differences",
        "paths",
        "program",
        "examples",
        "drawn",
        "seconds",
        "replay",
        "remembered",
    }


@pytest.mark.parametrize("one", [FAILED, *(result(verdict) for verdict in Verdict)])
def test_results_survive_json(one: Result) -> None:
    assert Result.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_only_failures_have_a_story() -> None:
    assert FAILED.failure.splitlines()[0] == FAILED.sentence
    assert len(FAILED.failure.splitlines()) == 10
    assert all(not result(one).failure for one in Verdict if one not in {Verdict.FAILED, Verdict.XFAILED})


# -- one cause, one failure --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "blocks"),
    [(verdict, verdict.value in {"failed", "xfailed", "error", "inconclusive"}) for verdict in Verdict],
)
def test_what_did_not_hold_blocks_what_builds_on_it(verdict: Verdict, *, blocks: bool) -> None:
    found = {"runs_are_repeatable": verdict, "modes_survive_reload": Verdict.FAILED}
    assert blocked_by("targets_survive_reload", found) == (["runs_are_repeatable"] if blocks else [])


def test_a_blocked_check_names_its_causes() -> None:
    one = blocked("targets_survive_reload", "training", "Promise.", ["a", "b"])
    assert (one.verdict, one.sentence, one.drawn) == (Verdict.BLOCKED, "blocked by a, b", 0)


def test_a_lost_cnn_is_one_failure_and_a_list_of_what_it_blocks() -> None:
    lost = "online_networks_survive_reload"
    found = check_agent(planted("actor_cnn_lost"), level="training", examples=4, seed=0, shrink=False)
    output = io.StringIO()
    render(found, Console(file=output, width=400), command="verify check td3_core")
    told = [line.strip() for line in output.getvalue().splitlines()]
    assert [line.split(" ")[0] for line in told if ": failed" in line] == [f"{lost}:"]
    assert "Online networks saved after" in next(
        line for line in told if line.endswith("came back different.")
    )
    start = told.index("Not asked, because something they build on failed:")
    blocked_lines = told[start + 1 : told.index("", start)]
    building = [one.name for one in select("training") if lost in prerequisites(one.name)]
    assert blocked_lines == [f"{name} blocked by {lost}" for name in building]
    assert len(building) == 5
    assert re.fullmatch(
        r"agent\.actor_cnn \(\d+ leaves\)", told[told.index("Lost or changed by save and load:") + 1]
    )
    assert ", 1 failed, 5 blocked" in found.summary()


def test_what_could_not_be_looked_into_is_said_once() -> None:
    class Locks(Tiny):
        def build(self, config: object, seed: int) -> object:  # type: ignore[override]
            agent = super().build(config, seed)  # type: ignore[arg-type]
            agent.lock = threading.Lock()  # type: ignore[attr-defined]
            return agent

    found = check_agent(Locks(), level="protocol", examples=2, seed=0)
    assert found.opaque == ("agent.lock (_thread.lock)",)
    data = json.loads(json.dumps(found.to_dict()))
    assert data["opaque"] == ["agent.lock (_thread.lock)"]
    assert all("opaque" not in one for one in data["results"])
    output = io.StringIO()
    render(found, Console(file=output, width=100), command="verify check tiny")
    assert output.getvalue().count("Could not look into: agent.lock (_thread.lock)") == 1
    many = dataclasses.replace(FAILED, opaque=tuple(f"agent.x[{i}] (lock)" for i in range(9)))
    assert "agent.x[5] (lock) and 3 more" in text(many, width=300)
    assert "Could not look into" not in text(FAILED)


# -- as text -----------------------------------------------------------------------------------------------


def test_every_verdict_has_a_style() -> None:
    assert set(STYLES) == set(Verdict)


def test_the_story_of_a_failure_is_told_in_order() -> None:
    told = text(FAILED)
    pieces = [
        "targets_survive_reload: failed",
        "Promise: Target networks come back bit for bit.",
        "Target networks saved after 2 steps came back different.",
        "agent.critic_target.net[0].weight expected",
        "and 3 more: agent.critic_target (3)",
        "agent = adapter.build([bold]Config(), seed=1)",  # nothing is taken for markup
        "verify check tiny --check targets_survive_reload --seed 7",
        "Lost or changed by save and load:",
        "agent.critic_target (9 leaves)",
        "tiny at level training: 1 failed",
        "seed 7; torch 2.13.0",
    ]
    positions = [told.find(piece) for piece in pieces]
    assert -1 not in positions, pieces[positions.index(-1)]
    assert positions == sorted(positions)


def test_a_kept_failure_is_repeated_by_its_id_or_by_its_seed() -> None:
    told = text(dataclasses.replace(FAILED, replay="3f9a1c20"))
    assert "Again: verify replay 3f9a1c20\n" in told
    assert "   or: verify check tiny --check targets_survive_reload --seed 7\n" in told
    assert "Again: verify check tiny --check targets_survive_reload --seed 7\n" in text(FAILED)
    assert "--seed" not in text(dataclasses.replace(FAILED, replay="3f9a1c20", remembered=True))


def test_each_verdict_is_told_as_much_as_it_needs() -> None:
    passed = text(result(Verdict.PASSED))
    assert "Promise" not in passed
    assert "because" not in passed
    for verdict in (Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.STALE, Verdict.XFAILED):
        assert "Because." in text(result(verdict)), verdict
    assert "Again: " in text(result(Verdict.INCONCLUSIVE))
    assert "Again: " not in text(result(Verdict.ERROR))
    told = text(result(Verdict.BLOCKED, "targets_survive_reload", "blocked by [x]"))
    assert "Not asked, because something they build on failed:" in told
    assert "targets_survive_reload blocked by [x]" in told


def test_a_long_program_is_cut_to_what_a_terminal_holds() -> None:
    long = dataclasses.replace(FAILED, program="\n".join(["x = " + "1, " * 500, *["y"] * 100]))
    told = text(long, width=400)
    assert max(len(line.rstrip()) for line in told.splitlines() if line.strip().startswith("x =")) < 200
    assert sum(line.strip() == "y" for line in told.splitlines()) == 29


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("agent.critic_cnn.net[0].weight", "agent.critic_cnn"),
        ("agent.optimizer.state[3]['exp_avg']", "agent.optimizer"),
        ("agent.total_it", "agent.total_it"),
        ("agent['policy'].weight", "agent['policy']"),
        ("action", "action"),
    ],
)
def test_a_leaf_belongs_to_a_named_thing(path: str, name: str) -> None:
    assert holder(path) == name


def test_state_lost_in_several_ways_is_counted_once() -> None:
    again = dataclasses.replace(FAILED, check="next_steps_survive_reload", verdict=Verdict.XFAILED)
    assert lost_state(report(FAILED, again)) == {"agent.critic_target": 9}
    assert lost_state(report(dataclasses.replace(FAILED, verdict=Verdict.BLOCKED))) == {}


# -- in files ----------------------------------------------------------------------------------------------

HOSTILE = dataclasses.replace(
    FAILED,
    sentence="it <b>broke</b> | *badly* & `so`\x00",
    differences=("agent['<x>'] expected ```1```, got '&'",),
    paths=("agent['<x>']",),
    replay="3f9a1c20",
)
EVERY = [result(verdict, sentence="because") for verdict in Verdict if verdict is not Verdict.FAILED]


def test_markdown_tells_the_same() -> None:
    told = markdown(report(HOSTILE, *EVERY))
    lines = told.splitlines()
    assert lines[0].startswith("## tiny at level training: 1 passed, 1 failed")
    assert "| training | `targets_survive_reload` | failed | 3/4 |" in lines
    assert "It \\<b\\>broke\\</b\\> \\| \\*badly\\* & \\`so\\`" in told
    start = lines.index("````")
    assert lines[start + 1] == HOSTILE.differences[0]
    assert lines.index("````", start + 1) > start
    assert "`verify replay 3f9a1c20`" in lines
    assert "- `agent['<x>']` (1)" in lines
    assert "- `runs_are_repeatable` because" in lines
    assert told.count("<details>") == told.count("</details>") == 5


def test_junit_counts_and_names_every_check() -> None:
    suite = ElementTree.fromstring(junit(report(HOSTILE, *EVERY)))
    assert suite.attrib == {
        "name": "tiny",
        "tests": "8",
        "failures": "2",
        "errors": "2",
        "skipped": "3",
        "time": "0.250",
    }
    case = suite[0]
    assert (case.get("classname"), case.get("name")) == ("tiny.training", "targets_survive_reload")
    (failure,) = case
    assert (failure.tag, failure.get("type")) == ("failure", "failed")
    assert failure.get("message") == "it <b>broke</b> | *badly* & `so`?"
    assert HOSTILE.differences[0] in (failure.text or "")
    assert [[one.tag for one in case] for case in suite[1:]] == [
        [],
        ["skipped"],
        ["failure"],
        ["skipped"],
        ["skipped"],
        ["error"],
        ["error"],
    ]


def test_html_is_one_page_that_shows_values_as_they_are() -> None:
    page = html(report(HOSTILE, *EVERY))
    for piece in (
        "<title>tiny at level training: 1 passed",
        "it &lt;b&gt;broke".replace("it", "It"),
        "agent[&#39;&lt;x&gt;&#39;]",
        '<a href="#targets_survive_reload">',
        '<section id="targets_survive_reload">',
        "verify replay 3f9a1c20",
        "[bold]Config(), seed=1)",
        "torch 2.13.0",
    ):
        assert piece in page, piece
    assert "<b>" not in page
    assert not re.search(r"(?:src|href)=.(?!#)", page)
    assert "<section" not in html(report(result(Verdict.PASSED)))

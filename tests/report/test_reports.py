# SPDX-License-Identifier: MIT
"""The report as data and in each of its forms: exit codes, counts, and what is told in which order."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import select as polling
from xml.etree import ElementTree

import pytest
from adapters import Tiny
from rich.console import Console

from verification.losses import AS_BUILT, Consequence, Loss, Note
from verification.mutants.model import planted
from verification.report.as_json import as_json
from verification.report.entries import findings, losses, pointer
from verification.report.html import html
from verification.report.junit import junit
from verification.report.markdown import LINES, _text, markdown
from verification.report.model import SCHEMA, ExitCode, Report, Result, Verdict
from verification.report.opening import looked, opening
from verification.report.text import STYLES, render
from verification.report.verdicts import blocked, blocked_by
from verification.report.wording import line
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


TARGETS = Loss(
    "agent.critic_target",
    "agent.critic_target",
    "target networks",
    "spreads",
    "9 tensors",
    "it changes agent.critic.weight at the second step after the load",
    "with everything else put back the run differs; with this put back, too, it does not",
    FAILED.differences,
    equals=(AS_BUILT,),
    first=Consequence("agent.critic.weight", "online networks", 2),
)
COUNTER = Loss("agent.count", "agent.count", "counters", "recorded", effect="training changes it")
LOSING = dataclasses.replace(
    FAILED,
    sentence=f"{FAILED.sentence}: {TARGETS}",
    losses=(COUNTER, TARGETS),
    lost=(TARGETS.path,),
    notes=(Note("agent.cache", "agent.cache", "the run makes it anew; nothing followed in 13 steps"),),
    opaque=("agent.lock (_thread.lock)",),
    replay="3f9a1c20",
)


def result(verdict: Verdict, check: str = "runs_are_repeatable", sentence: str = "because") -> Result:
    return Result(check, "protocol", "Promise.", verdict, "" if verdict is Verdict.PASSED else sentence)


def report(*results: Result) -> Report:
    return Report("tiny", "training", results, 7, {"torch": "2.13.0"})


def text(*results: Result, width: int = 100) -> str:
    return rendered(report(*results), width)


def rendered(found: Report, width: int) -> str:
    output = io.StringIO()
    render(found, Console(file=output, width=width), command="verify check tiny")
    return output.getvalue()


def plain(page: str) -> str:
    """A page of HTML whose code is set off as text sets it off."""
    return re.sub("</?code>", "`", page)


def in_order(told: str, *pieces: str) -> None:
    """Every piece is there, each behind the one before."""
    position = 0
    for piece in pieces:
        position = told.find(piece, position)
        assert position != -1, piece


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


def test_notes_fail_only_a_strict_run() -> None:
    noted = dataclasses.replace(result(Verdict.PASSED), notes=LOSING.notes)
    assert report(noted).exit_code is ExitCode.CONFORMANT
    strict = dataclasses.replace(report(noted), strict=True)
    assert strict.exit_code is ExitCode.FAILED
    assert opening(strict).endswith("1 difference has no consequence, which --strict does not allow.")
    assert dataclasses.replace(report(result(Verdict.PASSED)), strict=True).ok


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
    data = json.loads(as_json(report(LOSING, result(Verdict.PASSED))))
    assert data["schema"] == SCHEMA == 1
    assert list(data)[:4] == ["schema", "sentence", "survived", "unseen"]
    assert {key: data[key] for key in ("adapter", "level", "ok", "exit_code", "strict", "seed")} == {
        "adapter": "tiny",
        "level": "training",
        "ok": False,
        "exit_code": 1,
        "strict": False,
        "seed": 7,
    }
    assert data["counts"] == {"failed": 1, "passed": 1}
    assert data["environment"] == {"torch": "2.13.0"}
    assert data["sentence"] == opening(report(LOSING))
    assert [one["name"] for one in data["lost"]] == ["agent.critic_target", "agent.count"]
    assert [(one["check"], one["replay"]) for one in data["lost"]] == [
        ("targets_survive_reload", "3f9a1c20"),
        ("", ""),
    ]
    assert "as it was before the load" in data["lost"][0]["hint"]
    assert data["lost"][0]["differences"] == list(FAILED.differences)
    assert data["results"][0]["differences"] == [*FAILED.differences[:6], "and 3 more leaves"]
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
        "lost",
        "replay",
        "remembered",
    }


@pytest.mark.parametrize("one", [FAILED, LOSING, *(result(verdict) for verdict in Verdict)])
def test_results_survive_json(one: Result) -> None:
    assert Result.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_only_failures_have_a_story() -> None:
    assert FAILED.failure.splitlines()[0] == FAILED.sentence
    assert FAILED.failure.splitlines()[7:] == ["  and 3 more leaves"]
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


def test_a_lost_cnn_is_one_line_in_every_form() -> None:
    checks = ["online_networks_survive_reload", "targets_survive_reload", "next_steps_survive_reload"]
    found = check_agent(planted("actor_cnn_lost"), checks=checks, examples=4, seed=0, shrink=False)
    assert [one.name for one in found.lost] == ["agent.actor_cnn"]
    (entry,) = losses(found)
    assert findings(found) == []
    assert entry.title.startswith("actor_cnn (")
    promise = "Every weight and buffer of the networks that are trained comes back"
    for told in (rendered(found, 400), markdown(found).replace("\\", ""), junit(found)):
        assert told.count(entry.title) >= 1
        assert told.count(promise) == 1
    assert plain(html(found)).count(entry.title) == 1
    assert html(found).count(promise) == 2  # with the loss, and with the check


def test_what_could_not_be_looked_into_is_said_once() -> None:
    class Polls(Tiny):
        def build(self, config: object, seed: int) -> object:  # type: ignore[override]
            agent = super().build(config, seed)  # type: ignore[arg-type]
            agent.poll = polling.poll()  # type: ignore[attr-defined]
            return agent

    found = check_agent(Polls(), level="protocol", examples=2, seed=0)
    assert found.opaque == ("agent.poll (select.poll)",)
    data = json.loads(json.dumps(found.to_dict()))
    assert data["opaque"] == ["agent.poll (select.poll)"]
    assert all("opaque" not in one for one in data["results"])
    output = io.StringIO()
    render(found, Console(file=output, width=100), command="verify check tiny")
    assert output.getvalue().count("Could not look into agent.poll (select.poll): what is lost in") == 1
    many = dataclasses.replace(FAILED, opaque=tuple(f"agent.x[{i}] (lock)" for i in range(9)))
    assert "agent.x[5] (lock) and 3 more: what is lost in there" in text(many, width=300)
    assert "Could not look into" not in text(FAILED)


# -- as text -----------------------------------------------------------------------------------------------


def test_every_verdict_has_a_style() -> None:
    assert set(STYLES) == set(Verdict)


def test_a_loss_is_told_in_order() -> None:
    in_order(
        text(result(Verdict.PASSED), LOSING, width=200),
        "Not safe to train on with a loaded tiny: `critic_target` does not come back; `critic` takes",
        "Lost ",
        "critic_target (9 tensors): `critic` takes another step from the second step on",
        "Hint: agent.critic_target is as it was before the load",
        "count: training changes it",
        "How it was found ",
        "critic_target",
        "Promise: Target networks come back bit for bit. (targets_survive_reload)",
        "When: Target networks saved after 2 steps came back different.",
        "Shown by: With everything else put back the run differs",
        "agent.critic_target.net[5].weight expected",
        "and 3 more leaves",
        "agent = adapter.build([bold]Config(), seed=1)",  # nothing is taken for markup
        "Script: verify replay 3f9a1c20 --script",
        "Again: verify replay 3f9a1c20",
        "or: verify check tiny --check targets_survive_reload --seed 7",
        "None of the checks that ran promises that this survives.",
        "1 difference of which nothing follows",
        "cache: the run makes it anew",
        "Checks ",
        "targets_survive_reload",
        "Could not look into agent.lock (_thread.lock)",
        "tiny at level training: 1 passed, 1 failed",
        "seed 7; torch 2.13.0",
    )


def test_losses_that_one_program_shows_have_it_once() -> None:
    other = dataclasses.replace(TARGETS, name="agent.actor_target", path="agent.actor_target")
    both = dataclasses.replace(LOSING, losses=(TARGETS, other), lost=(TARGETS.path, other.path))
    first, second = losses(report(both))
    assert (first.program, second.program) == (LOSING.program, "")
    assert second.facts[-1] == ("Program", "the one of actor_target.")
    assert text(both).count("[bold]Config()") == 1


def test_only_programs_and_commands_are_wider_than_the_terminal() -> None:
    plain = dataclasses.replace(LOSING, program="", replay="", remembered=True)
    assert max(len(line) for line in text(plain, *EVERY[:2], width=80).splitlines()) <= 80


def test_each_form_tells_the_same_in_the_same_order() -> None:
    found = report(result(Verdict.PASSED, "online_networks_survive_reload"), LOSING)
    title = line(TARGETS)
    for told in (rendered(found, 400), plain(html(found)), markdown(found).replace("\\", "")):
        assert "Could not look into agent.lock" in told
        assert "agent.critic_target is as it was before the load" in told
        assert "count: training changes it" in told
        in_order(
            told,
            opening(found),
            "online networks",
            title,
            "Target networks come back bit for bit.",
            "With everything else put back the run differs",
            "agent.critic_target.net[5].weight",
            "and 3 more leaves",
            "verify replay 3f9a1c20",
            "cache: the run makes it anew",
            "Checks",
            "torch 2.13.0",
        )
        assert "agent.critic_target.net[6]" not in told


def test_a_failure_without_a_loss_is_told_as_itself() -> None:
    told = text(FAILED, width=200)
    in_order(
        told,
        "Not safe to train on with a loaded tiny: target networks saved after 2 steps came back",
        "What went wrong",
        "targets_survive_reload: Target networks saved after 2 steps came back different.",
        "Promise: Target networks come back bit for bit.",
        "agent.critic_target.net[0].weight expected",
        "and 3 more leaves",
    )
    assert "Lost" not in told


def test_a_kept_failure_is_repeated_by_its_id_or_by_its_seed() -> None:
    told = text(dataclasses.replace(FAILED, replay="3f9a1c20"))
    assert "Again: verify replay 3f9a1c20\n" in told
    assert "  or: verify check tiny --check targets_survive_reload --seed 7\n" in told
    assert "Again: verify check tiny --check targets_survive_reload --seed 7\n" in text(FAILED)
    assert "--seed" not in text(dataclasses.replace(FAILED, replay="3f9a1c20", remembered=True))


def test_each_verdict_is_told_as_much_as_it_needs() -> None:
    passed = text(result(Verdict.PASSED))
    assert "Promise" not in passed
    assert "because" not in passed
    for verdict in (Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.STALE, Verdict.XFAILED):
        assert "runs_are_repeatable: Because." in text(result(verdict)), verdict
    assert "Again: " in text(result(Verdict.INCONCLUSIVE))
    assert "Again: " not in text(result(Verdict.ERROR))


def test_blocked_checks_are_one_line_a_cause() -> None:
    names = [f"check_{number}" for number in range(5)]
    some = [result(Verdict.BLOCKED, name, "blocked by [x]") for name in names]
    told = text(*some, result(Verdict.BLOCKED, "another", "blocked by y"), result(Verdict.PASSED), width=200)
    assert "5 checks not run, blocked by [x]: check_0, check_1, check_2 and 2 more\n" in told
    assert "1 check not run, blocked by y: another\n" in told
    assert "check_3" not in told
    page = html(report(*some))
    assert "5 not run, blocked by [x]" in page
    assert "check_0, check_1, check_2, check_3, check_4" in page


def test_a_long_program_is_cut_to_what_a_terminal_holds() -> None:
    long = dataclasses.replace(FAILED, program="\n".join(["x = " + "1, " * 500, *["y"] * 100]))
    told = text(long, width=400)
    assert max(len(line.rstrip()) for line in told.splitlines() if line.strip().startswith("x =")) < 200
    assert sum(line.strip() == "y" for line in told.splitlines()) == 29


def test_a_loss_that_several_checks_saw_is_told_once_with_the_best_evidence() -> None:
    seen = dataclasses.replace(TARGETS, how="recorded", effect="nothing was seen", experiment="")
    inner = dataclasses.replace(TARGETS, path=f"{TARGETS.path}.net", name=f"{TARGETS.path}.net")
    first = dataclasses.replace(LOSING, losses=(seen,), verdict=Verdict.XFAILED)
    again = dataclasses.replace(
        LOSING, check="next_steps_survive_reload", losses=(inner,), lost=(inner.path,)
    )
    found = report(first, again)
    (loss,) = found.lost
    assert (loss.name, loss.how, loss.effect) == (TARGETS.name, "spreads", TARGETS.effect)
    assert found.reported_by(loss) is again  # a failure tells more than one that was expected
    assert len(losses(found)) == 1
    assert findings(found) == []
    assert [pointer(found, one) for one in (first, again)] == [f"loses {TARGETS.name}"] * 2


# -- in files ----------------------------------------------------------------------------------------------

HOSTILE = dataclasses.replace(
    FAILED,
    sentence="it <b>broke</b> | *badly* & `so`\x00",
    differences=("agent['<x>'] expected ```1```, got '&'",),
    paths=("agent['<x>']",),
    replay="3f9a1c20",
)
EVERY = [result(verdict, sentence="because") for verdict in Verdict if verdict is not Verdict.FAILED]


def test_markdown_shows_values_as_they_are() -> None:
    lines = markdown(report(HOSTILE, *EVERY)).splitlines()
    (summary,) = [line for line in lines if line.startswith("<details")]
    assert "targets_survive_reload: It &lt;b&gt;broke&lt;/b&gt; | *badly* &amp; `so`" in summary  # HTML
    assert "\\<b\\>broke\\</b\\> \\| \\*badly\\* & `so`" in lines[0]  # Markdown
    start = lines.index("````")
    assert lines[start + 1] == HOSTILE.differences[0]
    assert lines.index("````", start + 1) > start
    assert "- Again: `verify replay 3f9a1c20`" in lines


@pytest.mark.parametrize(
    ("sentence", "written"),
    [
        ("`a_b` is lost; *c* too", "`a_b` is lost; \\*c\\* too"),
        ("one ` alone [x]", "one \\` alone \\[x\\]"),
        ("``two`` of them", "\\`\\`two\\`\\` of them"),
    ],
)
def test_markdown_keeps_names_in_backticks_as_code(sentence: str, written: str) -> None:
    assert _text(sentence) == written


def test_markdown_opens_the_worst_loss_and_lists_the_others() -> None:
    told = markdown(report(HOSTILE, LOSING, *EVERY))
    lines = told.splitlines()
    assert lines[0].startswith("## Not safe to train on with a loaded tiny: `critic_target` does not")
    start = lines.index("### Lost")
    assert lines[start + 2].startswith("<details open><summary>critic_target (9 tensors): `critic` takes")
    assert told.count("<details") == told.count("</details>") == 1
    assert "- count: training changes it (promised by no check)" in lines
    wrong = lines.index("### What else went wrong")
    assert lines[wrong + 2].startswith("- targets\\_survive\\_reload: It \\<b\\>broke")
    assert lines[wrong + 2].endswith("(failed); `verify replay 3f9a1c20`")
    assert any(line.startswith("- runs\\_are\\_repeatable: Because. (inconclusive)") for line in lines)
    assert lines.index("- failed: `targets_survive_reload`, `targets_survive_reload`") > wrong
    assert "- because: `runs_are_repeatable`" in lines  # of what is blocked the cause
    assert "- not applicable: `runs_are_repeatable`" in lines
    assert not [line for line in lines if line.startswith("- passed")]


def test_markdown_without_a_loss_opens_what_failed() -> None:
    lines = markdown(report(FAILED)).splitlines()
    assert "### Lost" not in lines
    start = lines.index("### What else went wrong")
    assert lines[start + 2].startswith("<details open><summary>targets_survive_reload: Target networks")


@pytest.mark.parametrize("number", [0, 1, 5, 50])
def test_markdown_is_short_whatever_it_tells(number: int) -> None:
    pieces = [dataclasses.replace(TARGETS, name=f"agent.x{i}", path=f"agent.x{i}") for i in range(number)]
    long = dataclasses.replace(
        LOSING,
        losses=tuple(pieces),
        lost=tuple(one.path for one in pieces),
        differences=("x" * 100_000,),
        notes=tuple(Note(f"agent.n{i}", f"agent.n{i}", "z" * 1000) for i in range(number)),
    )
    wrong = [result(verdict, sentence=f"it broke {i}") for i in range(number) for verdict in Verdict]
    found = report(long, *wrong)
    told = markdown(found)
    lines = told.splitlines()
    assert len(lines) < LINES == 60
    assert lines[0].startswith("## ")
    assert lines[-1] == "seed 7; torch 2.13.0"
    assert "Checks of tiny at level training" in told
    assert told.count("- agent.x") + (1 if number else 0) == number or "- and " in told
    assert max(map(len, lines)) < 10_000
    if number > 1:
        assert "### What else went wrong" in lines
        assert len(lines) > 45 or number < 5  # as many are listed as fit


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
    *cases, output = suite
    assert output.tag == "system-out"
    first = opening(report(HOSTILE, *EVERY)), looked(report(HOSTILE, *EVERY))
    assert output.text == "\n".join(first).replace("\x00", "?")
    assert [[one.tag for one in case] for case in cases[1:]] == [
        [],
        ["skipped"],
        ["failure"],
        ["skipped"],
        ["skipped"],
        ["error"],
        ["error"],
    ]


def test_junit_tells_of_losses_and_notes() -> None:
    told = ElementTree.fromstring(junit(report(LOSING)))
    assert line(TARGETS) in (told.findtext("testcase/failure") or "")
    assert "and 3 more leaves" in (told.findtext("testcase/failure") or "")
    assert "agent.cache: the run makes it anew" in (told.findtext("system-out") or "")


def test_html_is_one_page_that_shows_values_as_they_are() -> None:
    page = html(report(HOSTILE, *EVERY))
    for piece in (
        "<title>tiny at level training: 1 passed",
        "It &lt;b&gt;broke",
        "agent[&#39;&lt;x&gt;&#39;]",
        '<span class="title">targets_survive_reload: ',
        "verify replay 3f9a1c20",
        "[bold]Config(), seed=1)",
        "torch 2.13.0",
    ):
        assert piece in page, piece
    assert "<b>" not in page
    assert page.startswith("<!DOCTYPE html>")
    assert re.findall(r'(?:src|href)="?([^" >]*)', page) == ["data:,"]
    assert "Lost" not in html(report(result(Verdict.PASSED)))


def test_what_counts_as_an_example_is_said_beside_the_numbers() -> None:
    found = report(result(Verdict.PASSED))
    for form in (rendered(found, 80), html(found)):
        assert "would not have passed" in " ".join(form.split())

# SPDX-License-Identifier: MIT
"""What got lost between two reports: every change in its list, and never what was not asked before."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from verification.cli.app import app
from verification.errors import UsageError
from verification.losses import Loss, Note
from verification.report.as_json import as_json
from verification.report.model import Report, Result, Verdict
from verification.report.saved import ReportedLoss, read_report
from verification.report.since import Since, changes_since

if TYPE_CHECKING:
    from pathlib import Path

MOMENTS = Loss("agent.adam", "agent.adam", "optimizer state", "spreads", "moments", "it changes agent.net")
INNER = dataclasses.replace(MOMENTS, name="agent.adam.state[0]", path="agent.adam.state[0]")
CHECK, OTHER = "optimizer_state_survives_reload", "runs_are_repeatable"


def result(verdict: Verdict, *losses: Loss, check: str = CHECK, sentence: str = "why", **more: Any) -> Result:
    paths = tuple(loss.path for loss in losses)
    return Result(check, "training", "Promise.", verdict, sentence, losses=losses, lost=paths, **more)


def report(*results: Result, **changed: Any) -> Report:
    found = Report("mine", "training", results, 1, {"torch": "2.13.0"})
    return dataclasses.replace(found, **changed)


PASSED, FAILED, XFAILED, STALE = Verdict.PASSED, Verdict.FAILED, Verdict.XFAILED, Verdict.STALE


@pytest.fixture
def since(tmp_path: Path) -> Any:
    """What has changed, through files."""

    def compare(old: Report, new: Report) -> Since:
        for name, one in (("old", old), ("new", new)):
            (tmp_path / f"{name}.json").write_text(as_json(one))
        return changes_since(read_report(tmp_path / "old.json"), read_report(tmp_path / "new.json"))

    return compare


LOST = f"{MOMENTS} ({CHECK})"


@pytest.mark.parametrize(
    ("old", "new", "kind", "line", "code"),
    [
        ([result(PASSED)], [result(FAILED, MOMENTS)], "lost", LOST, 1),
        ([result(PASSED)], [result(XFAILED, MOMENTS)], "lost", LOST, 1),
        ([result(STALE)], [result(FAILED, MOMENTS)], "lost", LOST, 1),
        ([result(FAILED, MOMENTS)], [result(PASSED)], "mended", "agent.adam comes back", 0),
        ([result(FAILED, MOMENTS)], [result(FAILED, MOMENTS)], "still", "agent.adam", 0),
        ([result(FAILED, MOMENTS)], [result(FAILED, INNER)], "still", "agent.adam.state[0]", 0),
        (
            [result(FAILED, INNER)],
            [result(FAILED, MOMENTS)],
            "lost",
            f"{LOST}; before, only agent.adam.state[0]",
            1,
        ),
        ([], [result(FAILED, MOMENTS)], "new", f"{LOST}, which was not checked before", 0),
        (
            [result(Verdict.BLOCKED)],
            [result(FAILED, MOMENTS)],
            "new",
            f"{LOST}, which was not checked before",
            0,
        ),
        (
            [result(FAILED, MOMENTS)],
            [],
            "unknown",
            "agent.adam was lost, and was not checked again",
            3,
        ),
        (
            [result(FAILED, MOMENTS)],
            [result(Verdict.NOT_APPLICABLE)],
            "unknown",
            "agent.adam was lost, and was not checked again",
            3,
        ),
        ([result(PASSED)], [result(FAILED)], "lost", f"{CHECK} is failed (why)", 1),
        ([result(PASSED)], [result(Verdict.ERROR)], "lost", f"{CHECK} is error (why)", 1),
        ([result(FAILED)], [result(PASSED)], "mended", f"{CHECK} passes", 0),
        ([result(FAILED)], [result(STALE)], "mended", f"{CHECK} passes", 0),
        ([result(FAILED)], [result(FAILED)], "still", f"{CHECK} (failed)", 0),
        ([result(FAILED)], [result(XFAILED)], "still", f"{CHECK} (xfailed)", 0),
        ([], [result(FAILED)], "new", f"{CHECK} is failed (why), which was not known before", 0),
        (
            [result(Verdict.INCONCLUSIVE)],
            [result(FAILED)],
            "new",
            f"{CHECK} is failed (why), which was not known before",
            0,
        ),
        (
            [result(PASSED)],
            [result(Verdict.INCONCLUSIVE)],
            "unknown",
            f"{CHECK} passed, and is inconclusive (why) now",
            3,
        ),
        (
            [result(PASSED)],
            [result(Verdict.NOT_APPLICABLE)],
            "unknown",
            f"{CHECK} passed, and is not applicable (why) now",
            3,
        ),
        ([result(PASSED)], [], "unknown", f"{CHECK} passed, and was not run now", 3),
    ],
)
def test_every_change_is_in_its_list_and_in_no_other(
    since: Any, old: list[Result], new: list[Result], kind: str, line: str, *, code: int
) -> None:
    kept = result(PASSED, check=OTHER)
    found = since(report(kept, *old), report(kept, *new))
    assert dataclasses.asdict(found) == {**dataclasses.asdict(Since()), kind: (line,)}
    assert found.exit_code == code


def test_equal_reports_have_no_changes(since: Any) -> None:
    same = report(result(PASSED), result(Verdict.BLOCKED, check=OTHER))
    assert since(same, same) == Since()


def test_a_loss_that_no_check_promises_is_compared_too(since: Any) -> None:
    untold = dataclasses.replace(result(PASSED), losses=(MOMENTS,))
    assert since(report(result(PASSED)), report(untold)).lost == (str(MOMENTS),)
    assert since(report(untold), report(result(PASSED))).mended == ("agent.adam comes back",)
    assert since(report(), report(untold)).new == (f"{MOMENTS}, which was not checked before",)


def test_new_notes_are_told_and_fail_nothing(since: Any) -> None:
    noted = dataclasses.replace(result(PASSED), notes=(Note("agent.cache", "agent.cache", "made anew"),))
    found = since(report(result(PASSED)), report(noted))
    assert found.new == ("agent.cache: made anew (nothing follows from it)",)
    assert found.exit_code == 0
    assert since(report(noted), report(noted)) == Since()


def test_what_was_lost_and_is_only_a_note_now_does_not_come_back(since: Any) -> None:
    noted = dataclasses.replace(result(PASSED), notes=(Note("agent.adam", "agent.adam", "made anew"),))
    found = since(report(result(FAILED, MOMENTS)), report(noted))
    assert found == Since(still=("agent.adam, but nothing follows from it now",))


def test_in_what_the_runs_were_not_alike(since: Any) -> None:
    other = report(adapter="yours", level="resume", seed=2, environment={"numpy": "2"})
    assert since(report(), other).circumstances == (
        "adapter mine before, yours now",
        "level training before, resume now",
        "seed 1 before, 2 now",
        "torch 2.13.0 before, unknown now",
        "numpy unknown before, 2 now",
    )


# -- files -------------------------------------------------------------------------------------------------


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = report(result(FAILED, MOMENTS, replay="3f9a1c20", program="x"))
    (tmp_path / "x.json").write_text(as_json(written))
    found = read_report(tmp_path / "x.json")
    assert (found.adapter, found.level, found.seed, found.environment) == (
        "mine",
        "training",
        1,
        {"torch": "2.13.0"},
    )
    (loss,) = found.lost
    assert loss == ReportedLoss(**vars(MOMENTS), check=CHECK, replay="3f9a1c20")
    assert found.results[CHECK] == dataclasses.replace(written.results[0], losses=())


def test_fields_that_a_later_version_adds_are_passed_over(tmp_path: Path) -> None:
    data = json.loads(as_json(report(result(FAILED, MOMENTS))))
    for one in (data, data["lost"][0], data["results"][0]):
        one["later"] = 1
    (tmp_path / "x.json").write_text(json.dumps(data))
    assert read_report(tmp_path / "x.json").lost[0].name == "agent.adam"


def without(key: str) -> str:
    data = json.loads(as_json(report(result(FAILED, MOMENTS))))
    del data[key]
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "is no report of verify check --report json: it is not JSON"),
        ("\udcff", "is no report of verify check --report json: it is not JSON"),
        ("[]", "is no report of verify check --report json: it has no 'schema'"),
        ('{"a": 1}', "is no report of verify check --report json: it has no 'schema'"),
        (
            '{"schema": 2}',
            "was written by a newer version: its schema is 2, and this version reads none above 1",
        ),
        (without("lost"), "is no whole report: it has no 'lost'"),
        (without("results"), "is no whole report: it has no 'results'"),
        ('{"schema": 1, "results": [{}]}', "is no whole report"),
        ('{"schema": 1, "results": 3}', "is no whole report of schema 1"),
    ],
)
def test_a_file_that_is_no_report_is_refused_in_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError) as caught:
        read_report(tmp_path / "x.json")
    assert str(caught.value).startswith(f"{tmp_path / 'x.json'} {message}")
    assert "\n" not in str(caught.value)


def test_what_an_interrupted_run_has_not_seen_is_not_mended(since: Any) -> None:
    old = report(result(FAILED, MOMENTS), result(FAILED, check=OTHER))
    found = since(old, report(result(PASSED), result(PASSED, check=OTHER), interrupted=True))
    assert (found.mended, found.exit_code) == ((), 3)
    assert found.unknown == (
        "agent.adam was lost, and the run was interrupted before it showed",
        f"{OTHER} did not pass, and the run was interrupted before it failed",
    )
    assert found.circumstances == ("the later run was interrupted",)


def test_what_an_interrupted_run_has_seen_is_lost(since: Any) -> None:
    found = since(report(result(PASSED), interrupted=True), report(result(FAILED, MOMENTS), interrupted=True))
    assert (found.lost, found.exit_code) == ((LOST,), 1)
    assert found.circumstances == ("the earlier run was interrupted", "the later run was interrupted")


# -- the command -------------------------------------------------------------------------------------------


def compare(folder: Path, old: Report | None, new: Report) -> Any:
    if old is not None:
        (folder / "old.json").write_text(as_json(old))
    (folder / "new.json").write_text(as_json(new))
    arguments = ["compare", str(folder / "old.json"), str(folder / "new.json")]
    return CliRunner().invoke(app, arguments, prog_name="verify", env={"COLUMNS": "80", "NO_COLOR": "1"})


def test_the_command_says_first_whether_something_got_lost(tmp_path: Path) -> None:
    old, new = report(result(PASSED)), report(result(FAILED, MOMENTS), seed=2)
    told = compare(tmp_path, old, new)
    assert told.exit_code == 1
    lines = [line.rstrip() for line in told.output.splitlines()]
    assert lines[0] == "1 thing got lost since the earlier report."
    assert lines[2] == "Lost since:"
    assert lines[3].startswith("  agent.adam: moments; it changes agent.net")
    assert lines.index("The runs were not alike:") > 3
    assert max(map(len, lines)) <= 80
    told = compare(tmp_path, new, old)
    assert (told.exit_code, told.output.splitlines()[0]) == (0, "Nothing got lost since the earlier report.")
    assert "  agent.adam comes back" in told.output
    assert compare(tmp_path, old, report()).exit_code == 3


def test_the_command_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    told = compare(tmp_path, None, report())
    assert told.exit_code == 2
    assert told.stderr == f"verify: {tmp_path / 'old.json'} cannot be read: No such file or directory\n"

# SPDX-License-Identifier: MIT
"""The command ``verify``: exit codes, reports in files, lists, and one sentence for a user's mistake."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import adapters
import pytest
from typer.testing import CliRunner

from verification.adapters.find import BUILT_IN
from verification.checks.registry import all_checks, select
from verification.cli.app import app
from verification.losses import Note
from verification.processes.time_limits import LastWords
from verification.processes.worker import WorkerDied
from verification.report.model import Report, Result, Verdict
from verification.running import parallel as checking

ADAPTERS = Path(adapters.__file__).parent


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")


def verify(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), prog_name="verify")


def pretend(monkeypatch: pytest.MonkeyPatch, *verdicts: Verdict) -> list[dict[str, Any]]:
    """Let every run end with these verdicts; the arguments of the runs are returned."""
    asked: list[dict[str, Any]] = []

    def check_in_parallel(target: str, **options: Any) -> Report:
        asked.append({"target": target, **options})
        results = tuple(
            Result(name, "protocol", "Promise.", verdict, "it broke")
            for name, verdict in zip(all_checks(), verdicts, strict=False)
        )
        return Report("tiny", options["level"], results, 7, {"torch": "2.13.0"})

    monkeypatch.setattr(checking, "check_in_parallel", check_in_parallel)
    return asked


# -- exit codes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([Verdict.PASSED, Verdict.XFAILED, Verdict.NOT_APPLICABLE], 0),
        ([Verdict.PASSED, Verdict.FAILED], 1),
        ([Verdict.PASSED, Verdict.STALE], 1),
        ([Verdict.PASSED, Verdict.ERROR], 1),
        ([Verdict.PASSED, Verdict.INCONCLUSIVE], 3),
        ([Verdict.NOT_APPLICABLE], 5),
    ],
)
def test_the_exit_code_is_the_reports(
    monkeypatch: pytest.MonkeyPatch, verdicts: list[Verdict], code: int
) -> None:
    pretend(monkeypatch, *verdicts)
    result = verify("check", "td3_core")
    assert result.exit_code == code
    assert "tiny at level resume: " in result.output


def test_exit_codes_are_explained() -> None:
    told = " ".join(verify("check", "--help").output.split())
    for piece in ("0 conformant, 1 a promise was broken", "2 usage, 3 inconclusive, 5 nothing ran"):
        assert piece in told


def test_too_few_passes_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Verdict.PASSED, Verdict.NOT_APPLICABLE)
    assert verify("check", "td3_core", "--min-checks", "1").exit_code == 0
    result = verify("check", "td3_core", "--min-checks", "2")
    assert result.exit_code == 1
    assert "--min-checks: 1 checks passed, at least 2 were required" in result.output


def test_too_few_passes_do_not_hide_a_graver_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Verdict.INCONCLUSIVE)
    assert verify("check", "td3_core", "--min-checks", "2").exit_code == 3


# -- reports -----------------------------------------------------------------------------------------------


def test_options_reach_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = pretend(monkeypatch, Verdict.PASSED)
    arguments = (
        "check a:b --level weights --check x --check y --examples 3 --seed 9 -n 2 --expected-failures k.toml "
        "--horizon 24"
    )
    assert verify(*arguments.split()).exit_code == 0
    (options,) = asked
    del options["console"]
    assert options == {
        "target": "a:b",
        "level": "weights",
        "checks": ["x", "y"],
        "examples": 3,
        "seed": 9,
        "workers": "2",
        "expected_failures": Path("k.toml"),
        "horizon": 24,
        "quick": False,
        "partial": True,
        "shard": None,
    }


def test_all_checks_run_unless_some_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = pretend(monkeypatch, Verdict.PASSED)
    verify("check", "td3_core")
    assert (asked[0]["checks"], asked[0]["level"]) == (None, "resume")


@pytest.mark.parametrize(
    ("forms", "text", "files"),
    [
        ("text", True, []),
        ("json", False, ["tiny.json"]),
        ("text,json", True, ["tiny.json"]),
        (
            "html,junit,md,json,sarif",
            False,
            ["tiny.html", "tiny.json", "tiny.md", "tiny.sarif", "tiny.xml"],
        ),
    ],
)
def test_each_form_of_report_is_made_if_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, forms: str, files: list[str], *, text: bool
) -> None:
    pretend(monkeypatch, Verdict.FAILED)
    result = verify("check", "td3_core", "--report", forms, "--output", "out/here")
    assert ("runs_are_repeatable: It broke." in result.output) is text
    folder = tmp_path / "out/here"
    assert sorted(file.name for file in folder.glob("*")) == files
    for file in folder.glob("*"):
        assert "runs_are_repeatable" in file.read_text()
    for file in folder.glob("*.sarif"):
        (told,) = json.loads(file.read_text())["runs"][0]["results"]
        where = told["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert where.endswith("verification/adapters/td3_core.py")
    for file in folder.glob("*.json"):
        data = json.loads(file.read_text())
        assert (data["schema"], data["exit_code"], data["counts"]) == (1, 1, {"failed": 1})
        assert f"report: {Path('out/here', file.name)}" in result.output


def test_what_has_no_consequence_fails_only_if_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    noted = Result(
        "runs_are_repeatable", "protocol", "Promise.", Verdict.PASSED, notes=(Note("a", "a", "b"),)
    )
    found = Report("tiny", "protocol", (noted,), 7, {})
    monkeypatch.setattr(checking, "check_in_parallel", lambda *_, **__: found)
    assert verify("check", "td3_core").exit_code == 0
    assert verify("check", "td3_core", "--strict").exit_code == 1


def test_a_failure_ends_with_the_command_that_shows_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Verdict.FAILED)
    told = verify("check", "my agent:Made").output
    assert "verify check 'my agent:Made' --check runs_are_repeatable --seed 7" in told
    told = verify("check", "a:b", "--level", "training", "--examples", "30", "--seed", "7").output
    assert "verify check a:b --level training --examples 30 --check runs_are_repeatable --seed 7" in told
    told = verify("check", "a:b", "--horizon", "24").output
    assert "verify check a:b --horizon 24 --check runs_are_repeatable --seed 7" in told


class _Dies(Executor):
    """A pool whose workers die at once."""

    def __init__(self, workers: int) -> None:
        assert workers == 2

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(WorkerDied(LastWords()))
        return future


def test_a_check_without_a_result_is_an_error_and_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies reports nothing."""
    monkeypatch.setattr(checking, "WorkerPool", _Dies)
    result = verify("check", "td3_core", "--level", "PROTOCOL", "-n", "2")
    assert result.exit_code == 1
    first = [one.name for one in select("protocol") if not one.needs]
    blocked = len(select("protocol")) - len(first)
    assert f"td3_core at level protocol: {blocked} blocked, {len(first)} error" in result.output
    assert "No result: its process died, or the run was interrupted." in result.output


# -- lists -------------------------------------------------------------------------------------------------


def test_list_names_levels_checks_and_adapters() -> None:
    result = verify("list")
    assert result.exit_code == 0
    assert all(name in result.output for name in (*all_checks(), *BUILT_IN))
    assert "resume: A training run goes on exactly as if it had never been interrupted." in result.output


def test_explain_says_why_and_what_a_check_builds_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "600")  # so that no sentence is wrapped
    plain, explained = verify("list").output, verify("list", "--explain").output
    for one in all_checks().values():
        assert one.promise in plain
        assert one.promise in explained
        assert one.reason in explained
    assert "Builds on" in explained
    assert "Builds on" not in plain


# -- mistakes ----------------------------------------------------------------------------------------------


MISTAKES = {
    "no such adapter": (
        ["td3_cor"],
        "there is no adapter 'td3_cor'; did you mean 'td3_core'? built-in adapters are",
    ),
    "no such level": (["td3_core", "--level", "resum"], "there is no level 'resum'; did you mean 'resume'?"),
    "no such check": (
        ["td3_core", "--check", "target_survive_reload"],
        "there is no check 'target_survive_reload'; did you mean 'targets_survive_reload'? `verify",
    ),
    "no such module": (["no_such_module:A"], "there is no module 'no_such_module', neither installed nor in"),
    "module that does not import": (
        ["broken:A"],
        "the module broken does not import: No module named 'nope'",
    ),
    "no such object": (["adapters:Tyni"], "the module adapters has no 'Tyni'; did you mean 'Tiny'?"),
    "half a name": (["adapters:"], "'adapters:' names no adapter; write module:object"),
    "incomplete adapter": (["adapters:NoSave"], "the adapter 'tiny' has no save(); add: def save("),
    "missing file of expected failures": (
        ["td3_core", "--expected-failures", "nowhere.toml"],
        "cannot read the expected failures in nowhere.toml: No such file",
    ),
    "expected failure of no check": (
        ["td3_core", "--expected-failures", "known.toml"],
        "expected failures name 'target_survive', which is no check; did you mean",
    ),
    "unknown form of report": (
        ["td3_core", "--report", "text,jsn"],
        "there is no report 'jsn'; did you mean 'json'? forms are text, json, html, junit, md",
    ),
    "wrong number of workers": (["td3_core", "-n", "many"], "--workers is 'many'; give a number or auto"),
    "no workers": (["td3_core", "-n", "0"], "--workers is '0'; give a number or auto"),
    "output that is a file": (
        ["td3_core", "--report", "json", "--output", "known.toml"],
        "--output is known.toml, where no folder can be made: File exists",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_that_names_the_fix(mistake: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import nope\n")
    (tmp_path / "known.toml").write_text('[expected_failures]\ntarget_survive = "x"\n')
    arguments, message = MISTAKES[mistake]
    result = verify("check", *arguments)
    assert result.exit_code == 2
    (line,) = result.output.strip().splitlines()
    assert line.startswith(f"verify: {message}")


@pytest.mark.parametrize("name", ["stable_baselines3", "tianshou"])
def test_a_missing_extra_is_named_with_its_command(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, f"verification.adapters.{name}", raising=False)
    monkeypatch.setitem(sys.modules, name, None)
    result = verify("check", name)
    assert result.exit_code == 2
    assert (
        f"needs {name}, which is not installed; run: python -m pip install 'td3-verification["
        in result.output
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["chek"],
        ["check"],
        ["check", "td3_core", "--examples", "0"],
        ["check", "td3_core", "--seed", "-1"],
        ["check", "td3_core", "--horizon", "0"],
        ["list", "x"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_two(arguments: list[str]) -> None:
    result = verify(*arguments)
    assert result.exit_code == 2
    assert "Usage: verify" in result.output


# -- a real run --------------------------------------------------------------------------------------------


def test_a_lost_counter_is_found_by_the_command(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from adapters import Tiny\nmade = Tiny('loses its counter', 'mine')\n")
    paths = [str(ADAPTERS), str(ADAPTERS.parent), os.environ.get("PYTHONPATH", "")]
    arguments = ["check", "mine:made", "--check", "counters_survive_reload", "--examples", "5", "--seed", "3"]
    done = subprocess.run(
        [sys.executable, "-m", "verification", *arguments, "-n", "1", "--report", "text,json"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines.index("passed runs_are_repeatable") < lines.index("failed counters_survive_reload")
    assert any(re.fullmatch(r"    agent\.total_it expected \d, got 0", line) for line in lines)
    assert any("--check counters_survive_reload --seed 3" in line for line in lines)
    (kept,) = (tmp_path / ".verify/failures").glob("*.failure")
    assert f"  Again: verify replay {kept.stem}" in lines
    data = json.loads((tmp_path / "reports/mine.json").read_text())
    assert {key: data[key] for key in ("schema", "adapter", "seed", "exit_code")} == {
        "schema": 1,
        "adapter": "mine",
        "seed": 3,
        "exit_code": 1,
    }
    failed = data["results"][-1]
    assert (failed["check"], failed["verdict"]) == ("counters_survive_reload", "failed")
    assert failed["paths"] == ["agent.total_it"]
    assert [one["verdict"] for one in data["results"][:-1]] == ["passed"] * (len(data["results"]) - 1)

# SPDX-License-Identifier: MIT
"""The command ``verify explain``: every name that a report has, and a suggestion for one that is none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from verification.checks.registry import all_checks
from verification.cli.app import app
from verification.levels import Level
from verification.losses import Loss
from verification.mutants.classes import CLASSES, NOT_PLANTED
from verification.mutants.model import mutants
from verification.report.as_json import as_json
from verification.report.meanings import meanings
from verification.report.model import Report, Result, Verdict

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


def explain(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["explain", *arguments], prog_name="verify")


def told(*arguments: str) -> str:
    """The output on one line."""
    result = explain(*arguments)
    assert result.exit_code == 0, result.stderr
    return " ".join(result.output.split())


@pytest.mark.parametrize("name", all_checks())
def test_a_check_is_told_with_promise_reason_and_what_it_builds_on(name: str) -> None:
    check, found = all_checks()[name], told(name)
    assert found.startswith(
        f"{name} (a check of level {check.level}) Promise: {check.promise} Why: {check.reason}"
    )
    for one in (*check.needs, *check.after):
        assert one in found
    assert f"verify check ADAPTER --check {name}" in found


@pytest.mark.parametrize("name", all_checks())
def test_a_check_is_told_with_every_public_bug_that_it_finds(name: str) -> None:
    found = explain(name, "--all").output
    about = [one for one in mutants().values() if name in one.killed_by]
    assert about
    for mutant in about:
        repository, _, number = mutant.thread.partition("#")
        assert not number or f"    https://github.com/{repository}/issues/{number}\n" in found
        assert not number or f"  {mutant.bug_class}: " in found
    links = [line for line in found.splitlines() if "https://" in line]
    assert len(links) == len({(one.bug_class, one.thread) for one in about if one.thread})


def test_of_many_threads_three_of_each_class_are_shown() -> None:
    some = explain("every_leaf_survives_reload").output
    assert "    and " in some
    assert " more, with --all" in some
    assert some.count("https://") < explain("every_leaf_survives_reload", "--all").output.count("https://")
    shown = 0
    for line in some.splitlines():
        shown = shown + 1 if "https://" in line else 0
        assert shown <= 3


@pytest.mark.parametrize("name", meanings())
def test_a_word_is_told_with_its_meaning_and_what_to_do(name: str) -> None:
    word = meanings()[name]
    assert (
        told(name) == f"{word.word} ({word.kind}) {' '.join(word.meaning.split())} What to do: {word.remedy}"
    )
    assert told(word.word.upper()) == told(name)


def test_a_level_is_told_with_its_promise_and_its_checks() -> None:
    found = told("weights")
    assert Level.WEIGHTS.promise in found
    assert "online_networks_survive_reload" in found
    assert "targets_survive_reload" not in found


def test_a_class_of_bugs_is_told_with_its_threads_and_checks() -> None:
    found = told("tgt")
    assert found.startswith(f"TGT (a class of public bugs) {CLASSES['TGT']}.")
    assert "targets_survive_reload" in found
    assert "https://github.com/sfujim/TD3/issues/20" in found
    assert f"Not planted: {NOT_PLANTED['DEV']}." in told("DEV")


def test_a_planted_bug_is_told_with_what_finds_it() -> None:
    found = told("critic_lost")
    assert "Found by: online_networks_survive_reload" in found
    assert "Like: https://github.com/FluxVLA/FluxVLA/issues/72" in found


# -- losses ------------------------------------------------------------------------------------------------

MOMENTS = Loss(
    "agent.adam", "run.agent.adam", "optimizer state", "spreads", "moments", "it changes agent.net", "seen"
)


def written(file: Path, loss: Loss) -> None:
    check = "optimizer_state_survives_reload"
    result = Result(
        check, "training", "P.", Verdict.FAILED, losses=(loss,), lost=(loss.path,), replay="3f9a1c20"
    )
    file.parent.mkdir(exist_ok=True)
    file.write_text(as_json(Report("mine", "training", (result,), 1, {})))


def test_a_loss_is_looked_for_in_reports(tmp_path: Path) -> None:
    written(tmp_path / "reports/mine.json", MOMENTS)
    (tmp_path / "reports/other.json").write_text("no report")
    for name in ("agent.adam", "run.agent.adam"):
        found = told(name)
        assert found.startswith(
            "agent.adam (a loss) What is lost: moments What follows: it changes agent.net"
        )
        assert "Kind of state: optimizer state. What optimizers keep for each parameter" in found
        assert "How it shows: spreads." in found
        assert "verify explain optimizer_state_survives_reload" in found
        assert "Again: verify replay 3f9a1c20" in found


def test_the_newest_report_tells_unless_one_is_named(tmp_path: Path) -> None:
    written(tmp_path / "reports/a.json", MOMENTS)
    written(tmp_path / "reports/b.json", Loss("agent.adam", "agent.adam", "counters", "recorded"))
    os.utime(tmp_path / "reports/b.json", (1, 1))
    assert "optimizer state" in told("agent.adam")
    os.utime(tmp_path / "reports/a.json", (0, 0))
    assert "Kind of state: counters" in told("agent.adam")
    assert "optimizer state" in told("agent.adam", "--reports", "reports/a.json")


def test_a_report_that_is_named_and_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("no report")
    result = explain("agent.adam", "--reports", "x.json")
    assert result.exit_code == 2
    assert result.stderr.startswith("verify: x.json is no report of verify check")


# -- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("targets_survive_reloads", "targets_survive_reload"),
        ("inconclusiv", "inconclusive"),
        ("resum", "resume"),
        ("critic_los", "critic_lost"),
    ],
)
def test_an_unknown_name_gets_a_suggestion(name: str, nearest: str) -> None:
    result = explain(name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"verify: nothing is named {name!r}" in result.stderr
    assert f"did you mean {nearest!r}?" in result.stderr
    assert result.stderr.count("\n") == 1


def test_without_a_name_all_names_are_listed() -> None:
    found = told()
    for name in (*all_checks(), *map(str, Level), *CLASSES, *(one.word for one in meanings().values())):
        assert name in found
    assert max(map(len, explain().output.splitlines())) <= 80

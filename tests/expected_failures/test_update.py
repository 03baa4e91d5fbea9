# SPDX-License-Identifier: MIT
"""A file of expected failures follows what fails and what passes, and keeps what people wrote in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from verification import Report, Result, Verdict, check_agent
from verification.adapters.find import load_adapter
from verification.cli.app import app
from verification.expected_failures.entries import Expectation, load_expected
from verification.expected_failures.update import update
from verification.report.verdicts import mark_expected
from verification.running import parallel as checking

TARGETS, COUNTERS, MODES = "targets_survive_reload", "counters_survive_reload", "modes_survive_reload"
SCHEDULES = "schedules_survive_reload"
WRITTEN = f"""\
# Ours.

[expected_failures]
{TARGETS} = "made anew on load"  # see the handbook

[expected_failures.{COUNTERS}]  # soon
kind = "planned"
reason = "next version"
issue = "https://example.org/7"
"""


def report(file: Path | None, **verdicts: Verdict) -> Report:
    """What a check with the entries of a file finds."""
    results = [
        Result(name, "training", "Promise.", verdict, f"{name} broke", paths=("agent.x", "agent.y"))
        for name, verdict in verdicts.items()
    ]
    expected = load_expected(file) if file and file.exists() else {}
    return Report("tiny", "training", tuple(mark_expected(results, expected)), 7, {})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "conformance.toml"


def test_a_new_file_has_every_failure_with_a_reason(file: Path) -> None:
    changes = update(file, report(None, **{TARGETS: Verdict.FAILED, MODES: Verdict.PASSED}))
    reason = f"{TARGETS} broke (agent.x)"
    assert changes.added == {TARGETS: reason}
    assert load_expected(file) == {TARGETS: Expectation(reason)}
    assert file.read_text().startswith("# Failures that are known and accepted")
    assert report(file, **{TARGETS: Verdict.FAILED, MODES: Verdict.PASSED}).ok
    again = update(file, report(file, **{TARGETS: Verdict.FAILED}))
    assert (again.added, again.kept) == ({}, {TARGETS: reason})


def test_a_new_file_says_what_it_is_for_above_its_entries(file: Path) -> None:
    update(file, report(None, **{MODES: Verdict.FAILED}))
    title, entries = file.read_text().split("\n\n", maxsplit=1)
    assert all(line.startswith("# ") for line in title.splitlines())
    assert entries.splitlines()[0] == "[expected_failures]"


def test_what_people_wrote_stays(file: Path) -> None:
    file.write_text(WRITTEN)
    found = {TARGETS: Verdict.FAILED, COUNTERS: Verdict.FAILED, MODES: Verdict.FAILED}
    changes = update(file, report(file, **found))
    assert list(changes.kept) == [TARGETS, COUNTERS]
    assert list(changes.added) == [MODES]
    assert file.read_text().startswith(WRITTEN)
    assert set(load_expected(file)) == set(found)


def test_what_passes_is_removed_with_nothing_else(file: Path) -> None:
    file.write_text(WRITTEN)
    changes = update(file, report(file, **{TARGETS: Verdict.FAILED, COUNTERS: Verdict.PASSED}))
    assert list(changes.removed) == [COUNTERS]
    assert "see the handbook" in file.read_text()
    assert list(load_expected(file)) == [TARGETS]
    update(file, report(file, **{TARGETS: Verdict.PASSED}))
    assert load_expected(file) == {}


def test_what_was_not_judged_stays(file: Path) -> None:
    file.write_text(WRITTEN)
    changes = update(file, report(file, **{COUNTERS: Verdict.BLOCKED, MODES: Verdict.NOT_APPLICABLE}))
    assert list(changes.kept) == [TARGETS, COUNTERS]
    assert file.read_text() == WRITTEN


def test_limits_that_are_over_are_taken_out_where_the_check_still_fails(file: Path) -> None:
    file.write_text(
        f"""\
[expected_failures]
{TARGETS} = {{reason = "a", expires = 2025-01-31}}
{COUNTERS} = {{reason = "b", torch = "<2"}}
{MODES} = {{reason = "c", expires = 2025-01-31}}
{SCHEDULES} = {{reason = "d", torch = "<2"}}
"""
    )
    found = {
        TARGETS: Verdict.FAILED,
        COUNTERS: Verdict.FAILED,
        MODES: Verdict.PASSED,
        SCHEDULES: Verdict.PASSED,
    }
    changes = update(file, report(file, **found))
    assert changes.changed[TARGETS].startswith("expires was taken out, because it was excused until 2025")
    assert changes.changed[COUNTERS].startswith("torch was taken out, because it is excused on torch <2 only")
    assert list(changes.removed) == [MODES]
    assert list(changes.kept) == [SCHEDULES]
    after = load_expected(file)
    assert after == {
        TARGETS: Expectation("a"),
        COUNTERS: Expectation("b"),
        SCHEDULES: Expectation("d", torch="<2"),
    }
    assert report(file, **found).ok


def test_errors_and_inconclusive_checks_are_not_excused(file: Path) -> None:
    changes = update(file, report(None, **{TARGETS: Verdict.ERROR, MODES: Verdict.INCONCLUSIVE}))
    assert changes.left == {
        TARGETS: f"error: {TARGETS} broke",
        MODES: f"inconclusive: {MODES} broke",
    }
    assert load_expected(file) == {}


# -- the command -------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an adapter; checks run in this process."""

    def check_here(
        target: str,
        *,
        workers: str,
        console: Any,
        partial: bool = False,
        shard: Any = None,
        **options: Any,
    ) -> Report:
        return check_agent(load_adapter(target), **options)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(checking, "check_in_parallel", check_here)
    return tmp_path


def verify(defect: str, *arguments: str) -> Any:
    sys.modules.pop("mine", None)
    Path("mine.py").write_text(f"from adapters import Tiny\nmade = Tiny({defect!r})\n")
    options = ["mine:made", f"--check={COUNTERS}", "--examples=6", "--seed=1"]
    return CliRunner().invoke(app, [*arguments, *options], prog_name="verify")


def test_the_next_check_with_the_file_is_conformant(folder: Path) -> None:
    expecting = ("check", "--expected-failures=conformance.toml")
    assert verify("loses its counter", "check").exit_code == 1
    added = verify("loses its counter", "baseline", "update")
    assert added.exit_code == 0
    assert f"added {COUNTERS}: counters saved after" in added.output
    assert "came back different: agent.total_it" in added.output
    assert verify("loses its counter", *expecting).exit_code == 0
    assert verify("", *expecting).exit_code == 1  # stale
    removed = verify("", "baseline", "update")
    assert f"removed {COUNTERS}: it passes" in removed.output
    assert verify("", *expecting).exit_code == 0


def test_what_no_entry_excuses_fails_the_command(folder: Path) -> None:
    result = verify("is nondeterministic", "baseline", "update", "--file=other.toml")
    assert result.exit_code == 1
    assert "not excused runs_are_repeatable: inconclusive: two runs without any save differ" in result.output
    assert Path("other.toml").exists()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("nowhere/conformance.toml", "--file is nowhere/conformance.toml, but there is no folder nowhere"),
        ("mine.py", "mine.py is not valid TOML"),
    ],
)
def test_a_wrong_file_is_one_sentence(file: str, message: str, folder: Path) -> None:
    result = verify("", "baseline", "update", f"--file={file}")
    assert result.exit_code == 2
    assert result.output.startswith(f"verify: {message}")

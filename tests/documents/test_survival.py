# SPDX-License-Identifier: MIT
"""The table of what survives: nobody has edited it, and no loss is in it that a script does not show."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/evidence"))

from survival import DATA, SCRIPTS, SUBJECTS, Script  # noqa: E402
from survival_pages import cell, pages  # noqa: E402

from verification.adapters.find import BUILT_IN  # noqa: E402

KNOWN = json.loads(DATA.read_text(encoding="utf-8"))
pytestmark = pytest.mark.skipif(
    not (ROOT / "docs").exists(), reason="the documents are in the repository, not in the distribution"
)


def test_pages_are_as_the_program_writes_them() -> None:
    written = pages(KNOWN, ROOT)
    reports = {*(ROOT / "docs/reports").glob("*.md")}
    assert reports | {ROOT / "docs/survival.md"} == {*written}
    for path, text in written.items():
        assert path.read_text(encoding="utf-8") == text, f"{path} was edited by hand"


def test_whatever_is_called_lost_is_shown_by_a_script() -> None:
    for name, one in KNOWN.items():
        shown = {script["script"] for script in one["scripts"] if script["lost"]}
        for loss in one["losses"]:
            assert {*loss["shown_by"]} <= shown, name
            assert all(Script.read(ROOT / by).names(loss["path"]) for by in loss["shown_by"]), name


def test_a_loss_that_no_script_shows_blames_nobody() -> None:
    passed = {"verdict": "passed", "lost": [], "counted": 5}
    failed = {"verdict": "failed", "lost": ["agent.a"], "counted": 0}
    shown = {"name": "agent.a", "part": "counters", "shown_by": ["script.py"]}
    not_shown = {"name": "agent.b", "part": "counters", "shown_by": []}
    assert cell("counters", passed, []) == "kept (5)"
    assert cell("counters", failed, [shown]) == "**lost**"
    assert cell("counters", passed, [shown]) == "**lost**"  # told by another check
    assert cell("schedules", passed, [shown]) == "kept (5)"
    assert cell("counters", failed, [shown, not_shown]) == "open"
    assert cell("counters", {**failed, "verdict": "blocked"}, []) == "?"


def test_scripts_know_nothing_of_the_suite_and_say_what_they_find() -> None:
    for file in SCRIPTS.rglob("*.py"):
        source = file.read_text(encoding="utf-8")
        assert Script.read(file).title
        assert not re.search(r"^(from|import) verification", source, re.MULTILINE), file
        assert re.search(r'^print\("(LOST|KEPT)" if .* else "(LOST|KEPT)"\)$', source, re.MULTILINE), file


def test_a_script_names_what_it_shows_and_no_other_piece() -> None:
    script = Script(Path(), "", "", ("agent.scheduler",), "")
    assert script.names("agent.scheduler")
    assert script.names("agent.scheduler.last_epoch")
    assert not script.names("agent.scheduler_of_others")


def test_every_library_with_an_adapter_is_asked() -> None:
    assert {subject.adapter for subject in SUBJECTS} == {*BUILT_IN} - {"td3_core"}
    assert {(subject.adapter, subject.extra or None) for subject in SUBJECTS} == {
        (name, extra) for name, (_, extra) in BUILT_IN.items() if name != "td3_core"
    }

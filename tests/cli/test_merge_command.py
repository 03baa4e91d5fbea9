# SPDX-License-Identifier: MIT
"""``verify check --shard`` and ``verify merge``: the shards of a run come to what the whole run comes to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_cli import verify

from verification.report.saved import SavedReport, read_report

RUN = ("--seed", "1", "--examples", "2", "--workers", "1")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")


def checked(adapter: str, folder: str, *options: str) -> tuple[int, Path]:
    """The exit code and the JSON report of a run."""
    asked = f"check adapters:{adapter} --check counters_survive_reload --report json --output {folder}"
    done = verify(*asked.split(), *RUN, *options)
    (file,) = Path(folder).glob("*.json")
    return done.exit_code, file


def outcome(report: SavedReport) -> Any:
    counts = [(one.check, one.verdict, one.drawn) for one in report.results.values()]
    return counts if not report.lost else [(name, verdict) for name, verdict, _ in counts]


@pytest.mark.parametrize(("adapter", "code"), [("Tiny", 0), ("LosesItsCounter", 1)])
def test_shards_come_to_what_one_run_comes_to(adapter: str, code: int) -> None:
    whole_code, whole = checked(adapter, "whole")
    shards = [checked(adapter, f"shard{number}", "--shard", f"{number}/2") for number in (1, 2)]
    done = verify("merge", *(str(file) for _, file in shards), "--report", "text,json,html,md,junit")
    assert isinstance(done.exception, SystemExit | None), done.exception
    assert done.exit_code == whole_code == code, done.output
    assert max(one for one, _ in shards) == code
    (file,) = Path("reports").glob("*.json")
    one, all_at_once = read_report(file), read_report(whole)
    assert outcome(one) == outcome(all_at_once)
    assert [loss.path for loss in one.lost] == [loss.path for loss in all_at_once.lost]
    written = {path.suffix for path in Path("reports").iterdir() if path.is_file()}
    assert written == {".json", ".html", ".md", ".xml"}
    assert "This is shard" not in done.output
    assert json.loads(file.read_text())["command"] == json.loads(whole.read_text())["command"]


def test_a_shard_says_that_it_is_one() -> None:
    asked = "check adapters:Tiny --check runs_are_repeatable --shard 2/2 --report text,json"
    done = verify(*asked.split(), *RUN)
    assert done.exit_code == 0, done.output
    assert "This is shard 2/2: it ran its share of the examples, and verify merge gives" in done.output
    (file,) = Path("reports").glob("*.json")
    assert read_report(file).shard == "2/2"
    assert [one.drawn for one in read_report(file).results.values()] == [1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--shard", "3", "--seed", "1", "--report", "json"], "verify: --shard is 3; give its number"),
        (["--shard", "1/2", "--seed", "1"], "verify: --shard needs --report json, which verify merge reads"),
        (
            ["--shard", "1/2", "--report", "json"],
            "verify: --shard needs --seed, the same number for every shard",
        ),
        (
            ["--shard", "1/9", "--seed", "1", "--examples", "5", "--report", "json"],
            "verify: --shard is 1/9, but there are 5 examples; give --examples 9",
        ),
    ],
)
def test_a_shard_that_cannot_be_asked_is_refused(options: list[str], sentence: str) -> None:
    done = verify("check", "adapters:Tiny", *options)
    assert done.exit_code == 2
    assert done.output.startswith(sentence)


def test_files_that_are_no_shards_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "no.json"
    file.write_text("{}")
    done = verify("merge", str(file))
    assert done.exit_code == 2
    assert "is no report of verify check --report json: it has no 'schema'" in done.output
    done = verify("merge", str(file), "--report", "sarif")
    assert (
        done.output == "verify: --report sarif names lines of the adapter, which verify merge does not load\n"
    )

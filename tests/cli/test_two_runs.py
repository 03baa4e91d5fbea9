# SPDX-License-Identifier: MIT
"""Two runs in one folder, for one adapter and at once, do not disturb each other."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from commands import started

from verification.counterexamples.store import FOLDER, read

if TYPE_CHECKING:
    from pathlib import Path

ARGUMENTS = ("--check", "counters_survive_reload", "--examples", "3", "--seed", "1", "--workers", "1")


def start(folder: Path, defect: str) -> subprocess.Popen[str]:
    """A run that writes a report, proofs and kept failures into a folder."""
    (folder / "mine.py").write_text(f"from adapters import Tiny\nmade = Tiny({defect!r})\n")
    arguments = ("check", "mine:made", *ARGUMENTS, "--report", "json,text")
    return started(folder, *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def verdicts(folder: Path) -> Any:
    """What the report in a folder says of each check."""
    (file,) = folder.rglob("tiny.json")
    return {one["check"]: one["verdict"] for one in json.loads(file.read_text())["results"]}


def test_they_say_and_write_what_one_alone_does(tmp_path: Path) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    alone.mkdir()
    together.mkdir()
    first = start(alone, "loses its counter")
    first.communicate()
    both = [start(together, "loses its counter") for _ in range(2)]
    outputs = [one.communicate()[0] for one in both]
    assert [first.returncode, *(one.returncode for one in both)] == [1, 1, 1]
    assert all("counters_survive_reload" in output and "dropped" not in output for output in outputs)
    assert verdicts(together) == verdicts(alone)
    files = [
        {str(path.relative_to(folder)) for path in folder.rglob("*") if "__pycache__" not in str(path)}
        for folder in (alone, together)
    ]
    assert files[0] == files[1]
    stored, sentences = read(together / FOLDER)
    assert (len(stored), sentences) == (1, [])

# SPDX-License-Identifier: MIT
"""Temporary folders are gone with their process, and those of one that was killed with the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from verification.processes.temporary_folders import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAKES_TWO = """
import sys, time
from verification.processes.temporary_folders import temporary_folder
kept = [temporary_folder(), temporary_folder()]
print("made", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are, of this process and of those that it starts."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def other(parent: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has made two folders."""
    environment = {**os.environ, "TMPDIR": str(parent), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _MAKES_TWO]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "made\n"
        yield process


def folders(parent: Path) -> set[str]:
    """The names of what is there."""
    return {path.name for path in parent.iterdir()}


def test_a_process_that_ends_leaves_nothing(parent: Path, other: subprocess.Popen[str]) -> None:
    assert len(folders(parent)) == 1
    other.communicate("")
    assert folders(parent) == set()


def test_what_a_killed_process_has_left_goes_with_the_next(
    parent: Path, other: subprocess.Popen[str]
) -> None:
    (left,) = folders(parent)
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert folders(parent) == {left}
    with temporary_folder() as folder:
        assert left not in folders(parent)
        assert Path(folder).is_dir()


def test_what_is_in_use_or_not_ours_stays(parent: Path, other: subprocess.Popen[str]) -> None:
    (held,) = folders(parent)
    (parent / "verify-notes").mkdir()
    with temporary_folder():
        assert {held, "verify-notes"} < folders(parent)
    assert other.poll() is None


def test_a_copy_of_a_process_removes_nothing(parent: Path) -> None:
    with temporary_folder() as folder:
        child = os.fork()
        if child == 0:
            with temporary_folder() as own:
                os._exit(0 if Path(own).is_dir() and not own.startswith(str(Path(folder).parent)) else 1)
        _, status = os.waitpid(child, 0)
        assert status == 0
        assert Path(folder).is_dir()
        with temporary_folder():
            assert Path(folder).is_dir()

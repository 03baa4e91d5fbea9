# SPDX-License-Identifier: MIT
"""A temporary file that a killed process left is removed by the next save, and nothing else ever is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from td3_core.checkpoint import replacing as module
from td3_core.checkpoint.replacing import replacing

fcntl = pytest.importorskip("fcntl")

DIGITS = "0123456789abcdef" * 2
ABANDONED = f".agent.pth.{DIGITS}.td3_core.tmp"

# What another process does: begin to write a file, and say so.
_WRITE = """
import sys, time
from pathlib import Path
from td3_core.checkpoint.replacing import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"new")
    file.flush()
    print("writing", flush=True)
    sys.stdin.read()
"""


def replace(path: Path, data: bytes = b"new") -> None:
    with replacing(path) as file:
        file.write(data)


def names(folder: Path) -> list[str]:
    return sorted(place.name for place in folder.iterdir())


def writing(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITE, str(path)],
        env={**os.environ, "PYTHONPATH": str(Path(module.__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    with writing(tmp_path / "agent.pth") as process:
        process.send_signal(signal.SIGKILL)
    (left,) = names(tmp_path)
    assert module._TEMPORARY.fullmatch(left)
    replace(tmp_path / "other.pth")
    assert names(tmp_path) == ["other.pth"]


def test_what_a_living_process_writes_is_not(tmp_path: Path) -> None:
    with writing(tmp_path / "agent.pth") as process:
        replace(tmp_path / "agent.pth", b"sooner")
        process.communicate("")
    assert process.returncode == 0
    assert names(tmp_path) == ["agent.pth"]
    assert (tmp_path / "agent.pth").read_bytes() == b"new"


def test_what_another_thread_writes_is_not(tmp_path: Path) -> None:
    with replacing(tmp_path / "agent.pth") as file:
        file.write(b"later")
        thread = threading.Thread(target=replace, args=(tmp_path / "agent.pth",))
        thread.start()
        thread.join()
        assert (tmp_path / "agent.pth").read_bytes() == b"new"
    assert (tmp_path / "agent.pth").read_bytes() == b"later"
    assert names(tmp_path) == ["agent.pth"]


@pytest.mark.parametrize(
    "name",
    [
        f".{DIGITS}.tmp",
        f".agent.pth.{DIGITS}.tmp",
        f"agent.pth.{DIGITS}.td3_core.tmp",
        f".agent.pth.{DIGITS[1:]}.td3_core.tmp",
        f".agent.pth.{DIGITS}.td3_core.tmp.pth",
        ".agent.pth.tmp",
    ],
)
def test_nobody_elses_file_is_removed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"somebody's")
    replace(tmp_path / "agent.pth")
    assert names(tmp_path) == sorted([name, "agent.pth"])


def test_links_folders_and_pipes_of_that_name_stay(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"somebody's")
    link, folder, pipe = (tmp_path / ABANDONED.replace("0", digit) for digit in "abc")
    link.symlink_to(tmp_path / "precious")
    folder.mkdir()
    os.mkfifo(pipe)
    replace(tmp_path / "agent.pth")
    assert link.is_symlink()
    assert folder.is_dir()
    assert pipe.is_fifo()


def test_a_file_taken_for_abandoned_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, others = fcntl.flock, []

    def beaten(file: Any, operation: int) -> None:
        if operation == fcntl.LOCK_EX and not others:
            others.append("another process's save")
            module._remove_abandoned(tmp_path)
            assert names(tmp_path) == []
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", beaten)
    replace(tmp_path / "agent.pth")
    assert others
    assert names(tmp_path) == ["agent.pth"]


def test_where_there_are_no_locks_files_are_written_and_nothing_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    (tmp_path / ABANDONED).write_bytes(b"of somebody, perhaps")
    monkeypatch.setattr(fcntl, "flock", unsupported)
    replace(tmp_path / "agent.pth")
    assert names(tmp_path) == [ABANDONED, "agent.pth"]


def test_a_forked_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    lives, tell = os.pipe()
    gate, opener = os.pipe()
    with pytest.raises(ValueError, match="closed file"), replacing(tmp_path / "agent.pth") as file:  # noqa: PT012
        child = os.fork()
        if child == 0:
            os.close(opener)
            os.write(tell, b".")
            os.read(gate, 1)  # lives until the parent closes the other end
            os._exit(0)
        os.read(lives, 1)
        file.close()  # as when the parent is killed
        with open(file.name, "rb") as other:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(opener)
    os.waitpid(child, 0)
    for end in (lives, tell, gate):
        os.close(end)


@pytest.mark.parametrize("name", ["a" * 255, "ä" * 127])
def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path, name: str) -> None:
    replace(tmp_path / name)
    assert names(tmp_path) == [name]

# SPDX-License-Identifier: MIT
"""An interrupted command ends at once, tells what is known, writes what was asked for, and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import started

from verification.processes.descendants import kill_with_descendants

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")

#: An agent that hangs in the first load behind the rehearsal, beside a process of its own.
SLOW = """
import subprocess, time
from pathlib import Path
from adapters import Tiny

class Slow(Tiny):
    time_limit = 600

    def __init__(self):
        super().__init__(name="slow")

    def load(self, agent, path):
        if not Path("rehearsed").exists():
            Path("rehearsed").touch()
        elif not Path("hanging").exists():
            Path("hanging").touch()
            Path("child").write_text(str(subprocess.Popen(["sleep", "600"]).pid))
            time.sleep(600)
        return super().load(agent, path)
"""
# Seconds: the aim is two; a machine that does much else needs more.
_AT_ONCE = 10.0


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the test looks for processes in /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_what_is_known_is_told(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(SLOW)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    arguments = ("check", "mine:Slow", "--level", "weights", "-n", "1", "--examples", "2")
    running = started(
        tmp_path,
        *(*arguments, "--report", "text,json,html"),
        environment={"TMPDIR": str(temporary), "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    waited = time.monotonic() + 120
    while not (tmp_path / "child").exists() and time.monotonic() < waited:
        time.sleep(0.1)
    child = int((tmp_path / "child").read_text())
    began = time.monotonic()
    running.send_signal(number)
    output, _ = running.communicate(timeout=60)
    assert time.monotonic() - began < _AT_ONCE
    assert running.returncode == code, output
    told = json.loads((tmp_path / "reports" / "slow.json").read_text())
    names = [one["check"] for one in told["results"]]
    assert "saving_writes_a_checkpoint" in names
    assert {one["drawn"] for one in told["results"]} == {1}  # of two: the first program was not done
    assert "actions_survive_reload" not in names
    assert told["interrupted"]
    assert told["sentence"].startswith("The run was interrupted after ")
    assert "interrupted: this is what was found until then" in output
    assert "slow keeps what it was checked for" in " ".join(output.split())
    assert "Traceback" not in output
    assert (tmp_path / "reports" / "slow.html").exists()
    assert not alive(child)
    assert list(temporary.iterdir()) == []


def test_descendants_are_ended_with_their_process(tmp_path: Path) -> None:
    """Also those of another session, and those whose program has a name that looks like something else."""
    sleeping = tmp_path / "a) S 1 (b"
    sleeping.symlink_to("/bin/sleep")
    inner = f"import subprocess; print(subprocess.Popen([{str(sleeping)!r}, '600']).pid, flush=True); input()"
    outer = (
        "import subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', {inner!r}], start_new_session=True)\ninput()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", outer], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    grandchild = int(process.stdout.readline())
    assert alive(grandchild)
    kill_with_descendants(process.pid)
    assert process.wait(10) == -signal.SIGKILL
    waited = time.monotonic() + 10
    while alive(grandchild) and time.monotonic() < waited:
        time.sleep(0.05)
    assert not alive(grandchild)
    process.communicate()

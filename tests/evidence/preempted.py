# SPDX-License-Identifier: MIT
"""Starts one command again and again, kills it at random moments, and compares it with one left alone.

A process for itself, which imports torch once and forks the runs: ``python preempted.py KILLS``.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import torch

from td3_core import replay
from td3_core.training.command import main
from td3_core.training.kept import checkpoints_in
from td3_core.training.stop_signals import StopSignals

STEPS = 400
COMMAND = [
    "Pendulum-v1", "--steps", str(STEPS), "--resume", "auto", "--save-every", "30", "--keep", "2",
    "--preset", "tiny", "--learning-starts", "20", "--batch-size", "4", "--buffer-size", "130",
]  # fmt: skip


def start(folder: Path) -> int:
    """The process of a run, in which ``folder`` holds everything."""
    # A new process takes over signals with its first lines of Python; a forked one, before any can come.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    child = os.fork()
    if child:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        return child
    with folder.with_suffix(".log").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    status = 128 + signal.SIGTERM  # should it come while the command has ended already
    try:
        with StopSignals() as signals:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            main([*COMMAND, "--checkpoint-dir", str(folder)], signals=signals)
    except SystemExit as ended:
        status = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        sys.stdout.flush()
        os._exit(status)


def end_of(child: int) -> int:
    """The exit code of a run, negative for a signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def state_of(folder: Path) -> dict[str, bytes]:
    """What a finished run leaves: the last checkpoint, its segments, the episodes, and the latest pointer."""
    last = checkpoints_in(folder)[0]
    named = set(torch.load(last, weights_only=True)["run"]["replay_buffer"]["segments"]["names"])
    files = [last, folder / "metrics.csv", folder / "latest.pth", *(folder / name for name in named)]
    assert len(named) > 3
    return {str(file.relative_to(folder)): file.read_bytes() for file in files} | {"step": last.name.encode()}


def rubbish_in(folder: Path) -> set[str]:
    """What should not be in the folder of a finished run."""
    kept = checkpoints_in(folder)
    named = {
        name
        for path in kept
        for name in torch.load(path, weights_only=True)["run"]["replay_buffer"]["segments"]["names"]
    }
    wanted = {"metrics.csv", "latest.pth", "replay", *named, *(path.name for path in kept)}
    found = {str(file.relative_to(folder)) for file in folder.rglob("*")}
    return found - wanted if len(kept) <= 2 else {path.name for path in kept}


def preempt(folder: Path, kills: int, draw: random.Random) -> Counter[str]:
    """Kill runs until there were ``kills``, and count them, and how often a run was continued."""
    replay.SEGMENT_BYTES = 500
    # What torch and gymnasium import at first use is imported here, and not in every run anew.
    with contextlib.suppress(SystemExit):
        main([*COMMAND, "--checkpoint-dir", str(folder / "first"), "--steps", "30"])
    started = time.monotonic()
    assert end_of(start(folder / "alone")) == 0
    seconds = time.monotonic() - started
    expected = state_of(folder / "alone")
    counts: Counter[str] = Counter()
    runs = 0
    while counts["killed"] < kills:
        runs += 1
        here = folder / f"run{runs}"
        log = here.with_suffix(".log")
        end = None
        while end != 0:
            child = start(here)
            if counts["killed"] < kills:
                time.sleep(draw.uniform(0, seconds / 8))
                os.kill(child, draw.choice([signal.SIGKILL, signal.SIGTERM]))
            end = end_of(child)
            assert end in (0, -signal.SIGKILL, 128 + signal.SIGTERM), log.read_text()
            counts["killed"] += end != 0
        assert state_of(here) == expected, f"{here} ended in another state"
        assert not rubbish_in(here), rubbish_in(here)
        told = log.read_text()
        assert "Skipped" not in told, told
        assert "Not exact" not in told, told
        counts["continued"] += told.count("Resuming")
    return counts


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        counted = preempt(Path(name), int(sys.argv[1]), random.Random(0))
    print(f"killed {counted['killed']} times, continued {counted['continued']} times: ended as if left alone")

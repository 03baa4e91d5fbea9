# SPDX-License-Identifier: MIT
"""Checks in workers: the same report for any number of them, whatever dies, hangs or is interrupted."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import controls
import pytest
import torch
from adapters import Tiny

import verification
from verification import Report, UsageError, Verdict, check_agent
from verification.processes.pool import WorkerPool

NEW_PROCESS = "a_new_process_resumes_the_same"
#: The hard control's load() outlives its limit by half; this many seconds nobody waits.
LONG = 300


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own, from which new interpreters can import the hand-made adapters."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path(controls.__file__).parent)


def checked(adapter: Any, **options: Any) -> Report:
    return check_agent(adapter, **{"level": "protocol", "examples": 3, "seed": 1, **options})


def timeless(report: Report) -> Report:
    """The report without how long things took."""
    results = tuple(dataclasses.replace(result, seconds=0.0) for result in report.results)
    return dataclasses.replace(report, results=results)


def verdicts(report: Report) -> dict[str, str]:
    return {result.check: str(result.verdict) for result in report.results}


class Local:
    """Makes an adapter that cannot be sent anywhere, so that workers have to be copies of this process."""

    def __new__(cls, defect: str) -> Any:
        class Mine(Tiny):
            pass

        return Mine(defect)


# -- the same report ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [Tiny, Local])
@pytest.mark.parametrize("defect", ["", "loses its counter", "load raises"])
def test_one_worker_and_two_say_the_same(made: Any, defect: str) -> None:
    one = checked(made(defect), level="training", examples=4)
    two = checked(made(defect), level="training", examples=4, workers=2)
    assert timeless(one) == timeless(two)


def test_progress_and_expected_failures_are_those_of_one_worker() -> None:
    told: list[tuple[str, str]] = []
    known = {"counters_survive_reload": "issue 7"}
    report = checked(
        Tiny("loses its counter"),
        checks=["counters_survive_reload", "next_steps_survive_reload"],
        expected_failures=known,
        workers=2,
        progress=lambda one, result: told.append((one.name, str(result.verdict) if result else "")),
    )
    assert report.result("counters_survive_reload").verdict is Verdict.XFAILED
    assert report.result("next_steps_survive_reload").verdict is Verdict.PASSED
    for result in report.results:
        assert told.index((result.check, "")) < told.index((result.check, str(result.verdict)))
    assert len(told) == 2 * len(report.results)


def test_any_executor_will_do_and_is_left_open() -> None:
    with WorkerPool(1) as pool, ThreadPoolExecutor(2) as threads:
        reports = [checked(Tiny("loses its counter"), workers=one) for one in (1, pool, threads)]
        assert pool.submit(pow, 2, 3).result() == threads.submit(pow, 2, 3).result() == 8
    assert timeless(reports[0]) == timeless(reports[1]) == timeless(reports[2])


def test_what_an_executor_cannot_import_is_refused_in_one_sentence() -> None:
    with (
        ThreadPoolExecutor(1) as threads,
        pytest.raises(UsageError, match="define it at a module's top level"),
    ):
        checked(Local(""), workers=threads)


def test_copies_that_cannot_train_are_no_fault_of_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    def backward(_: torch.Tensor) -> None:
        raise RuntimeError("Unable to handle autograd's threading in combination with fork")

    monkeypatch.setattr(torch.Tensor, "backward", backward)
    with pytest.raises(UsageError, match=r"a process that has used a GPU cannot train, .* make Mine again"):
        checked(Local(""), workers=2)


def test_no_workers_are_refused() -> None:
    with pytest.raises(UsageError, match="workers is 0; give a number from 1 on, or an executor"):
        checked(Tiny(), workers=0)


# -- what dies and hangs -----------------------------------------------------------------------------------

DEAD = {
    "runs_are_repeatable": "passed",
    "saving_writes_a_checkpoint": "passed",
    "training_changes_the_agent": "passed",
    "loading_restores_something": "error",
    "loading_leaves_the_checkpoint_unchanged": "blocked",
    "a_checkpoint_is_a_snapshot": "blocked",
}


class HangsHard(controls.HangsHard):
    def __reduce__(self) -> Any:
        return HangsHard, ()  # made anew in each worker, which that warms up


class Killed(controls.Crashes):
    def meddle(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("adapter", [controls.Crashes(), Killed()], ids=["exits", "is killed"])
def test_a_worker_that_dies_in_a_check_is_an_error_and_the_others_go_on(adapter: Any) -> None:
    report = checked(adapter, workers=2)
    assert verdicts(report) == DEAD
    sentence = report.result("loading_restores_something").sentence
    assert sentence == "the adapter 'tiny': load() was running when its process died"


def test_a_worker_that_hangs_in_a_check_is_an_error_and_the_others_go_on() -> None:
    report = checked(HangsHard(), workers=2)
    assert verdicts(report) == DEAD
    assert "load() did not return within 0.5 s" in report.result("loading_restores_something").sentence


# -- Ctrl-C ------------------------------------------------------------------------------------------------

_WAITS = """
import os, time
from pathlib import Path
from adapters import Tiny

class Waits(Tiny):
    time_limit = 1000.0

    def load(self, agent, path):
        Path(f"{os.getpid()}.process").touch()
        time.sleep(1000)
"""


def test_ctrl_c_ends_the_command_and_its_workers_at_once(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(_WAITS)
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-m", "verification", "check", "waits:Waits", "--level=protocol", "-n", "2"]
    with subprocess.Popen(
        [*command, "--examples=1"],
        env={**environment(tmp_path), "TMPDIR": str(tmp_path / "temporary")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a terminal's Ctrl-C reaches all processes of its group
    ) as process:
        while not (found := list(tmp_path.glob("*.process"))):
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=LONG)
    assert process.returncode == 130
    assert "Traceback" not in output + errors
    for one in found:
        with pytest.raises(ProcessLookupError):
            os.kill(int(one.stem), 0)
    assert list((tmp_path / "temporary").iterdir()) == []


# -- scripts -----------------------------------------------------------------------------------------------

_SCRIPT = """
with open("runs", "a") as file:
    file.write("run\\n")

from adapters import Tiny
from agents import Agent
from verification import check_agent

class MyAgent(Agent):
    pass

class MyAdapter(Tiny):
    def build(self, config, seed):
        return MyAgent(config, seed)

def ask():
    report = check_agent(MyAdapter(), examples=5, seed=1, workers=WORKERS)
    for result in report.results:
        print(result.check, result.verdict, result.sentence)
"""
_TAILS = {"guarded": 'if __name__ == "__main__":\n    ask()', "not guarded": "ask()"}


def environment(folder: Path) -> dict[str, str]:
    paths = [folder, Path(controls.__file__).parent, Path(verification.__file__).parents[1]]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "NO_COLOR": "1"}


def run(*arguments: str, folder: Path) -> dict[str, list[str]]:
    """What a program says about each check: its verdict, and the sentence."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return {line.split()[0]: line.split(maxsplit=2)[1:] for line in done.stdout.splitlines()}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("tail", ["guarded", "not guarded", "in no file"])
def test_an_agent_is_not_blamed_for_being_defined_in_the_script_that_runs(
    tail: str, workers: int, tmp_path: Path
) -> None:
    text = f"{_SCRIPT.replace('WORKERS', str(workers))}\n{_TAILS.get(tail, 'ask()')}\n"
    (tmp_path / "script.py").write_text(text)
    told = run("-c", text, folder=tmp_path) if tail == "in no file" else run("script.py", folder=tmp_path)
    (verdict, *sentence) = told.pop(NEW_PROCESS)
    assert told.pop("loading_keeps_what_is_the_callers")[0] == "not_applicable"
    assert {verdict for verdict, *_ in told.values()} == {"passed"}
    if tail == "guarded":
        assert (verdict, sentence) == ("passed", [])
    else:
        assert verdict == "not_applicable"
        assert sentence[0].startswith("MyAdapter cannot be sent to another process (MyA")
        assert "put it into a module of its own" in sentence[0]
        assert (tmp_path / "runs").read_text() == "run\n"

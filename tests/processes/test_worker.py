# SPDX-License-Identifier: MIT
"""Workers answer, die without taking anybody with them, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import pytest

from verification.errors import AdapterError
from verification.processes.pool import ThisProcess, WorkerPool
from verification.processes.time_limits import LastWords, limited
from verification.processes.worker import Worker, WorkerDied

WAYS = pytest.mark.parametrize("fork", [False, True], ids=["new interpreter", "copy"])


@pytest.fixture(autouse=True)
def _functions_of_this_module_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)


def fail(kind: type[BaseException], text: str) -> None:
    raise kind(text)


def die(words: str = "", output: str = "") -> None:
    sys.stderr.write(output)
    sys.stderr.flush()
    with limited(1000, words):
        os.kill(os.getpid(), signal.SIGKILL)


def die_while_a_child_lives() -> None:
    """The child holds the pipe open, so that it never ends."""
    if os.fork() == 0:
        time.sleep(5)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_a_new_process(file: Path) -> str:
    """Die the first time."""
    if not file.exists():
        file.touch()
        die()
    return "the second worker"


def hang(file: Path) -> None:
    file.write_text(str(os.getpid()))
    time.sleep(1000)


def facts() -> dict[str, Any]:
    print("what is printed goes nowhere")
    return {
        "process": os.getpid(),
        "hash": hash("a"),
        "main": vars(sys.modules["__main__"]).get("__file__"),
        "path": sys.path,
        "temporary": tempfile.gettempdir(),
        "SIGINT": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        "main thread": threading.current_thread() is threading.main_thread(),
    }


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(file: Path) -> int:
    while not (file.exists() and file.read_text()):
        time.sleep(0.01)
    return int(file.read_text())


# -- one worker --------------------------------------------------------------------------------------------


@WAYS
def test_a_worker_answers_from_another_process_and_cleans_up(fork: bool) -> None:
    with Worker(fork=fork) as worker:
        found = worker.ask(facts)
        assert worker.ask(facts)["process"] == found["process"] != os.getpid()
        assert found["SIGINT"]
        assert found["main thread"]
        assert found["temporary"] != tempfile.gettempdir()
        assert Path(found["temporary"]).exists()
    assert not is_alive(found["process"])
    assert not Path(found["temporary"]).exists()


def test_a_new_interpreter_has_the_path_but_not_the_main_script_and_its_own_hash_seed() -> None:
    with (
        Worker(environment={"PYTHONHASHSEED": "1"}) as one,
        Worker(environment={"PYTHONHASHSEED": "2"}) as other,
    ):
        assert one.ask(facts)["hash"] != other.ask(facts)["hash"]
        found = one.ask(facts)
    assert found["main"] is None
    assert found["path"] == [str(Path(place).absolute()) for place in sys.path]


@WAYS
def test_what_is_raised_there_is_raised_here(fork: bool) -> None:
    with Worker(fork=fork) as worker:
        with pytest.raises(AdapterError) as caught:
            worker.ask(fail, AdapterError, "a sentence")
        assert str(caught.value) == "a sentence"
        assert "in fail" in caught.value.__notes__[0]
        with pytest.raises(RuntimeError, match="SystemExit: 3"):
            worker.ask(fail, SystemExit, "3")
        assert worker.ask(pow, 2, 3) == 8


@WAYS
def test_a_worker_that_dies_leaves_word(fork: bool) -> None:
    with Worker(fork=fork) as worker, pytest.raises(WorkerDied) as died:
        worker.ask(die, "load()")
    assert died.value.words == LastWords("load()", 1000)
    assert str(died.value) == "load() was running when its process died"


def test_what_a_worker_wrote_last_is_kept() -> None:
    with Worker() as worker, pytest.raises(WorkerDied) as died:
        worker.ask(die, "", "first\nout of luck\n")
    assert died.value.output == "first\nout of luck\n"
    assert str(died.value).endswith("interrupted: out of luck")


def test_a_death_is_noticed_although_a_child_holds_the_pipe() -> None:
    started = time.monotonic()
    with Worker() as worker, pytest.raises(WorkerDied):
        worker.ask(die_while_a_child_lives)
    assert time.monotonic() - started < 1000


# -- a pool ------------------------------------------------------------------------------------------------


@WAYS
def test_one_that_dies_is_replaced_and_the_others_go_on(fork: bool, tmp_path: Path) -> None:
    with WorkerPool(2, fork=fork) as pool:
        dead = [pool.submit(die, "load()") for _ in range(3)]
        alive = [pool.submit(pow, 2, number) for number in range(6)]
        again = pool.submit(die_in_a_new_process, tmp_path / "file")
        wait([again])
        assert isinstance(again.exception(), WorkerDied)
        assert pool.submit(die_in_a_new_process, tmp_path / "file").result() == "the second worker"
    assert [type(future.exception()) for future in dead] == [WorkerDied] * 3
    assert [future.result() for future in alive] == [2**number for number in range(6)]


def test_what_does_not_pickle_is_its_own_failure() -> None:
    with WorkerPool(1) as pool:
        failed, good = pool.submit(lambda: None), pool.submit(pow, 2, 3)
    assert failed.exception() is not None
    assert good.result() == 8
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(pow, 2, 3)


@WAYS
def test_an_exception_ends_the_workers_at_once(fork: bool, tmp_path: Path) -> None:
    pool = WorkerPool(1, fork=fork)
    running, waiting = pool.submit(hang, tmp_path / "process"), pool.submit(pow, 2, 3)
    process = wait_for(tmp_path / "process")
    with pytest.raises(KeyboardInterrupt), pool:
        raise KeyboardInterrupt
    assert not is_alive(process)
    assert isinstance(running.exception(), WorkerDied)
    assert waiting.cancelled()


def test_this_process_is_an_executor_too() -> None:
    with ThisProcess() as executor:
        assert executor.submit(os.getpid).result() == os.getpid()
        assert isinstance(executor.submit(fail, KeyError, "x").exception(), KeyError)
        assert list(executor.map(abs, [-1, 2])) == [1, 2]

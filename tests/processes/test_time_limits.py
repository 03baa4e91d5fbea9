# SPDX-License-Identifier: MIT
"""What takes too long is interrupted, and the timers and handlers of other people are left as they were."""

from __future__ import annotations

import contextlib
import gc
import importlib
import math
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from verification.processes.time_limits import LastWords, TimeIsUp, last_words, limited, over_limit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timer signals here")

LONG = 1000.0


@pytest.fixture(autouse=True)
def _no_timer_is_left() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGALRM)
    yield
    left = signal.setitimer(signal.ITIMER_REAL, 0)
    after = signal.signal(signal.SIGALRM, handler)
    assert left == (0.0, 0.0)
    assert after == handler


def test_what_takes_too_long_is_interrupted() -> None:
    with pytest.raises(TimeIsUp), limited(0.01, "load()"):
        time.sleep(LONG)


def test_an_agent_cannot_swallow_the_interruption() -> None:
    with pytest.raises(TimeIsUp), limited(0.01, "load()"), contextlib.suppress(Exception):
        time.sleep(LONG)


def test_it_comes_back_if_a_garbage_collection_is_in_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a callback of the collector raises is printed and forgotten."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # the first may meet a weak reference's, too

    def slow(phase: str, _: Any) -> None:
        if phase == "start":
            time.sleep(0.05)

    def collect_and_hang() -> None:
        gc.collect()
        time.sleep(LONG)

    gc.callbacks.append(slow)
    try:
        with pytest.raises(TimeIsUp), limited(0.01, "load()"):
            collect_and_hang()
    finally:
        gc.callbacks.remove(slow)


def test_it_comes_back_if_a_finalizer_has_swallowed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a finalizer raises is printed and forgotten, too."""
    forgotten: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: forgotten.append(one.exc_type))

    class Slow:
        def __del__(self) -> None:
            time.sleep(0.05)

    def finalize_and_hang() -> None:
        Slow()
        time.sleep(LONG)

    with pytest.raises(TimeIsUp), limited(0.01, "load()"):
        finalize_and_hang()
    assert forgotten == [TimeIsUp]


def test_an_import_that_takes_too_long_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outer_one.py").write_text("import inner_one\n")
    (tmp_path / "inner_one.py").write_text(f"import time\ntime.sleep({LONG})\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TimeIsUp) as caught, limited(0.3, "build()"):
        importlib.import_module("outer_one")
    assert caught.value.importing == ("outer_one", "inner_one")
    told = over_limit("build()", 0.3, caught.value.importing)
    assert told.startswith("build() was still importing outer_one after 0.3 s; import it at the top")
    with pytest.raises(TimeIsUp) as caught, limited(0.01, "learn()"):
        time.sleep(LONG)
    assert caught.value.importing == ()


def test_what_is_fast_enough_is_not() -> None:
    with limited(LONG, "load()"):
        pass
    with pytest.raises(KeyError), limited(LONG, "load()"):
        raise KeyError


@pytest.mark.parametrize("outcome", ["returns", "hangs"])
def test_handler_and_timer_from_before_are_put_back(outcome: str) -> None:
    def own(*_: Any) -> None:
        raise AssertionError

    before = signal.signal(signal.SIGALRM, own)
    signal.setitimer(signal.ITIMER_REAL, LONG)
    try:
        if outcome == "hangs":
            with pytest.raises(TimeIsUp), limited(0.01, "load()"):
                time.sleep(LONG)
        else:
            with limited(10.0, "load()"):
                assert signal.getitimer(signal.ITIMER_REAL)[0] <= 10.0
        assert signal.getsignal(signal.SIGALRM) is own
        assert 10.0 < signal.getitimer(signal.ITIMER_REAL)[0] <= LONG
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_timer_that_is_due_earlier_stays_in_charge() -> None:
    class Earlier(Exception):  # noqa: N818
        pass

    def own(*_: Any) -> None:
        raise Earlier

    before = signal.signal(signal.SIGALRM, own)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    try:
        with pytest.raises(Earlier), limited(LONG, "load()"):
            time.sleep(LONG)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_other_threads_and_endless_limits_have_none() -> None:
    timers = []

    def work() -> None:
        with limited(LONG, "load()"):
            timers.append(signal.getitimer(signal.ITIMER_REAL))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    with limited(math.inf, "load()"):
        timers.append(signal.getitimer(signal.ITIMER_REAL))
    assert timers == [(0.0, 0.0)] * 2


# Signals that are never delivered stand for compiled code that never returns to the interpreter.
_STUCK = """
import os, pathlib, signal, sys, time
from verification.processes.time_limits import end_process_when_stuck, limited

end_process_when_stuck(pathlib.Path(sys.argv[1]))
with limited(1000, "save()"):
    pass
match sys.argv[2]:
    case "stuck":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        with limited(0.01, "load()"):
            time.sleep(1000)
    case "dies":
        with limited(1000, "load()"):
            os._exit(3)
    case "dies elsewhere":
        os._exit(3)
"""


@pytest.mark.parametrize(
    ("end", "words", "said"),
    [
        ("stuck", LastWords("load()", 0.01, stuck=True), over_limit("load()", 0.01)),
        ("dies", LastWords("load()", 1000), "load() was running when its process died"),
        ("dies elsewhere", LastWords(), "no result: its process died, or the run was interrupted"),
    ],
)
def test_a_process_that_is_stuck_is_ended_and_leaves_word(
    end: str, words: LastWords, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "words"
    done = subprocess.run([sys.executable, "-c", _STUCK, str(file), end], check=False)
    assert done.returncode in {1, 3}
    assert last_words(file) == words
    assert str(words) == said


def test_no_file_means_no_words(tmp_path: Path) -> None:
    assert last_words(tmp_path / "nowhere") == LastWords()

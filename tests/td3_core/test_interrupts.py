# SPDX-License-Identifier: MIT
# ruff: noqa: PT012 - what a signal interrupts is a block
"""Signals that ask to stop wait for the end of what must be whole, and are never lost; cleanups are sure."""

from __future__ import annotations

import functools
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from interrupting import interrupted_at

from td3_core import interrupts
from td3_core.interrupts import completed, held_back, surely, uncovered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals as POSIX has them")


class Ended(BaseException):
    """What a handler of SIGTERM may raise."""


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise Ended

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, end)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Ended)], ids=["INT", "TERM"]
)
def test_a_signal_waits_for_the_end_of_the_outermost_block(
    number: signal.Signals, error: type[BaseException]
) -> None:
    handlers, done = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)], []
    with pytest.raises(error), held_back():
        with held_back():
            send(number)
            done.append("inner")
        done.append("outer")
    assert done == ["inner", "outer"]
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_every_signal_is_delivered_and_an_error_of_the_block_stays_behind_it() -> None:
    with pytest.raises(Ended) as raised, held_back():
        send(signal.SIGINT)
        send(signal.SIGTERM)
        raise ValueError("the block's own")
    assert isinstance(raised.value.__context__, KeyboardInterrupt)
    assert isinstance(raised.value.__context__.__context__, ValueError)


def test_the_second_of_a_kind_acts_at_once() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), held_back():
        send(signal.SIGINT)
        done.append("held back")
        send(signal.SIGINT)
        done.append("not reached")
    assert done == ["held back"]


def test_what_is_ignored_or_ends_the_process_is_left_alone() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with held_back():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_set_in_the_block_stays() -> None:
    def handler(number: int, frame: FrameType | None) -> None: ...

    with held_back():
        signal.signal(signal.SIGINT, handler)
    assert signal.getsignal(signal.SIGINT) is handler


def test_other_threads_change_no_handler() -> None:
    found: list[Any] = []

    def work() -> None:
        with held_back():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


def test_a_forked_process_has_the_handlers_and_none_of_the_signals() -> None:
    with pytest.raises(KeyboardInterrupt), held_back():
        send(signal.SIGINT)
        child = os.fork()
        if child == 0:
            try:
                send(signal.SIGINT)
                os._exit(1)
            except KeyboardInterrupt:
                os._exit(0 if signal.getsignal(signal.SIGINT) is signal.default_int_handler else 2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def block(done: list[str]) -> None:
    def clean() -> None:
        done.append("cleanup begun")
        done.append("cleanup done")

    with surely(clean):
        done.append("block")
    done.append("after")


def test_a_cleanup_is_sure_wherever_an_interrupt_comes() -> None:
    """At every line of the block, of the cleanup, and of what calls it."""
    histories: list[list[str]] = []
    while not histories or "after" not in histories[-1]:
        done: list[str] = []
        histories.append(done)
        interrupted_at(len(histories), functools.partial(block, done), __file__, interrupts.__file__)
    entered = [history for history in histories if "block" in history]
    assert len(entered) > 5
    assert all("cleanup done" in history for history in entered)
    assert ["block", "cleanup begun", "cleanup begun", "cleanup done"] in entered


def test_work_is_done_again_after_an_interrupt() -> None:
    done: list[int] = []

    def work() -> None:
        done.append(len(done))
        if len(done) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        completed(work)
    assert done == [0, 1]


def test_an_interrupt_that_an_error_covers_goes_on_its_way() -> None:
    with pytest.raises(KeyboardInterrupt), uncovered():
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("torch's")


def test_an_interrupt_that_is_over_does_not_come_back() -> None:
    def fail() -> None:
        with uncovered():
            raise RuntimeError("of its own")

    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        with pytest.raises(RuntimeError, match="of its own"):
            fail()

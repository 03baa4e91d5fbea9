# SPDX-License-Identifier: MIT
"""Writes checkpoints in another thread, one after the other, so that training need not wait for the disk."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from td3_core.checkpoint.format import write_checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Writer:
    """One thread, which the interpreter waits for at its end, and what it has yet to write, by path."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="td3_core-checkpoints")
        self.pending: dict[str, Future[None]] = {}


_writer = _Writer()


def write_in_background(path: str | os.PathLike[str], contents: Mapping[str, Any]) -> Future[None]:
    """Write ``contents``, which nobody may change any more, after whatever was to be written before."""
    place = os.path.realpath(path)
    with _writer.lock:
        future = _writer.pool.submit(write_checkpoint, os.path.abspath(path), contents)
        _writer.pending[place] = future

    def forget(done: Future[None]) -> None:
        with _writer.lock:
            if _writer.pending.get(place) is done:
                del _writer.pending[place]

    future.add_done_callback(forget)
    return future


def finish_writing(path: str | os.PathLike[str]) -> None:
    """Wait until nothing older is left to be written to ``path``, so that it cannot replace what is newer."""
    with _writer.lock:
        future = _writer.pending.get(os.path.realpath(path))
    if future is not None:
        wait([future])


def _forget_threads() -> None:
    """In a forked process there is no thread that would ever write what is pending."""
    global _writer  # noqa: PLW0603 - there is one disk
    _writer = _Writer()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)

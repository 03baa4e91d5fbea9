# SPDX-License-Identifier: MIT
"""Writes checkpoints in another thread, one after the other, so that training need not wait for the disk."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from td3_core.checkpoint.format import write_checkpoint
from td3_core.interrupts import held_back

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Writer:
    """One thread, which the interpreter waits for at its end, and what it has yet to write, with its path."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="td3_core-checkpoints")
        self.pending: dict[Future[None], str] = {}

    def forget(self, done: Future[None]) -> None:
        self.pending.pop(done, None)


_writer = _Writer()


def write_in_background(path: str | os.PathLike[str], contents: Mapping[str, Any]) -> Future[None]:
    """Write ``contents``, which nobody may change any more, after whatever was to be written before."""
    place, absolute, writer = os.path.realpath(path), os.path.abspath(path), _writer
    with held_back():
        # On one line, so that nothing is written that `finish_writing` does not know of.
        writer.pending[future := writer.pool.submit(write_checkpoint, absolute, contents)] = place
        future.add_done_callback(writer.forget)
    return future


def finish_writing(path: str | os.PathLike[str]) -> None:
    """Wait until nothing older is left to be written to ``path``, so that it cannot replace what is newer."""
    place = os.path.realpath(path)
    wait([future for future, other in list(_writer.pending.items()) if other == place])


def _forget_threads() -> None:
    """In a forked process there is no thread that would ever write what is pending."""
    global _writer  # noqa: PLW0603 - there is one disk
    _writer = _Writer()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)

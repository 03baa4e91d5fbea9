# SPDX-License-Identifier: MIT
"""Runs what may hang, crash or eat memory in processes of its own, each of them forked in milliseconds.

Importing torch takes seconds, so one process is started with everything imported and never does anything
but fork: it has trained nothing and has no threads, so that its children can do all that a new process can.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import multiprocessing
import os
import signal
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verification.processes.parcel import pack
from verification.processes.time_limits import keep_process_when_stuck
from verification.processes.worker import Worker, WorkerDied

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from verification.processes.parcel import Parcel

#: Seconds that a process may go without a word, and bytes that it may take beyond those it starts with.
PATIENCE, MEMORY = 60.0, 4 * 2**30


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        value: what the function returned.
        error: the traceback, if it raised.
        fate: how else it ended, as the predicate of a sentence: ``hung``, ``was killed by
            SIGSEGV``, ``ended``.
        doing: what it had said last.
    """

    value: Any = None
    error: str = ""
    fate: str = ""
    doing: str = ""


def run_apart(function: Callable[..., Any], *arguments: Any, patience: float = PATIENCE) -> Ended:
    """Call ``function(say, *arguments)`` in a process of its own; ``say(text)`` tells what it is about to do.

    Raises:
        NotPortable: if no other process can make function or arguments again.
    """
    request = pack((function, arguments))
    server = _server(os.getpid())
    try:
        ended: Ended = server.ask(_run, request, patience)
    except WorkerDied:
        _server.cache_clear()  # the next one gets another
        server.close()
        raise
    return ended


@functools.cache
def _server(_process: int) -> Worker:
    """A worker that only forks, one for each process that asks: a copy of another one's is of no use."""
    server = Worker()
    atexit.register(server.close)
    return server


@functools.cache
def _import_torch() -> None:
    import torch

    torch.set_num_threads(1)
    torch.optim.Adam([torch.zeros(1)])  # imports a thousand modules


def _run(request: Parcel, patience: float) -> Ended:
    """Fork a process for the request, and attend it."""
    _import_torch()
    request.open()  # what it imports, children need not
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        ours.close()
        _work(request, theirs)
    theirs.close()
    return _attend(child, ours, patience)


def _work(request: Parcel, connection: Connection) -> None:
    """What a child does."""
    os.setpgid(0, 0)  # so that whatever it forks ends with it
    keep_process_when_stuck()  # whoever attends it has its own patience
    _limit_memory()
    try:
        function, arguments = request.open()
        value = function(lambda text: connection.send(("doing", text)), *arguments)
        connection.send(("value", value))
    except BaseException:
        connection.send(("error", traceback.format_exc()))
    finally:
        connection.close()
        os._exit(0)


def _attend(child: int, connection: Connection, patience: float) -> Ended:
    """Listen to a child until it ends or has been silent for too long."""
    told = {"doing": "", "value": None, "error": ""}
    fate = ""
    try:
        while connection.poll(patience):
            kind, content = connection.recv()
            told[kind] = content
        fate = f"hung for {patience:g} s"
    except EOFError:
        pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not fate and told["value"] is None and not told["error"]:
        killed = os.WIFSIGNALED(status)
        fate = f"was killed by {signal.Signals(os.WTERMSIG(status)).name}" if killed else "ended"
    connection.close()
    return Ended(told["value"], str(told["error"]), fate, str(told["doing"]))


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))

# SPDX-License-Identifier: MIT
"""Runs what may hang, crash or eat memory in processes of its own, each of them forked in milliseconds.

Importing torch takes seconds, so one process is started with everything imported and never does anything
but fork: it has trained nothing and has no threads, so that its children can do all that a new process can.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import pickle
import signal
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

#: Seconds that a process may go without a word, and bytes that it may take beyond those it starts with.
PATIENCE, MEMORY = 60.0, 4 * 2**30


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        value: what the function returned.
        error: the traceback, if it raised.
        fate: how else it ended, as the predicate of a sentence: ``hung``, ``was killed by SIGSEGV``.
        doing: what it had said last.
    """

    value: Any = None
    error: str = ""
    fate: str = ""
    doing: str = ""


def run_apart(function: Callable[..., Any], *arguments: Any, patience: float = PATIENCE) -> Ended:
    """Call ``function(say, *arguments)`` in a process of its own; ``say(text)`` tells what it is about to do.

    Function, arguments and result must pickle. Raises PicklingError, AttributeError or TypeError if the
    arguments do not.
    """
    request = pickle.dumps((function, arguments))
    connection = _server()
    connection.send_bytes(str(patience).encode())
    connection.send_bytes(request)
    ended: Ended = pickle.loads(connection.recv_bytes())  # noqa: S301 - our own bytes
    return ended


@functools.cache
def _server() -> Connection:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return ours


def _serve(connection: Connection) -> None:
    """Fork a process for every request until there is nobody to ask."""
    import torch

    torch.set_num_threads(1)
    torch.optim.Adam([torch.zeros(1)])  # imports a thousand modules
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):
        while True:
            patience, request = float(connection.recv_bytes()), connection.recv_bytes()
            with contextlib.suppress(
                Exception
            ):  # what it imports, children need not; they tell what is wrong
                pickle.loads(request)  # noqa: S301 - our own bytes
            ours, theirs = multiprocessing.Pipe(duplex=False)
            child = os.fork()
            if child == 0:
                connection.close()
                ours.close()
                _work(request, theirs)
            theirs.close()
            connection.send_bytes(pickle.dumps(_attend(child, ours, patience)))


def _work(request: bytes, connection: Connection) -> None:
    """What a child does."""
    os.setpgid(0, 0)  # so that whatever it forks ends with it
    _limit_memory()
    try:
        function, arguments = pickle.loads(request)  # noqa: S301 - our own bytes
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
    if not fate and os.WIFSIGNALED(status) and told["value"] is None and not told["error"]:
        fate = f"was killed by {signal.Signals(os.WTERMSIG(status)).name}"
    connection.close()
    return Ended(told["value"], str(told["error"]), fate, str(told["doing"]))


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))

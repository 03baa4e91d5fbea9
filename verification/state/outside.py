# SPDX-License-Identifier: MIT
"""What is no state of an agent, and what stands for state that is out of sight."""

from __future__ import annotations

import multiprocessing.connection
import multiprocessing.managers
import multiprocessing.pool
import multiprocessing.process
import multiprocessing.queues
import multiprocessing.synchronize
import socket
import subprocess
import threading
import weakref
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from torch.utils.hooks import RemovableHandle

from verification.state.introspect import type_name

if TYPE_CHECKING:
    from verification.state.walker import Walker

#: They order the work of threads; none of them outlives it.
NO_STATE = (
    type(threading.Lock()),
    type(threading.RLock()),
    threading.Condition,
    multiprocessing.synchronize.SemLock,
    ThreadPoolExecutor,
    multiprocessing.pool.ThreadPool,
    weakref.finalize,
    RemovableHandle,
)
#: Ends of what another process holds.
PROCESSES = (multiprocessing.process.BaseProcess, subprocess.Popen)
ELSEWHERE = (
    multiprocessing.connection._ConnectionBase,  # noqa: SLF001
    multiprocessing.queues.Queue,
    multiprocessing.queues.SimpleQueue,
    multiprocessing.managers.BaseManager,
    multiprocessing.managers.BaseProxy,
    multiprocessing.pool.Pool,
    ProcessPoolExecutor,
    socket.socket,
)

# Seconds for what a thread works on, and what was not done by then: a loop that ends with the process.
_PATIENCE = 1.0
_endless: weakref.WeakSet[Future[Any]] = weakref.WeakSet()
_THREAD_BOOKKEEPING = frozenset(vars(threading.Thread()))


def visit_nothing(walker: Walker, obj: Any, path: str, role: str, depth: int) -> None:
    """A thing without state: only that it is there."""
    walker.record(path, role, "object", type_name(obj).encode(), type_name(obj))


def visit_thread(walker: Walker, thread: threading.Thread, path: str, role: str, depth: int) -> None:
    """A thread: what a class of the agent's own has added to it."""
    walker.attributes(thread, path, role, depth, skip=_THREAD_BOOKKEEPING)


def visit_future(walker: Walker, future: Any, path: str, role: str, depth: int) -> None:
    """What a thread will give: it is waited for, as whether it is there yet is left to chance."""
    if walker.seen(future, path, role):
        return
    walker.record(path, role, "object", type_name(future).encode(), type_name(future))
    wait([future], timeout=0.0 if future in _endless else _PATIENCE)
    if not future.done():
        _endless.add(future)
        walker.opaque[path] = f"{type_name(future)} that is not done"
        return
    for name in ("_result", "_exception"):
        walker.visit(getattr(future, name), f"{path}.{name}", role, depth + 1)


def visit_synchronized(walker: Walker, value: Any, path: str, role: str, depth: int) -> None:
    """A value that processes share: it lies in memory that this process sees."""
    if walker.seen(value, path, role):
        return
    walker.record(path, role, "object", type_name(value).encode(), type_name(value))
    walker.visit(value.get_obj(), f"{path}.get_obj()", role, depth + 1)


def visit_process(walker: Walker, process: Any, path: str, role: str, depth: int) -> None:
    """Another process, which has state as long as it runs."""
    visit_nothing(walker, process, path, role, depth)
    running = process if isinstance(process, subprocess.Popen) else getattr(process, "_popen", None)
    if running is not None and running.poll() is None:
        walker.elsewhere[path] = type_name(process)


def visit_elsewhere(walker: Walker, obj: Any, path: str, role: str, depth: int) -> None:
    """A connection to something that has state of its own, as long as it is open."""
    visit_nothing(walker, obj, path, role, depth)
    closed = obj.fileno() < 0 if isinstance(obj, socket.socket) else getattr(obj, "closed", False)
    if not closed:
        walker.elsewhere[path] = type_name(obj)

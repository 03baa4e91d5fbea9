# SPDX-License-Identifier: MIT
"""Executors: a pool of workers in which one may die without the others, and one that is this process."""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

from verification.errors import UsageError
from verification.processes.time_limits import LastWords
from verification.processes.worker import Worker, WorkerDied

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Iterator


def parse_workers(text: str) -> int:
    """A number of workers as users write it: ``auto`` is one for each core that this process may use.

    Raises:
        UsageError: if it is neither that nor a number from 1 on.
    """
    if text == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isdigit() or not int(text):
        raise UsageError(f"--workers is {text!r}; give a number or auto")
    return int(text)


@contextlib.contextmanager
def executor_of(workers: int | Executor) -> Iterator[Executor]:
    """A pool of so many workers, or the executor that is given, which stays open."""
    if isinstance(workers, Executor):
        yield workers
    else:
        with WorkerPool(workers) as pool:
            yield pool


class WorkerPool(Executor):
    """Processes that do what is submitted, in the order in which it was.

    Where a worker dies, the future of what it did raises :class:`WorkerDied`, and another worker takes its
    place. Left by an exception, as Ctrl-C is, the pool kills its workers; otherwise it waits for them.

    Args:
        workers: how many.
        fork: make them copies of this process; see :class:`Worker`.
    """

    def __init__(self, workers: int, *, fork: bool = False) -> None:
        self._fork = fork
        self._tasks: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._workers: set[Worker] = set()
        self._closed = self._killed = False
        self._threads = [threading.Thread(target=self._attend, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Let a worker call ``fn``; it, its arguments and what it returns must pickle."""
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot submit to a pool that has been shut down")
            future: Future[Any] = Future()
            self._tasks.put((future, functools.partial(fn, *args, **kwargs)))
            return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more, and end the workers once they have done what was submitted."""
        with self._lock:
            self._closed = True
        with contextlib.suppress(queue.Empty):
            while cancel_futures:
                if (task := self._tasks.get_nowait()) is not None:
                    task[0].cancel()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def kill(self) -> None:
        """End the workers at once."""
        with self._lock:
            self._killed = True
            for worker in self._workers:
                worker.kill()
        self.shutdown(cancel_futures=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: types.TracebackType | None,
    ) -> None:
        if kind is None:
            self.shutdown()
        else:
            self.kill()

    def _attend(self) -> None:
        """What each thread does: hand one task after another to a worker of its own."""
        with contextlib.ExitStack() as stack:
            worker: Worker | None = None
            while (task := self._tasks.get()) is not None:
                future, call = task
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    worker = worker or stack.enter_context(self._worker())
                    future.set_result(worker.ask(call))
                except WorkerDied as died:
                    stack.close()
                    worker = None
                    future.set_exception(died)
                except Exception as error:  # the asker's business
                    future.set_exception(error)

    @contextlib.contextmanager
    def _worker(self) -> Iterator[Worker]:
        """A worker that ends with the pool."""
        with self._lock:
            if self._killed:
                raise WorkerDied(LastWords())
            worker = Worker(fork=self._fork)
            self._workers.add(worker)
        try:
            yield worker
        finally:
            with self._lock:
                self._workers.discard(worker)
            worker.close()


class ThisProcess(Executor):
    """Does at once, in this process, what is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call ``fn``; the future that is returned is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # the asker's business
            future.set_exception(error)
        return future

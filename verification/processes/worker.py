# SPDX-License-Identifier: MIT
"""A worker: another process that does what it is asked, one thing at a time, and may die of it."""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
import weakref
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verification.processes.descendants import kill_with_descendants
from verification.processes.temporary_folders import temporary_folder
from verification.processes.time_limits import LastWords, end_process_when_stuck, last_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.process import BaseProcess

# Not multiprocessing's spawn, which imports the main script again: one without an import guard would never
# end, and classes that are defined in it would change their names.
_COMMAND = "import sys; sys.path[:] = sys.argv[3:]; from verification.processes.worker import main; main()"
# Seconds between two looks at whether a silent worker is alive: a process that it forked may hold its pipe.
_GLANCE = 0.5
# Seconds that a worker has for what it does at its exit.
_FAREWELL = 30.0
_WORDS, _OUTPUT = "last-words", "output"

_starting = threading.Lock()
_started: weakref.WeakSet[Worker] = weakref.WeakSet()


class WorkerDied(Exception):  # noqa: N818 - says what happened
    """A worker's process ended before it answered.

    Attributes:
        words: what it was doing.
        output: what it wrote last on its standard error, such as where it crashed.
    """

    def __init__(self, words: LastWords, output: str = "") -> None:
        super().__init__(words, output)
        self.words = words
        self.output = output

    def __str__(self) -> str:
        lines = self.output.strip().splitlines()
        return f"{self.words}: {lines[-1]}" if lines and not self.words.operation else str(self.words)


class Worker:
    """A process that answers :meth:`ask`; its temporary files, and whatever it prints, go with it.

    Args:
        fork: take a copy of this process, with all that it holds, instead of a new interpreter.
        environment: variables that a new interpreter has besides.
    """

    def __init__(self, *, fork: bool = False, environment: Mapping[str, str] | None = None) -> None:
        self._folder = temporary_folder()
        self._process: subprocess.Popen[bytes] | BaseProcess
        with _starting:  # so that no fork inherits half a worker
            self._connection, theirs = multiprocessing.Pipe()
            _started.add(self)
            if fork:
                self._process = self._fork(theirs)
            else:
                self._process = self._spawn(theirs, environment or {})
            theirs.close()

    def _spawn(self, theirs: Connection, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        places = [str(Path(place).absolute()) for place in sys.path]
        arguments = [sys.executable, "-P", "-c", _COMMAND, str(theirs.fileno()), self._folder.name, *places]
        with Path(self._folder.name, _OUTPUT).open("wb") as output:
            return subprocess.Popen(  # noqa: S603 - this interpreter
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **environment},
            )

    def _fork(self, theirs: Connection) -> BaseProcess:
        process = multiprocessing.get_context("fork").Process(
            target=_serve_forked, args=(theirs, self._folder.name)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's about threads, of which the copy has none
            process.start()
        return process

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What ``function`` returns there; whatever pickles can be asked, and answered.

        Raises:
            WorkerDied: the process ended before it answered.
            Exception: whatever the function raised there.
        """
        request = pickle.dumps((function, arguments))
        try:
            self._connection.send_bytes(request)
            while not self._connection.poll(_GLANCE):
                if self._has_ended() and not self._connection.poll():
                    raise EOFError
            answer = self._connection.recv_bytes()
        except (EOFError, OSError):
            raise self._died() from None
        value, error = pickle.loads(answer)  # noqa: S301 - our own bytes
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        """Let the process end."""
        self._connection.close()
        if not self._has_ended(_FAREWELL):
            self.kill()
            self._has_ended(_FAREWELL)
        self._folder.cleanup()

    def kill(self) -> None:
        """End the process at once, with all that it has started; what it was asked is not answered."""
        if self._process.pid is not None and not self._has_ended():
            kill_with_descendants(self._process.pid)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.kill()
        self.close()

    def _has_ended(self, seconds: float = 0.0) -> bool:
        if isinstance(self._process, subprocess.Popen):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
                return True
            return False
        self._process.join(seconds)
        return self._process.exitcode is not None

    def _died(self) -> WorkerDied:
        self.kill()
        self._has_ended(_FAREWELL)
        folder = Path(self._folder.name)
        with contextlib.suppress(OSError):
            output = (folder / _OUTPUT).read_text(encoding="utf-8", errors="replace")
            return WorkerDied(last_words(folder / _WORDS), output[-2000:])
        return WorkerDied(last_words(folder / _WORDS))


# -- what the process itself does ----------------------------------------------------------------------------


def main() -> None:
    """Serve the process that started this interpreter."""
    descriptor, folder = int(sys.argv[1]), sys.argv[2]
    os.set_inheritable(descriptor, False)
    faulthandler.enable()
    _serve(Connection(descriptor), folder)


def _serve_forked(connection: Connection, folder: str) -> None:
    """Serve the process of which this is a copy, without what only that process can use."""
    for worker in list(_started):
        worker._connection.close()  # noqa: SLF001 - a copy of the worker, for this process to let go of
    signal.set_wakeup_fd(-1)
    with Path(os.devnull).open("r+b") as nothing, Path(folder, _OUTPUT).open("wb") as output:
        for descriptor, file in enumerate((nothing, nothing, output)):
            os.dup2(file.fileno(), descriptor)
        sys.stdout, sys.stderr = (open(one, "w", encoding="utf-8", closefd=False) for one in (1, 2))  # noqa: SIM115
        _serve(connection, folder)


def _serve(connection: Connection, folder: str) -> None:
    """Answer until there is nobody to ask."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks is interrupted, and ends this process
    tempfile.tempdir = os.environ["TMPDIR"] = folder
    warnings.simplefilter("ignore")
    end_process_when_stuck(Path(folder, _WORDS))
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send_bytes(_answer(connection.recv_bytes()))


def _answer(request: bytes) -> bytes:
    try:
        function, arguments = pickle.loads(request)  # noqa: S301 - our own bytes
        return pickle.dumps((function(*arguments), None))
    except BaseException as error:  # a sys.exit() of an agent ends no worker
        error.add_note(traceback.format_exc())
        with contextlib.suppress(Exception):
            answer = pickle.dumps((None, error))
            pickle.loads(answer)  # noqa: S301 - our own bytes
            if isinstance(error, Exception):
                return answer
        return pickle.dumps((None, RuntimeError(f"{type(error).__name__}: {error}")))

# SPDX-License-Identifier: MIT
"""SHA-256 of bytes that come one after the other, computed in a thread beside whoever provides them."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from td3_core.interrupts import surely

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PIECE = 256 * 1024  # bytes to read, copy or digest at once: stays in the cache of a core meanwhile
LITTLE = 1024 * 1024  # bytes digested sooner than a thread is started or a disk synced


@contextlib.contextmanager
def digesting(get: Callable[[int, int], memoryview]) -> Iterator[Digest]:
    """A digest, whose thread ends with the block.

    Args:
        get: bytes that have come, from one position up to another at most; asked for each once, in turn.
    """
    digest = Digest(get)
    with surely(digest.stop):
        yield digest


class Digest:
    """The digest of what has come so far; see `digesting`."""

    def __init__(self, get: Callable[[int, int], memoryview]) -> None:
        self._get = get
        self._sha = hashlib.sha256()
        self._came = 0
        self._done = 0
        self._error: Exception | None = None
        # Unlike a condition, it has no lock that an interrupt could leave taken.
        self._news: SimpleQueue[int | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def behind(self) -> int:
        """How many bytes have come and are not digested."""
        return self._came - self._done

    def came(self, count: int) -> None:
        """Tell how many bytes have come, which stay as they are."""
        self._came = count
        self._news.put(count)
        if self._thread is None and count > LITTLE:
            self._thread = threading.Thread(target=self._run, daemon=True)
            # Where no more threads can be started, all is digested at the end.
            with contextlib.suppress(RuntimeError):
                self._thread.start()

    def end(self) -> str:
        """The digest of all bytes, in hexadecimal digits. Raises what getting them raised."""
        self.stop()
        if self._error is not None:
            raise self._error
        return self._sha.hexdigest()

    def stop(self) -> None:
        """Digest what has come, and end the thread."""
        self._news.put(None)
        if self._thread is None or self._thread.ident is None:
            self._run()
        else:
            self._thread.join()

    def _run(self) -> None:
        try:
            for count in iter(self._news.get, None):
                while self._done < count:
                    piece = self._get(self._done, min(count, self._done + PIECE))
                    self._sha.update(piece)
                    self._done += len(piece)
        except Exception as error:
            self._error = error

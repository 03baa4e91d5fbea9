# SPDX-License-Identifier: MIT
"""The seal of a checkpoint: a digest over every other byte of the file, checked before any byte is parsed.

A sealed file is an ordinary archive of ``torch.save`` with a comment. The comment says what the file is and
ends with the SHA-256 of all bytes before it, as 64 hexadecimal digits::

    td3_core checkpoint {"config_sha256": "...", "format_version": 2, "torch_version": "...", "total_it": 7}
    sha256 <64 digits>

Readers of archives skip comments, so plain ``torch.load`` reads the file; ``unzip -z`` prints the comment,
and ``head -c -64 FILE | sha256sum`` the digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import re
import struct
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from td3_core.validation import is_count

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO, Self

_MAGIC = b"td3_core checkpoint "
_LABEL = b"\nsha256 "
_DIGITS = 64
_MAX_COMMENT = 4096
_SHA256, _VERSION = re.compile("([0-9a-f]{64})?"), re.compile(r"[\w.+-]{0,100}", re.ASCII)
_LENGTH = struct.Struct("<H")  # of the comment; the last thing in an archive without one
_PIECE = 256 * 1024  # to read, copy or digest at once: stays in the cache of a core meanwhile
_LITTLE = 1024 * 1024  # digested sooner than a thread is started or a disk synced
_STRETCH = 8 * 1024 * 1024  # to write before the digest hears of it, which costs either side a little


class BrokenSealError(Exception):
    """The bytes of a file are not those that were sealed; the message completes a sentence about it."""


@dataclass(frozen=True)
class Identity:
    """What a checkpoint says of itself before it is parsed.

    Attributes:
        format_version: of the layout of its contents.
        config_sha256: digest of the agent's config as JSON with sorted keys; equal for equal configs.
        total_it: updates that the agent had taken.
        torch_version: of the torch that wrote it.
    """

    format_version: int
    config_sha256: str
    total_it: int
    torch_version: str

    @classmethod
    def of(cls, contents: Mapping[str, Any]) -> Self:
        """The identity of what is about to be written."""
        config = json.dumps(contents.get("config"), sort_keys=True, default=str)
        steps, version = contents.get("total_it"), str(contents.get("torch_version", ""))
        return cls(
            format_version=contents["format_version"],
            config_sha256=hashlib.sha256(config.encode("utf-8", "surrogatepass")).hexdigest(),
            total_it=steps if is_count(steps) else 0,
            torch_version=version if _VERSION.fullmatch(version) else "",
        )

    def is_plausible(self) -> bool:
        """Whether this can have been written, which nobody who prints it has to ask again."""
        return (
            is_count(self.format_version)
            and is_count(self.total_it)
            and type(self.config_sha256) is str
            and _SHA256.fullmatch(self.config_sha256) is not None
            and type(self.torch_version) is str
            and _VERSION.fullmatch(self.torch_version) is not None
        )


class _Digest:
    """SHA-256 of bytes that come one after the other, computed in a thread beside whoever provides them.

    Args:
        get: bytes that have come, from one position up to another at most; asked for each once, in turn.
    """

    def __init__(self, get: Callable[[int, int], memoryview]) -> None:
        self._get = get
        self._sha = hashlib.sha256()
        self._came = 0
        self._done = 0
        self._complete = False
        self._error: Exception | None = None
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def behind(self) -> int:
        """How many bytes have come and are not digested."""
        return self._came - self._done

    def came(self, count: int) -> None:
        """Tell how many bytes have come, which stay as they are."""
        with self._news:
            self._came = count
            self._news.notify()
        if self._thread is None and count > _LITTLE:
            thread = threading.Thread(target=self._run, daemon=True)
            # Where no more threads can be started, all is digested at the end.
            with contextlib.suppress(RuntimeError):
                thread.start()
                self._thread = thread

    def end(self) -> str:
        """The digest of all bytes, in hexadecimal digits. Raises what getting them raised."""
        with self._news:
            self._complete = True
            self._news.notify()
        if self._thread is None:
            self._run()
        else:
            self._thread.join()
        if self._error is not None:
            raise self._error
        return self._sha.hexdigest()

    def _run(self) -> None:
        try:
            while True:
                with self._news:
                    self._news.wait_for(lambda: self.behind > 0 or self._complete)
                if not self.behind:
                    return
                while self.behind:
                    piece = self._get(self._done, min(self._came, self._done + _PIECE))
                    self._sha.update(piece)
                    self._done += len(piece)
        except Exception as error:
            self._error = error


class SealingFile:
    """A file for ``torch.save`` that passes on what is written and digests it meanwhile; see :meth:`seal`.

    What is digested is read back, because torch reuses the memory that it hands over, and to copy it takes
    longer than to read what the system was given a moment ago.

    Args:
        file: what is written to; it has a name, by which it is read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._written = 0
        self._next = _STRETCH
        self._copy = open(file.name, "rb", buffering=0)  # noqa: SIM115  # closed on exit
        self._buffer = memoryview(bytearray(_PIECE))
        self._digest = _Digest(self._read_back)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._copy, contextlib.suppress(OSError):
            self._digest.end()

    def write(self, data: bytes | memoryview) -> int:
        """Pass on ``data``."""
        count = self._file.write(data)
        self._written += count
        if self._written > self._next:
            self._next = self._written + _STRETCH
            self._tell(self._written - _LENGTH.size)
        return count

    def flush(self) -> None:
        """Called by ``torch.save``; nothing to do before the seal."""

    def seal(self, identity: Identity) -> None:
        """End the archive with its comment, whose last part is the digest of everything before."""
        header = _MAGIC + json.dumps(asdict(identity), sort_keys=True).encode() + _LABEL
        self._tell(self._written - _LENGTH.size)
        if self._digest.behind > _LITTLE:
            os.fsync(self._file.fileno())  # the disk may as well begin while the digest catches up
        self._file.seek(-_LENGTH.size, os.SEEK_END)
        self._file.write(_LENGTH.pack(len(header) + _DIGITS) + header)
        self._tell(self._written + len(header))
        self._file.write(self._digest.end().encode())

    def _tell(self, count: int) -> None:
        """Let the digest have the first ``count`` bytes, which stay as they are."""
        self._file.flush()
        self._digest.came(count)

    def _read_back(self, start: int, end: int) -> memoryview:
        count = self._copy.readinto(self._buffer[: end - start])
        if not count:
            raise OSError("it became shorter while it was written")
        return self._buffer[:count]


def is_sealed(data: memoryview) -> bool:
    """Whether the file ends as a sealed one does."""
    return bytes(data[-_DIGITS - len(_LABEL) : -_DIGITS]) == _LABEL


def verify(data: memoryview, digest: str) -> tuple[Identity, int]:
    """The identity of a sealed file and the length of its comment, once its digest is right.

    Args:
        data: the whole file.
        digest: SHA-256 of all bytes but the last 64, in hexadecimal digits.

    Raises:
        BrokenSealError: any byte is not as it was written.
    """
    if not hmac.compare_digest(bytes(data[-_DIGITS:]), digest.encode()):
        raise BrokenSealError("is damaged: its bytes do not have the digest that it was sealed with")
    end = bytes(data[-_MAX_COMMENT:])
    start = end.rfind(_MAGIC)
    try:
        identity = Identity(**json.loads(end[start + len(_MAGIC) : -_DIGITS - len(_LABEL)]))
    except (TypeError, ValueError, RecursionError) as error:
        raise BrokenSealError("has a seal, but not one of td3_core") from error
    if start < 0 or not identity.is_plausible():
        raise BrokenSealError("has a seal, but not one of td3_core")
    return identity, len(end) - start


def read_and_digest(file: BinaryIO, data: memoryview) -> str:
    """Fill ``data`` with a whole file, and return the SHA-256 of all but its last 64 bytes.

    Of a large file, one thread reads a piece while another digests the one before, because either takes as
    long as parsing. Raises BrokenSealError if the file is not as long as ``data``.
    """
    digest = _Digest(lambda start, end: data[start:end])
    try:
        _fill(file, data, digest.came)
    finally:
        found = digest.end()
    return found


def _fill(file: BinaryIO, data: memoryview, tell: Callable[[int], None]) -> None:
    """Read a whole file into ``data``, and tell how far it has come, less the digits at the end."""
    position, sealed = 0, max(0, len(data) - _DIGITS)
    while position < len(data):
        count = file.readinto(data[position : position + _PIECE])  # type: ignore[attr-defined]
        if not count:
            raise BrokenSealError("became shorter while it was read")
        position += count
        tell(min(position, sealed))
    if file.read(1):
        raise BrokenSealError("became longer while it was read")

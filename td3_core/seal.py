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

import hashlib
import hmac
import json
import queue
import struct
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO, Self

_MAGIC = b"td3_core checkpoint "
_LABEL = b"\nsha256 "
_DIGITS = 64
_MAX_COMMENT = 4096
_END_SIZE = 22  # of the record with which an archive without a comment ends
_CHUNK = 1024 * 1024


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
        steps = contents.get("total_it")
        return cls(
            format_version=contents["format_version"],
            config_sha256=hashlib.sha256(config.encode()).hexdigest(),
            total_it=steps if type(steps) is int else 0,
            torch_version=str(contents.get("torch_version", "")),
        )


class _Digest:
    """SHA-256 of pieces that are given one by one, computed in a thread beside whoever gives them.

    Args:
        waiting: how many pieces may wait for it before the giver has to; 0 for any number.
    """

    def __init__(self, *, waiting: int = 0) -> None:
        self._sha = hashlib.sha256()
        self._pieces: queue.Queue[bytes | bytearray | memoryview | None] = queue.Queue(maxsize=waiting)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def update(self, piece: bytes | bytearray | memoryview) -> None:
        """Digest a piece, which nobody may change any more."""
        self._pieces.put(piece)

    def end(self) -> str:
        """The digest of all pieces, in hexadecimal digits."""
        if self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()
        return self._sha.hexdigest()

    def _run(self) -> None:
        while (piece := self._pieces.get()) is not None:
            self._sha.update(piece)


class SealingFile:
    """A file for ``torch.save`` that passes on what is written and digests it meanwhile; see :meth:`seal`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = _Digest(waiting=16)
        # Held back, because a comment changes the last two bytes of an archive, and because most writes are
        # of a few bytes, and handing each to a thread takes longer than digesting it.
        self._held = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._digest.end()

    def write(self, data: bytes | memoryview) -> int:
        """Pass on ``data``; torch reuses its memory once this returns."""
        view = memoryview(data).cast("B")
        if len(self._held) + len(view) <= _CHUNK:
            self._held += view
            return len(view)
        end = max(0, len(view) - _END_SIZE)
        before, self._held = self._held, bytearray(view[end:])
        if missing := _END_SIZE - len(self._held):
            self._held[:0] = before[-missing:]
            del before[-missing:]
        self._pass_on(before)
        for start in range(0, end, _CHUNK):
            self._pass_on(bytes(view[start : min(start + _CHUNK, end)]))
        return len(view)

    def flush(self) -> None:
        """Called by ``torch.save``; nothing to do before the seal."""

    def seal(self, identity: Identity) -> None:
        """End the archive with its comment, whose last part is the digest of everything before."""
        header = _MAGIC + json.dumps(asdict(identity), sort_keys=True).encode() + _LABEL
        self._pass_on(self._held[:-2] + struct.pack("<H", len(header) + _DIGITS) + header)
        self._file.write(self._digest.end().encode())

    def _pass_on(self, data: bytes | bytearray) -> None:
        """Digest and write what nobody changes any more."""
        self._digest.update(data)
        self._file.write(data)


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
    kinds = {"format_version": int, "config_sha256": str, "total_it": int, "torch_version": str}
    if start < 0 or any(type(getattr(identity, name)) is not kind for name, kind in kinds.items()):
        raise BrokenSealError("has a seal, but not one of td3_core")
    return identity, len(end) - start


def read_and_digest(file: BinaryIO, data: memoryview) -> str:
    """Fill ``data`` with a whole file, and return the SHA-256 of all but its last 64 bytes.

    Of a large file, one thread reads a piece while another digests the one before, because either takes as
    long as parsing. Raises BrokenSealError if the file is not as long as ``data``.
    """
    if len(data) <= _CHUNK:
        _fill(file, data, lambda _: None)
        return hashlib.sha256(data[: max(0, len(data) - _DIGITS)]).hexdigest()
    digest = _Digest()
    try:
        _fill(file, data, digest.update)
    finally:
        found = digest.end()
    return found


def _fill(file: BinaryIO, data: memoryview, tell: Callable[[memoryview], None]) -> None:
    """Read a whole file into ``data``, and tell of each piece, less the digits at the end."""
    position, sealed = 0, max(0, len(data) - _DIGITS)
    while position < len(data):
        count = file.readinto(data[position : position + _CHUNK])  # type: ignore[attr-defined]
        if not count:
            raise BrokenSealError("became shorter while it was read")
        tell(data[position : min(position + count, sealed)])
        position += count
    if file.read(1):
        raise BrokenSealError("became longer while it was read")

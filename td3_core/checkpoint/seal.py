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
import os
import re
import struct
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from td3_core.checkpoint.digest import LITTLE, PIECE, digesting
from td3_core.interrupts import surely
from td3_core.validation import is_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO, Self

    from td3_core.checkpoint.digest import Digest

_MAGIC = b"td3_core checkpoint "
_LABEL = b"\nsha256 "
_DIGITS = 64
_MAX_COMMENT = 4096
_SHA256, _VERSION = re.compile("([0-9a-f]{64})?"), re.compile(r"[\w.+-]{0,100}", re.ASCII)
_LENGTH = struct.Struct("<H")  # of the comment; the last thing in an archive without one
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


@contextmanager
def sealing(file: BinaryIO) -> Iterator[SealingFile]:
    """A file for ``torch.save`` that passes on what is written and digests it meanwhile.

    What is digested is read back, because torch reuses the memory that it hands over, and to copy it takes
    longer than to read what the system was given a moment ago.

    Args:
        file: what is written to; it has a name, by which it is read.
    """
    buffer = memoryview(bytearray(PIECE))
    with open(file.name, "rb", buffering=0) as copy:

        def read_back(start: int, end: int) -> memoryview:
            count = copy.readinto(buffer[: end - start])
            if not count:
                raise OSError("it became shorter while it was written")
            return buffer[:count]

        with digesting(read_back) as digest:
            sealed = SealingFile(file, digest)
            with surely(sealed.close):
                yield sealed


class SealingFile:
    """What :func:`sealing` gives to ``torch.save``; see :meth:`seal`."""

    def __init__(self, file: BinaryIO, digest: Digest) -> None:
        self._file = file
        self._digest = digest
        self._written = 0
        self._next = _STRETCH
        self._failure: BaseException | None = None

    def write(self, data: bytes | memoryview) -> int:
        """Pass on ``data``, or nothing once that has failed; :meth:`seal` tells.

        An exception would leave torch's writer in a state in which it raises another one instead. One that
        it gives up writes the end of its archive, even much later, and ends the process if that fails.
        """
        if self._failure is None:
            try:
                self._pass_on(data)
            except BaseException as error:
                self._failure = error
        return len(data)

    def _pass_on(self, data: bytes | memoryview) -> None:
        self._written += self._file.write(data)
        if self._written > self._next:
            self._next = self._written + _STRETCH
            self._tell(self._written - _LENGTH.size)

    def flush(self) -> None:
        """Called by ``torch.save``; nothing to do before the seal."""

    def seal(self, identity: Identity) -> None:
        """End the archive with its comment, whose last part is the digest of everything before.

        Raises whatever writing raised before.
        """
        if self._failure is not None:
            raise self._failure
        header = _MAGIC + json.dumps(asdict(identity), sort_keys=True).encode() + _LABEL
        self._tell(self._written - _LENGTH.size)
        if self._digest.behind > LITTLE:
            os.fsync(self._file.fileno())  # the disk may as well begin while the digest catches up
        self._file.seek(-_LENGTH.size, os.SEEK_END)
        self._file.write(_LENGTH.pack(len(header) + _DIGITS) + header)
        self._tell(self._written + len(header))
        self._file.write(self._digest.end().encode())

    def _tell(self, count: int) -> None:
        """Let the digest have the first ``count`` bytes, which stay as they are."""
        self._file.flush()
        self._digest.came(count)

    def close(self) -> None:
        """From now on, what is written goes nowhere."""
        self._failure = ValueError("the file is closed")


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
    with digesting(lambda start, end: data[start:end]) as digest:
        _fill(file, data, digest.came)
        return digest.end()


def _fill(file: BinaryIO, data: memoryview, tell: Callable[[int], None]) -> None:
    """Read a whole file into ``data``, and tell how far it has come, less the digits at the end."""
    position, sealed = 0, max(0, len(data) - _DIGITS)
    while position < len(data):
        count = file.readinto(data[position : position + PIECE])  # type: ignore[attr-defined]
        if not count:
            raise BrokenSealError("became shorter while it was read")
        position += count
        tell(min(position, sealed))
    if file.read(1):
        raise BrokenSealError("became longer while it was read")

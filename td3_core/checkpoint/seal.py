# SPDX-License-Identifier: MIT
"""The seal of a checkpoint: a digest over every other byte of the file, checked before any byte is parsed.

A sealed file is an ordinary archive of ``torch.save`` with a comment. The comment says what the file is and
ends with the digest of all bytes before it, XXH3 of 128 bits, as 32 hexadecimal digits::

    td3_core checkpoint {"config_sha256": "...", "format_version": 3, "torch_version": "...", "total_it": 7}
    xxh128 <32 digits>

Readers of archives skip comments, so plain ``torch.load`` reads the file; ``unzip -z`` prints the comment,
and ``head -c -32 FILE | xxh128sum`` the digest. Files of version 2 end with ``sha256`` and 64 digits.

The digest is there for accidents, and whoever wants to forge a file can seal it again; so it need not be one
that costs more than writing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import struct
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import xxhash

from td3_core.interrupts import surely
from td3_core.validation import is_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO, Self

_MAGIC = b"td3_core checkpoint "
_MAX_COMMENT = 4096
_SHA256, _VERSION = re.compile("([0-9a-f]{64})?"), re.compile(r"[\w.+-]{0,100}", re.ASCII)
_LENGTH = struct.Struct("<H")  # of the comment; the last thing in an archive without one
_PIECE = 256 * 1024  # bytes to copy, digest and write at once: stays in the cache of a core meanwhile


class _Ending(NamedTuple):
    """How the comment ends: a label, and the digits of a digest of everything before them."""

    label: bytes
    digits: int
    algorithm: Callable[..., Any]


_XXH128 = _Ending(b"\nxxh128 ", 32, xxhash.xxh3_128)
_ENDINGS = (_XXH128, _Ending(b"\nsha256 ", 64, hashlib.sha256))


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
    """A file for ``torch.save`` that digests what is written and passes it on to ``file``."""
    sealed = SealingFile(file)
    with surely(sealed.close):
        yield sealed


class SealingFile:
    """What :func:`sealing` gives to ``torch.save``; see :meth:`seal`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = _XXH128.algorithm()
        self._pending = bytearray()  # neither digested nor passed on yet
        self._failure: BaseException | None = None

    def write(self, data: bytes | memoryview) -> int:
        """Pass on ``data``, or nothing once that has failed; :meth:`seal` tells.

        An exception would leave torch's writer in a state in which it raises another one instead. One that
        it gives up writes the end of its archive, even much later, and ends the process if that fails.
        """
        if self._failure is None:
            try:
                self._take(memoryview(data))
            except BaseException as error:
                self._failure = error
        return len(data)

    def _take(self, data: memoryview) -> None:
        """Copy ``data``, which somebody may change before it is digested; many pieces of it are small."""
        for start in range(0, len(data), _PIECE):
            self._pending += data[start : start + _PIECE]
            if len(self._pending) > _PIECE:
                # The last bytes of an archive are the length of its comment, which has none so far.
                self._pass_on(len(self._pending) - _LENGTH.size)

    def _pass_on(self, count: int) -> None:
        with memoryview(self._pending) as pending, pending[:count] as piece:
            self._file.write(piece)
            self._digest.update(piece)
        del self._pending[:count]

    def flush(self) -> None:
        """Called by ``torch.save``; nothing to do before the seal."""

    def seal(self, identity: Identity) -> None:
        """End the archive with its comment, whose last part is the digest of everything before.

        Raises whatever writing raised before.
        """
        if self._failure is not None:
            raise self._failure
        header = _MAGIC + json.dumps(asdict(identity), sort_keys=True).encode() + _XXH128.label
        self._pending[-_LENGTH.size :] = _LENGTH.pack(len(header) + _XXH128.digits) + header
        self._pass_on(len(self._pending))
        self._file.write(self._digest.hexdigest().encode())

    def close(self) -> None:
        """From now on, what is written goes nowhere."""
        self._failure = ValueError("the file is closed")


def is_sealed(data: memoryview) -> bool:
    """Whether the file ends as a sealed one does."""
    return _ending(data) is not None


def _ending(data: memoryview) -> _Ending | None:
    for ending in _ENDINGS:
        if bytes(data[-ending.digits - len(ending.label) :][: len(ending.label)]) == ending.label:
            return ending
    return None


def verify(data: memoryview) -> tuple[Identity, int]:
    """The identity of a whole file that is sealed and the length of its comment, once its digest is right.

    Raises:
        BrokenSealError: any byte is not as it was written.
    """
    ending = _ending(data)
    if ending is None:
        raise BrokenSealError("has no seal")
    sealed, digits = data[: -ending.digits], data[-ending.digits :]
    if not hmac.compare_digest(bytes(digits), ending.algorithm(sealed).hexdigest().encode()):
        raise BrokenSealError("is damaged: its bytes do not have the digest that it was sealed with")
    end = bytes(data[-_MAX_COMMENT:])
    start = end.rfind(_MAGIC)
    try:
        identity = Identity(**json.loads(end[start + len(_MAGIC) : -ending.digits - len(ending.label)]))
    except (TypeError, ValueError, RecursionError) as error:
        raise BrokenSealError("has a seal, but not one of td3_core") from error
    if start < 0 or not identity.is_plausible():
        raise BrokenSealError("has a seal, but not one of td3_core")
    return identity, len(end) - start

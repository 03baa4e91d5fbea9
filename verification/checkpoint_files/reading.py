# SPDX-License-Identifier: MIT
"""Reads checkpoints of any common format as plain data; no code from them runs."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import torch

from verification.checkpoint_files.stand_ins import NeedsCodeError, read_plain
from verification.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

_UNSUPPORTED = re.compile(r"(?:global: GLOBAL|unsupported GLOBAL) (\S+)")
# Stable-Baselines3 keeps what JSON cannot hold as pickles in base64, beside a description for people.
_SERIALIZED = ":serialized:"


class Files(dict[str, object]):
    """The contents of several files, by name: of a folder, or of an archive."""


@dataclass(frozen=True)
class Unread:
    """What is compared by its bytes, because nothing more of it can be known without running code.

    Attributes:
        data: the bytes.
        why: what stands in the way.
    """

    data: bytes
    why: str


def read(path: Path) -> object:
    """The contents of a checkpoint: a file of torch, numpy or safetensors, an archive or a folder of those.

    Raises:
        UsageError: in one sentence, if it cannot be read, or not without running code from it.
    """
    try:
        if path.is_dir():
            return _folder(path)
        with path.open("rb") as stream:
            return _contents(stream)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file or folder {error.filename}") from None
    except OSError as error:
        raise UsageError(f"{error.filename or path} cannot be read: {error.strerror or error}") from None
    except _Refused as refused:
        raise UsageError(f"{path} {refused}") from None


class _Refused(Exception):  # noqa: N818 - says what happened
    """A file cannot be read; the message goes on with its name."""


def _folder(path: Path) -> Files:
    files = sorted(file for file in path.rglob("*") if file.is_file())
    if not files:
        raise _Refused("is a folder without files")
    if any(file.suffix == ".distcp" for file in files):
        raise _Refused(
            "is a distributed checkpoint, whose index only code can read; make a file of it with "
            "torch.distributed.checkpoint.format_utils.dcp_to_torch_save, if you trust where it comes from"
        )
    return Files({file.relative_to(path).as_posix(): _member(file.read_bytes()) for file in files})


def _member(data: bytes) -> object:
    """A file among others: if it cannot be read, its bytes are compared."""
    try:
        return _contents(io.BytesIO(data))
    except _Refused as refused:
        return Unread(data, str(refused))


def _contents(stream: BinaryIO) -> object:
    head = stream.read(16)
    stream.seek(0)
    try:
        if head.startswith(b"PK"):
            return _archive(stream)
        if head.startswith(b"\x93NUMPY"):
            return np.load(stream, allow_pickle=False)
        if head[8:9] == b"{" and head[:1] != b"{":
            return _safetensors(stream.read())
        if head.startswith(b"\x80"):
            return read_plain(stream)
        if head.lstrip()[:1] in {b"{", b"["}:
            return json.load(stream, object_hook=_without_descriptions)
    except _Refused:
        raise
    except Exception as error:  # whatever a damaged file makes of a reader
        raise _Refused(_why(error, stream)) from None
    if not head:
        raise _Refused("is empty")
    raise _Refused("is no checkpoint of a known format: torch, numpy, safetensors, or an archive of those")


def _archive(stream: BinaryIO) -> object:
    with zipfile.ZipFile(stream) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        if not any(name.endswith("/data.pkl") for name in names):
            arrays = all(name.endswith(".npy") for name in names)
            return Files(
                {name.removesuffix(".npy") if arrays else name: _member(archive.read(name)) for name in names}
            )
    stream.seek(0)
    return read_plain(stream)


def _safetensors(data: bytes) -> dict[str, object]:
    try:
        from safetensors.torch import load
    except ImportError:
        raise _Refused("is a safetensors file; to read it, run: python -m pip install safetensors") from None
    tensors: dict[str, object] = dict(sorted(load(data).items()))  # their order in the file means nothing
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return {**tensors, **{name: header[name] for name in ("__metadata__",) if name in header}}


def _without_descriptions(entry: dict[str, Any]) -> object:
    """What an object of JSON stands for; the pickles of Stable-Baselines3 stay as they are."""
    if isinstance(entry.get(_SERIALIZED), str):
        return Unread(base64.b64decode(entry[_SERIALIZED]), f"is a pickle of {entry.get(':type:')}")
    return entry


def _why(error: Exception, stream: BinaryIO) -> str:
    """Why a file cannot be read, to go on behind its name; torch's own words advise to run its code."""
    message = str(error)
    named = _UNSUPPORTED.findall(message)
    if "allow_pickle" in message:  # numpy, of objects in its own files
        error = NeedsCodeError("an array of objects")
    if named or isinstance(error, NeedsCodeError):
        names = ", ".join(sorted({*named, *_globals(stream)})) if named else str(error)
        return (
            f"holds {names}, which only running code from the file can read; save what is in there as "
            "tensors, numbers, text, lists and dicts"
        )
    if "TorchScript" in message:
        return "is a TorchScript archive, which is code; save the module's state_dict() instead"
    if "Unsupported operand" in message:
        return (
            "is a pickle of a kind that only running code from it can read; save with torch.save, and leave "
            "its pickle protocol as it is"
        )
    first = next(iter(message.splitlines()), "").partition(". ")[0]
    return f"is damaged, or no checkpoint ({type(error).__name__}{f': {first}' if first else ''})"


def _globals(stream: BinaryIO) -> list[str]:
    """Everything that a file of torch names and that is no plain data, as far as torch can list it."""
    stream.seek(0)
    try:
        with torch.serialization.safe_globals([]):
            return torch.serialization.get_unsafe_globals_in_checkpoint(stream)
    except Exception:  # of an older format, or damaged behind the first name
        return []

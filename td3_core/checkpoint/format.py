# SPDX-License-Identifier: MIT
"""Checkpoint files: plain data, sealed, written all or nothing, and read without running code from them."""

from __future__ import annotations

import os
import stat
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from td3_core.checkpoint import archive, seal
from td3_core.checkpoint.contents import SECTIONS
from td3_core.checkpoint.plain_data import plain_data
from td3_core.checkpoint.plain_pickle import MalformedError
from td3_core.checkpoint.replacing import replacing
from td3_core.checkpoint.seal import BrokenSealError, Identity
from td3_core.errors import CheckpointError
from td3_core.interrupts import held_back, uncovered
from td3_core.quoting import quoted, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import FileIO

#: 1: without a seal. 2: sealed with SHA-256. 3: sealed with XXH3; the config has ``channels_last``.
FORMAT_VERSION = 3
_PIECE = 8 * 1024 * 1024  # bytes to read at once


def inspect_checkpoint(path: str | os.PathLike[str]) -> Identity:
    """What a checkpoint says of itself, once every byte of it is verified; nothing is parsed or loaded.

    Raises:
        CheckpointError: The file cannot be read, is damaged, or has no seal.
    """
    data = _read(path)
    if not seal.is_sealed(data):
        raise CheckpointError(
            f"{path} has no seal: it is damaged, or not a checkpoint of format version 2 or later"
        )
    return _verified(path, data)[0]


def parse_checkpoint(path: str | os.PathLike[str], *, unversioned: bool = False) -> dict[str, Any]:
    """The contents of a file of this format, not yet compared with anything. Raises CheckpointError.

    With ``unversioned``, also those of a dict of state dicts as it was written before there was a format.
    The file is read once. Of a sealed one no byte is parsed before all of them are verified; of one without
    a seal, every record is compared with its checksum. Tensors are views of the bytes that were read.
    """
    data = _read(path)
    identity, comment_size = (None, 0)
    if seal.is_sealed(data):
        identity, comment_size = _verified(path, data)
        _refuse_newer(path, identity.format_version)
    try:
        records = archive.directory(data, comment_size)
        if identity is None:
            _compare_checksums(data, records)
        contents = archive.unpack(data, records)
    except MalformedError as error:
        raise CheckpointError(f"{path} is not a checkpoint: {error}") from error
    except Exception as error:
        raise CheckpointError(f"{path} is not a checkpoint or damaged ({type(error).__name__})") from error
    if isinstance(contents, dict) and "format_version" not in contents and identity is None:
        if unversioned and all(type(key) is str for key in contents):
            return contents
        raise CheckpointError(f"{path} {_told_of_unversioned(contents)}")
    if not isinstance(contents, dict) or "format_version" not in contents:
        raise CheckpointError(f"{path} is not a checkpoint of TD3: it has no format_version")
    version = contents["format_version"]
    _refuse_newer(path, version)
    if type(version) is not int or version != (1 if identity is None else identity.format_version):
        raise CheckpointError(
            f"{path}: format_version is {quoted(version)} in its contents, which does not go with "
            + ("a file without a seal" if identity is None else f"{identity.format_version!r} in its seal")
        )
    return contents


def write_checkpoint(path: str | os.PathLike[str], contents: Mapping[str, Any]) -> None:
    """Write ``contents`` so that ``path`` holds all of it or what it held before. Raises CheckpointError."""
    refuse_unwritable(path)
    data = plain_contents(path, {**contents, "format_version": FORMAT_VERSION})
    try:
        with uncovered(), held_back(), replacing(Path(path)) as file, seal.sealing(file) as sealed:
            torch.save(data, sealed)  # type: ignore[arg-type]  # which is only written to
            sealed.seal(Identity.of(data))
    except (OSError, RuntimeError, MemoryError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else shortened(error)
        raise CheckpointError(f"{path} cannot be written: {reason}") from error


def plain_contents(
    path: str | os.PathLike[str], contents: Mapping[str, Any], *, copy: bool = False
) -> dict[str, Any]:
    """``contents`` as they are written and read back; see `plain_data`.

    Raises:
        CheckpointError: Something in them could not be read back; the message names ``path`` and the key.
    """
    try:
        data: dict[str, Any] = plain_data(contents, copy=copy)
    except CheckpointError as error:
        raise CheckpointError(f"{path} is not written: {error}") from error
    return data


def refuse_unwritable(path: str | os.PathLike[str]) -> None:
    """Raise CheckpointError where ``path`` names no file: it holds NUL, or is a link without an end."""
    try:
        endless = os.path.islink(os.path.realpath(path))
    except ValueError as error:
        raise CheckpointError(f"{quoted(os.fspath(path))} cannot be written: {error}") from error
    if endless:
        raise CheckpointError(f"{path} cannot be written: it is a link that leads back to itself")


def _read(path: str | os.PathLike[str]) -> memoryview:
    """All bytes of a file."""
    try:
        # Without O_NONBLOCK, opening a pipe waits for somebody to write into it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise CheckpointError(f"{path} cannot be read: Is a directory")
            if not stat.S_ISREG(status.st_mode):
                raise CheckpointError(f"{path} cannot be read: it is not a regular file")
            if status.st_size == 0:
                raise CheckpointError(f"{path} is empty")
            data = np.empty(status.st_size, np.uint8).data  # not cleared first, as a bytearray is
            _fill(file, data, path)
            return data
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise CheckpointError(f"{path} cannot be read: it does not fit into memory") from error
    except ValueError as error:  # NUL in its name
        raise CheckpointError(f"{quoted(os.fspath(path))} cannot be read: {error}") from error


def _fill(file: FileIO, data: memoryview, path: str | os.PathLike[str]) -> None:
    """Read a whole file into ``data``, so little at once that an interrupt has not to wait."""
    position = 0
    while position < len(data):
        count = file.readinto(data[position : position + _PIECE])
        if not count:
            raise CheckpointError(f"{path} became shorter while it was read")
        position += count
    if file.read(1):
        raise CheckpointError(f"{path} became longer while it was read")


def _verified(path: str | os.PathLike[str], data: memoryview) -> tuple[Identity, int]:
    try:
        return seal.verify(data)
    except BrokenSealError as error:
        raise CheckpointError(f"{path} {error}") from error


def _told_of_unversioned(contents: Mapping[Any, Any]) -> str:
    """What is said of contents without a version: which pieces of a checkpoint they have and lack."""
    if not any(section in contents for section in SECTIONS):
        return "is not a checkpoint of TD3: it has no format_version"
    missing = [section for section in SECTIONS if section not in contents]
    return (
        "is a checkpoint from before there was a format. It lacks "
        + ", ".join(missing)
        + "; allow_partial=True, or td3-train --resume FILE --allow-partial, loads the rest"
    )


def _refuse_newer(path: str | os.PathLike[str], version: Any) -> None:
    if type(version) is int and version > FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format version {version}, of a newer td3_core; this one reads versions up to "
            f"{FORMAT_VERSION}"
        )


def _compare_checksums(data: memoryview, records: Mapping[str, archive.Record]) -> None:
    for name, record in records.items():
        if zlib.crc32(data[record.start : record.start + record.size]) != record.crc:
            raise MalformedError(f"its record {quoted(name)} is damaged")

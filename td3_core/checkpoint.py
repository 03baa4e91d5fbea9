# SPDX-License-Identifier: MIT
"""Checkpoint files: plain data written all or nothing, and read back without running any code from them."""

from __future__ import annotations

import os
import sys
import uuid
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

FORMAT_VERSION = 1


class CheckpointError(Exception):
    """A checkpoint that cannot be written, read or restored; the message names the file or the piece."""


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The contents of a checkpoint, verified against the config in it; no agent is needed.

    Raises:
        CheckpointError: The file cannot be read, or its contents do not make up an agent; the message
            lists every missing, unexpected or misshapen piece by name.
    """
    from td3_core.agent import TD3  # not on top: the agent itself reads and writes checkpoints
    from td3_core.state import config_of, refuse_mismatches

    contents = parse_checkpoint(path)
    config, problems = config_of(contents)
    if config is None:
        raise CheckpointError(f"{path}: " + "; ".join(problems))
    refuse_mismatches(TD3(config, seed=0), contents, source=path)
    return contents


def parse_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The contents of a file of this format, not yet compared with anything. Raises CheckpointError."""
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise CheckpointError(f"{path} is empty")
            if not zipfile.is_zipfile(file):
                raise CheckpointError(f"{path} is not a checkpoint, or the end of it is missing")
            file.seek(0)
            contents = torch.load(file, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:
        # torch's own message may advise weights_only=False, which would run code from a damaged file.
        raise CheckpointError(
            f"{path} is damaged or holds more than plain data ({type(error).__name__})"
        ) from error
    if not isinstance(contents, dict) or "format_version" not in contents:
        raise CheckpointError(f"{path} is not a checkpoint of TD3: it has no format_version")
    if contents["format_version"] != FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: format_version is {contents['format_version']!r}, only {FORMAT_VERSION} can be read"
        )
    return contents


def write_checkpoint(path: str | os.PathLike[str], contents: Mapping[str, Any]) -> None:
    """Write ``contents`` so that ``path`` holds all of it or what it held before. Raises CheckpointError."""
    path = Path(path)
    data = plain_data({"format_version": FORMAT_VERSION, **contents}, "")
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")  # in the same folder: os.replace is atomic there
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                torch.save(data, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CheckpointError(f"{path} cannot be written: {reason}") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut, where the system lets folders be opened."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def plain_data(value: Any, where: str, *, copy: bool = False) -> Any:
    """``value`` in new dicts, lists and tuples, its tensors detached, on the CPU, each filling its storage.

    Containers are never shared and strings are interned, so that equal contents pickle to equal bytes.
    With ``copy`` the tensors share no memory with ``value``.
    Raises CheckpointError, naming the place, for anything that a reader without code could not restore.
    """
    if isinstance(value, torch.Tensor):
        tensor = value.detach().cpu()
        fills_storage = tensor.untyped_storage().nbytes() == tensor.nbytes
        return tensor if fills_storage and not copy else tensor.clone()
    if isinstance(value, Mapping):
        for key in value:
            if type(key) not in (str, int):
                raise CheckpointError(
                    f"{where or 'the checkpoint'} has the key {key!r}: keys are strings or integers"
                )
        return {
            sys.intern(key) if isinstance(key, str) else key: plain_data(item, f"{where}[{key!r}]", copy=copy)
            for key, item in value.items()
        }
    if type(value) in (list, tuple):
        return type(value)(
            plain_data(item, f"{where}[{index}]", copy=copy) for index, item in enumerate(value)
        )
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) is str:
        return sys.intern(value)
    if value is None or type(value) in (bool, int, float, bytes):
        return value
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise CheckpointError(
        f"checkpoint{where} is a {kind}, which is not plain data: "
        "allowed are dicts, lists, tuples, tensors, numbers, strings, bytes, booleans and None"
    )

# SPDX-License-Identifier: MIT
"""Plain data: what a checkpoint may hold, because a reader without code can restore it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from td3_core.checkpoint import archive
from td3_core.errors import CheckpointError


def plain_data(value: Any, where: str, *, copy: bool = False) -> Any:
    """``value`` in new dicts, lists and tuples, its tensors detached, on the CPU, each filling its storage.

    Containers are never shared and strings are interned, so that equal contents pickle to equal bytes.
    With ``copy`` the tensors share no memory with ``value``.
    Raises CheckpointError, naming the place, for anything that a reader without code could not restore.
    """
    if isinstance(value, torch.Tensor):
        if value.layout is not torch.strided or value.dtype not in archive.DTYPES.values():
            raise CheckpointError(
                f"checkpoint{where} is a tensor of {value.dtype}, which cannot be read back"
            )
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
    if type(value) is bytes and not value:
        raise CheckpointError(f"checkpoint{where} is empty bytes, which torch.load does not read")
    if value is None or type(value) in (bool, int, float, bytes):
        return value
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise CheckpointError(
        f"checkpoint{where} is a {kind}, which is not plain data: "
        "allowed are dicts, lists, tuples, tensors, numbers, strings, bytes, booleans and None"
    )

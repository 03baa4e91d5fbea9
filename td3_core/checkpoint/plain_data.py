# SPDX-License-Identifier: MIT
"""Plain data: what a checkpoint may hold, because a reader without code can restore it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from td3_core.checkpoint import archive
from td3_core.checkpoint.bounds import MAX_DEPTH, NUMBER, SLOT, ExceededError, WritersPurse, disjoint
from td3_core.errors import CheckpointError
from td3_core.quoting import quoted, shortened

_LONGEST_PLACE = 500


def plain_data(value: Any, *, copy: bool = False) -> Any:
    """``value`` in new dicts, lists and tuples, its tensors detached, on the CPU, each filling its storage.

    Containers and tensors are never shared and strings are interned, so that equal contents pickle to equal
    bytes. With ``copy`` the tensors share no memory with ``value``.
    Raises CheckpointError, naming the place, for anything that a reader without code could not restore.
    """
    try:
        return _Plain(copy=copy).of(value, 1)
    except _Unfit as unfit:
        place = "".join(f"[{quoted(key)}]" for key in reversed(unfit.keys))
        if len(place) > _LONGEST_PLACE:
            place = place[:_LONGEST_PLACE] + "..."
        raise CheckpointError(f"checkpoint{place} {unfit.reason}") from unfit.__cause__


class _Unfit(Exception):  # noqa: N818  # always becomes a CheckpointError
    """Something is not plain data; the keys under which it lies are added from the inside out."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.keys: list[Any] = []


class _Plain:
    """One walk through the contents of a checkpoint, which pays for them as the reader will."""

    def __init__(self, *, copy: bool) -> None:
        self._copy = copy
        self._purse = WritersPurse()
        self._strings: set[str] = set()
        self._encoded: set[int] = set()
        self._storages: set[int] = set()

    def of(self, value: Any, depth: int) -> Any:
        try:
            return self._of(value, depth)
        except ExceededError as error:
            raise _Unfit(f"holds, or comes after, {error}") from error

    def _of(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise _Unfit(f"is nested more than {MAX_DEPTH} deep")
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, Mapping):
            return self._dict(value, depth)
        if type(value) in (list, tuple):
            return self._sequence(value, depth)
        if isinstance(value, np.generic):
            value = value.item()
        if type(value) is str:
            return self._text(value)
        if type(value) is bytes:
            return self._bytes(value)
        if value is None or type(value) is bool:
            self._purse.pay(SLOT)
        elif type(value) is float:
            self._purse.pay(NUMBER)
        elif type(value) is int:
            self._purse.integer(_integer_size(value))
        else:
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            raise _Unfit(
                f"is a {quoted(kind)[1:-1]}, which is not plain data: "
                "allowed are dicts, lists, tuples, tensors, numbers, strings, bytes, booleans and None"
            )
        return value

    def _dict(self, value: Mapping[Any, Any], depth: int) -> dict[Any, Any]:
        self._purse.container(len(value))
        self._purse.entries(0, len(value))
        result: dict[Any, Any] = {}
        for key, item in value.items():
            if type(key) is str:
                name: Any = self._text(key)
            elif type(key) is int and -(2**63) <= key < 2**63:
                name = key
                self._purse.integer(_integer_size(key))
                self._purse.integer_key(len(result))
            else:
                raise _Unfit(f"has the key {quoted(key)}: keys are strings or integers of 64 bits")
            try:
                result[name] = self.of(item, depth + 1)
            except _Unfit as unfit:
                unfit.keys.append(key)
                raise
        return result

    def _sequence(self, value: list[Any] | tuple[Any, ...], depth: int) -> Any:
        if value == ():  # there is only one, to which no pickle refers
            self._purse.pay(SLOT)
            return value
        self._purse.container(len(value))
        result = []
        for index, item in enumerate(value):
            try:
                result.append(self.of(item, depth + 1))
            except _Unfit as unfit:
                unfit.keys.append(index)
                raise
        return result if type(value) is list else tuple(result)

    def _text(self, value: str) -> str:
        if value in self._strings:
            self._purse.pay(SLOT)
        else:
            self._purse.string(value)
            self._strings.add(value)
        return sys.intern(value)

    def _bytes(self, value: bytes) -> bytes:
        if not value:
            raise _Unfit("is empty bytes, which torch.load does not read")
        if id(value) in self._encoded:  # the pickle refers to it, and the result keeps it alive
            self._purse.pay(SLOT)
        else:
            self._purse.encoded(value)
            self._encoded.add(id(value))
        return value

    def _tensor(self, value: torch.Tensor) -> torch.Tensor:
        if value.layout is not torch.strided or value.is_nested or value.is_meta:
            kind = "on the meta device" if value.is_meta else f"of layout {value.layout}"
            raise _Unfit(f"is a tensor {kind}, which has no elements to save")
        if value.dtype not in archive.DTYPES.values():
            raise _Unfit(f"is a tensor of {value.dtype}, which cannot be read back")
        self._purse.tensor()
        self._purse.dimensions(value.dim())
        try:
            tensor = value.detach().cpu().resolve_neg()
            if type(tensor) is not torch.Tensor:
                tensor = tensor.as_subclass(torch.Tensor)
            storage = tensor.untyped_storage()
            alone = storage.data_ptr() not in self._storages and disjoint(tensor.shape, tensor.stride())
            if self._copy or not alone or storage.nbytes() != tensor.nbytes:
                tensor = tensor.clone()
        except Exception as error:
            raise _Unfit(f"is a tensor that cannot be copied to the CPU ({shortened(error)})") from error
        if tensor.nbytes:
            self._storages.add(tensor.untyped_storage().data_ptr())
        return tensor


def _integer_size(value: int) -> int:
    """Bytes of an integer in a pickle, where it has more than four."""
    return 0 if -(2**31) <= value < 2**31 else (~value if value < 0 else value).bit_length() // 8 + 1

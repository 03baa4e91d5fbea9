# SPDX-License-Identifier: MIT
"""Arrays and tensors as JSON: dtype, shape, layout, and the bytes of the elements in base64."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import torch


def is_plain_array(value: Any) -> bool:
    """Whether dtype, shape, layout and bytes are all of an array of numpy, or of a single number of it."""
    plain = type(value) is np.ndarray or isinstance(value, np.generic)
    return plain and not (value.dtype.hasobject or value.dtype.names)


def array_to_json(array: Any) -> dict[str, Any]:
    """An array as ``dtype``, ``shape``, ``order`` and ``bytes``; what is in no order is written in C's."""
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    return {
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        "order": order,
        "bytes": text_of_bytes(array.tobytes(order)),
    }


def array_from_json(dtype: str, shape: list[int], order: Any, bytes: str) -> np.ndarray[Any, Any]:  # noqa: A002
    """The array that :func:`array_to_json` described."""
    flat: np.ndarray[Any, Any] = np.frombuffer(base64.b64decode(bytes), dtype)
    return flat.reshape(shape, order=order).copy(order)


def is_plain_tensor(tensor: Any) -> bool:
    """Whether dtype, shape, strides and bytes are all of a tensor."""
    return (
        type(tensor) is torch.Tensor
        and tensor.layout is torch.strided
        and tensor.device.type == "cpu"
        and not (vars(tensor) or tensor.requires_grad or tensor.is_conj() or tensor.is_neg())
    )


def tensor_to_json(tensor: torch.Tensor) -> dict[str, Any]:
    """A tensor as ``dtype``, ``shape``, ``strides`` and ``bytes``; gaps between its elements are left out."""
    raw = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
    return {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
        "strides": list(torch.empty_like(tensor).stride()),
        "bytes": text_of_bytes(raw),
    }


def tensor_from_json(dtype: str, shape: list[int], strides: list[int], bytes: str) -> torch.Tensor:  # noqa: A002
    """The tensor that :func:`tensor_to_json` described."""
    kind, raw = getattr(torch, dtype), bytearray(base64.b64decode(bytes))
    tensor = torch.empty_strided(shape, strides, dtype=kind)
    return tensor.copy_(torch.frombuffer(raw, dtype=kind).reshape(shape)) if raw else tensor


def text_of_bytes(raw: bytes) -> str:
    """Bytes in base64."""
    return base64.b64encode(raw).decode("ascii")

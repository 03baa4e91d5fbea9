# SPDX-License-Identifier: MIT
"""Values as bytes: two values are the same exactly if their encodings are."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np
import torch

#: Longer encodings are replaced by a hash, so that a trace of many snapshots stays small.
_INLINE = 64

SCALARS = (
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    type(None),
    type(Ellipsis),
    np.generic,
    torch.dtype,
    torch.device,
)


def digest(data: bytes) -> bytes:
    """``data`` itself if it is short, else a 128-bit hash of it."""
    if len(data) <= _INLINE:
        return data
    return hashlib.blake2b(data, digest_size=16).digest()


def tensor_array(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """The raw bytes of a tensor's elements in logical order, as a flat uint8 array that owns its memory."""
    flat = tensor.detach()
    if flat.is_meta:  # it has no data
        return np.empty(0, np.uint8)
    if flat.layout is not torch.strided:
        flat = flat.to_dense()
    if flat.is_cpu and flat.is_contiguous() and not (flat.is_quantized or flat.is_conj() or flat.is_neg()):
        return flat.view(-1).view(torch.uint8).numpy().copy() if flat.numel() else np.empty(0, np.uint8)
    if flat.is_quantized:
        flat = flat.int_repr()
    flat = flat.resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().copy() if flat.numel() else np.empty(0, np.uint8)


def normalized_strides(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """Strides with those of dimensions of length one, which address nothing, set to zero."""
    if 0 in shape:
        return ()
    return tuple(0 if size == 1 else stride for size, stride in zip(shape, strides, strict=True))


def scalar_bytes(value: object) -> bytes:
    """The bytes of a Python, numpy or torch scalar; distinguishes -0.0 from 0.0 and NaN payloads."""
    if isinstance(value, np.generic):
        return value.tobytes()
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, complex):
        return struct.pack("<dd", value.real, value.imag)
    if isinstance(value, bytes):
        return value
    return repr(value).encode("utf-8", "backslashreplace")

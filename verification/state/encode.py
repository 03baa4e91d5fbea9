# SPDX-License-Identifier: MIT
"""Values as bytes: two values are the same exactly if their encodings are."""

from __future__ import annotations

import datetime
import decimal
import fractions
import struct
import uuid
import warnings
from typing import Any

import numpy as np
import torch
import xxhash

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
    decimal.Decimal,
    fractions.Fraction,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    datetime.timezone,
    uuid.UUID,
)
# Dtypes of which numpy knows more than the size: the usual ones.
_OF_NUMPY = frozenset({torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool})
_PLAIN = frozenset({bool, int, str, type(None)})
# A subclass may print itself as it likes; what these print tells values apart.
_PRINTED = tuple(kind for kind in SCALARS if kind not in {float, complex, bytes, np.generic})

# Of the 16 (or 12) bytes of an x87 number only ten are read; what the others hold is left to chance.
_X87_BYTES = 10 if np.finfo(np.longdouble).nmant == 63 else None


def digest(data: bytes | memoryview) -> bytes:
    """The bytes of ``data`` if they are few, else a 128-bit hash of them.

    Nobody who could profit chooses what is hashed: it has to be fast and to spread well, no more.
    """
    return bytes(data) if len(data) <= _INLINE else xxhash.xxh3_128_digest(data)


def tensor_array(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """The raw bytes of a tensor's elements in logical order, as a flat uint8 array.

    Of a sparse tensor they are those of its indices and values, of a nested one those of its components,
    of a meta tensor none. The memory is the tensor's own where that has the same order.
    """
    flat = tensor.detach()
    if flat.is_meta:  # it has no data
        return np.empty(0, np.uint8)
    if flat.is_nested:
        return _joined(flat.unbind())
    if flat.layout is not torch.strided:
        return _joined(sparse_parts(flat).values())
    if flat.is_quantized:
        return _quantized(flat)
    if flat.is_conj() or flat.is_neg():
        flat = flat.resolve_conj().resolve_neg()
    elements = flat.numel()
    if not elements:
        return np.empty(0, np.uint8)
    storage, width, offset = flat.untyped_storage(), flat.element_size(), flat.storage_offset()
    # Every dtype and layout is bytes at some strides, also those that torch itself can do nothing with.
    if flat.is_contiguous():  # by torch's word: a dimension of length one may have any stride
        shape: tuple[int, ...] = (elements * width,)
        strides: tuple[int, ...] = (1,)
        end = offset + elements
    else:
        shape, strides = (*flat.shape, width), (*(width * stride for stride in flat.stride()), 1)
        end = offset + 1 + sum((n - 1) * stride for n, stride in zip(flat.shape, flat.stride(), strict=True))
    if end * width > storage.nbytes():  # torch would make it larger
        raise ValueError(f"its memory has {storage.nbytes()} of {end * width} bytes")
    if flat.dtype in _OF_NUMPY and flat.is_cpu:
        return np.ascontiguousarray(flat.numpy()).reshape(-1).view(np.uint8)
    raw = torch.empty(0, dtype=torch.uint8, device=flat.device)
    raw = raw.set_(storage, offset * width, shape, strides)
    return raw.cpu().contiguous().view(-1).numpy()


def sparse_parts(tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """The strided tensors that a sparse tensor is made of; of another opaque layout, the dense equivalent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that some layouts are experimental
        if tensor.layout is torch.sparse_coo:
            return {"indices": tensor._indices(), "values": tensor._values()}  # noqa: SLF001 - uncoalesced, too
        if tensor.layout in {torch.sparse_csr, torch.sparse_bsr}:
            compressed = {"crow_indices": tensor.crow_indices(), "col_indices": tensor.col_indices()}
            return {**compressed, "values": tensor.values()}
        if tensor.layout in {torch.sparse_csc, torch.sparse_bsc}:
            compressed = {"ccol_indices": tensor.ccol_indices(), "row_indices": tensor.row_indices()}
            return {**compressed, "values": tensor.values()}
        return {"dense": tensor.to_dense()}


def quantizer(tensor: torch.Tensor) -> tuple[Any, ...]:
    """What the integers of a quantized tensor stand for: its scheme, scales and zero points."""
    scheme = tensor.qscheme()
    if scheme in {torch.per_tensor_affine, torch.per_tensor_symmetric}:
        return str(scheme), tensor.q_scale(), tensor.q_zero_point()
    scales, points = tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points()
    return str(scheme), tuple(scales.tolist()), tuple(points.tolist()), tensor.q_per_channel_axis()


def _quantized(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    if tensor.dtype in {torch.quint4x2, torch.quint2x4}:  # several elements in one byte
        storage = tensor.untyped_storage()
        return torch.empty(0, dtype=torch.uint8).set_(storage).numpy().copy()
    return tensor_array(tensor.int_repr())


def _joined(parts: Any) -> np.ndarray[Any, Any]:
    """The bytes of several tensors, each after their number."""
    arrays = [tensor_array(part) for part in parts]
    lengths = [np.frombuffer(struct.pack("<q", len(array)), np.uint8) for array in arrays]
    pieces = [piece for pair in zip(lengths, arrays, strict=True) for piece in pair]
    return np.concatenate(pieces) if pieces else np.empty(0, np.uint8)


def normalized_strides(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """Strides with those of dimensions of length one, which address nothing, set to zero."""
    if 0 in shape:
        return ()
    return tuple(0 if size == 1 else stride for size, stride in zip(shape, strides, strict=True))


def array_bytes(array: np.ndarray[Any, Any]) -> bytes:
    """The bytes of an array's elements in logical order, without padding; objects are not among them."""
    dtype = array.dtype
    if dtype.names is not None:
        fields = [array_bytes(array[name]) for name in dtype.names]
        return b"".join(struct.pack("<q", len(field)) + field for field in fields)
    if dtype.kind == "T":  # strings that lie elsewhere
        return repr(array.tolist()).encode("utf-8", "backslashreplace")
    if dtype.hasobject:
        return b""
    if _X87_BYTES and dtype.kind in "fc" and dtype.char in "gG":
        numbers = np.ascontiguousarray(array).reshape(-1).view(np.longdouble)
        raw = numbers.view(np.uint8).reshape(-1, np.longdouble(0).itemsize)
        return raw[:, :_X87_BYTES].tobytes()
    return np.ascontiguousarray(array).tobytes()


def dtype_name(dtype: np.dtype[Any]) -> str:
    """All that tells a dtype from others: byte order, fields, offsets."""
    return str(dtype) if dtype.names is not None or dtype.kind == "T" else dtype.str


def scalar_bytes(value: object) -> bytes:
    """The bytes of a Python, numpy or torch scalar; distinguishes -0.0 from 0.0 and NaN payloads."""
    if type(value) in _PLAIN:
        return repr(value).encode("utf-8", "backslashreplace")
    if isinstance(value, float) and not isinstance(value, np.generic):
        return struct.pack("<d", value)
    if isinstance(value, np.generic):
        return array_bytes(np.asarray(value)) if value.dtype.char in "gGV" else value.tobytes()
    if isinstance(value, complex):
        return struct.pack("<dd", value.real, value.imag)
    if isinstance(value, bytes):
        return bytes(value)
    printed = next((kind for kind in _PRINTED if isinstance(value, kind)), type(value))
    return printed.__repr__(value).encode("utf-8", "backslashreplace")

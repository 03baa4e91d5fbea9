# SPDX-License-Identifier: MIT
"""How the walker visits tensors, arrays, and other memory that is known by its bytes."""

from __future__ import annotations

import array
import ctypes
import io
import mmap
from multiprocessing import shared_memory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from verification.errors import MISTAKES
from verification.state.encode import (
    array_bytes,
    dtype_name,
    normalized_strides,
    quantizer,
    sparse_parts,
    tensor_array,
)
from verification.state.introspect import type_name
from verification.state.walker import MOST_KEPT

if TYPE_CHECKING:
    from verification.state.walker import Walker

#: Objects that give their memory away.
BUFFERS = (bytearray, memoryview, array.array, mmap.mmap)
C_DATA = (ctypes._SimpleCData, ctypes.Structure, ctypes.Union, ctypes.Array, ctypes._Pointer)  # noqa: SLF001

_PLAIN_TENSORS = frozenset({torch.Tensor, torch.nn.Parameter})
# A masked array's mask and fill value may be stated or implied; the rest is bookkeeping of views.
_MASKED_BOOKKEEPING = frozenset(
    {"_mask", "_fill_value", "_sharedmask", "_isfield", "_baseclass", "_basedict", "_optinfo"}
)
_SHARED_BOOKKEEPING = frozenset({"_wrapper"})  # where in the memory that processes share it lies
_MEMMAP_BOOKKEEPING = frozenset({"_mmap"})  # the memory that the array shows


def visit_tensor(walker: Walker, tensor: torch.Tensor, path: str, role: str, depth: int) -> None:
    """A tensor of any layout, dtype and subclass."""
    if walker.seen(tensor, path, role):
        return
    if type(tensor) in _PLAIN_TENSORS:
        _record_tensor(walker, tensor, path, role)
        _visit_attributes(walker, tensor, path, role, depth)
        return
    with torch._C.DisableTorchFunctionSubclass():  # noqa: SLF001 - a subclass is not asked
        _record_subclass(walker, tensor, path, role)
        _visit_attributes(walker, tensor, path, role, depth)


def _visit_attributes(walker: Walker, tensor: torch.Tensor, path: str, role: str, depth: int) -> None:
    if tensor.is_leaf and tensor.grad is not None:
        walker.visit(tensor.grad, f"{path}.grad", "context", depth + 1)
    if tensor._backward_hooks:  # noqa: SLF001 - there is no other way to them
        for index, hook in enumerate(tensor._backward_hooks.values()):  # noqa: SLF001
            walker.visit(hook, f"{path}._backward_hooks.values()[{index}]", role, depth + 1)
    if tensor.is_nested:  # what a subclass of torch's own is made of was recorded
        return
    if tensor.__dict__ or type(tensor) not in _PLAIN_TENSORS:
        walker.children(tensor, path, role, depth)


def _record_tensor(walker: Walker, tensor: torch.Tensor, path: str, role: str) -> None:
    strided = tensor.layout is torch.strided and not tensor.is_nested
    if role == "context":  # never compared; what shares its memory is
        if strided:
            _shared_storage(walker, tensor, path)
        walker.record(path, role, "tensor", b"", None)
        return
    shape: Any = tuple(tensor.shape) if not tensor.is_nested else tuple(one.shape for one in tensor.unbind())
    raw = tensor_array(tensor)
    more: dict[str, object] = {"quantizer": quantizer(tensor)} if tensor.is_quantized else {}
    if not strided and not tensor.is_nested:
        parts = sparse_parts(tensor)
        more["parts"] = tuple((name, str(part.dtype), tuple(part.shape)) for name, part in parts.items())
        more["coalesced"] = tensor.layout is not torch.sparse_coo or tensor.is_coalesced()
    walker.record_memory(
        path,
        role,
        "tensor",
        raw.data,
        None if tensor.is_nested else lambda: _copy_of_tensor(tensor),
        type=type_name(tensor),
        dtype=tensor.dtype,
        shape=shape,
        layout=tensor.layout,
        strides=normalized_strides(shape, tensor.stride()) if strided else None,
        device=str(tensor.device),
        requires_grad=tensor.requires_grad,
        storage=_shared_storage(walker, tensor, path) if strided else None,
        **more,
    )


def _record_subclass(walker: Walker, tensor: torch.Tensor, path: str, role: str) -> None:
    """A subclass may have no memory of its own: then it is made of the tensors among its attributes."""
    meta = {"type": type_name(tensor), "dtype": tensor.dtype}
    if isinstance(tensor, UninitializedParameter | UninitializedBuffer):
        walker.record(path, role, "tensor", b"", "uninitialized", **meta, shape=None)
        return
    try:
        _record_tensor(walker, tensor, path, role)
    except MISTAKES as error:  # reading memory that is not there
        shape = tuple(map(str, tensor.shape))
        walker.record(path, role, "tensor", b"", None, **meta, shape=shape)
        if not any(isinstance(one, torch.Tensor) for one in vars(tensor).values()):
            walker.opaque[path] = f"{type_name(tensor)} without memory ({type(error).__name__})"


def _shared_storage(walker: Walker, tensor: torch.Tensor, path: str) -> str | None:
    if not tensor.numel() or tensor.device.type == "meta":
        return None
    return walker.first_on(tensor.untyped_storage().data_ptr(), path)


def _copy_of_tensor(tensor: torch.Tensor) -> torch.Tensor | None:
    if tensor.numel() * tensor.element_size() > MOST_KEPT:  # a sparse one, as it would be if it were dense
        return None
    try:
        return tensor.detach().clone() if tensor.layout is torch.strided else tensor.detach().to_dense()
    except RuntimeError:  # a dtype that torch cannot copy
        return None


def visit_array(walker: Walker, given: np.ndarray[Any, Any], path: str, role: str, depth: int) -> None:
    """An array of any dtype and subclass."""
    if walker.seen(given, path, role):
        return
    # A subclass answers in its own way, without what is masked for one; its memory does not.
    plain = given if type(given) is np.ndarray else np.ndarray.view(given, np.ndarray)
    owner = given
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    walker.record_memory(
        path,
        role,
        "array",
        array_bytes(plain),
        plain.copy,
        type=type_name(given),
        dtype=dtype_name(plain.dtype),
        shape=plain.shape,
        strides=normalized_strides(plain.shape, plain.strides),
        storage=walker.first_on(owner.__array_interface__["data"][0], path) if plain.size else None,
    )
    if plain.dtype.hasobject and plain.dtype.kind in "OV":
        structured = plain.dtype.names is not None
        for index, item in enumerate(plain.flat):
            walker.visit(item.item() if structured else item, f"{path}.flat[{index}]", role, depth + 1)
    if isinstance(given, np.ma.MaskedArray):
        _visit_mask(walker, given, path, role, depth)
    elif type(given) is not np.ndarray:
        skip = _MEMMAP_BOOKKEEPING if isinstance(given, np.memmap) else frozenset()
        walker.children(given, path, role, depth, skip=skip)


def _visit_mask(walker: Walker, masked: Any, path: str, role: str, depth: int) -> None:
    held = vars(masked)
    walker.visit(np.ma.getmaskarray(masked), f"{path}.mask", role, depth + 1)
    fill = held.get("_fill_value")
    if fill is None:  # to ask for it would set it
        fill = np.ma.empty(0, masked.dtype).fill_value
    walker.visit(np.asarray(fill)[()], f"{path}.fill_value", role, depth + 1)
    walker.visit(held.get("_optinfo"), f"{path}._optinfo", role, depth + 1)
    walker.children(masked, path, role, depth, skip=_MASKED_BOOKKEEPING)


def visit_buffer(walker: Walker, given: Any, path: str, role: str, depth: int) -> None:
    """An object that gives its memory away, such as a bytearray."""
    if walker.seen(given, path, role):
        return
    with memoryview(given) as view:
        _record_bytes(walker, given, view.tobytes(), path, role, dtype=view.format, shape=view.shape)
    walker.children(given, path, role, depth)


def visit_shared_memory(walker: Walker, given: Any, path: str, role: str, depth: int) -> None:
    """A block of shared memory: its bytes, not the name that it happened to get."""
    if walker.seen(given, path, role):
        return
    memory = given if isinstance(given, shared_memory.SharedMemory) else given.shm
    data = bytes(memory.buf) if memory.buf is not None else b""
    _record_bytes(walker, given, data, path, role, dtype="B", shape=(len(data),))


def visit_bytes_io(walker: Walker, stream: Any, path: str, role: str, depth: int) -> None:
    """A file in memory: its content, and where it is read or written next."""
    if walker.seen(stream, path, role):
        return
    walker.record(path, role, "object", type_name(stream).encode(), type_name(stream))
    if not stream.closed:
        walker.visit(stream.getvalue(), f"{path}.getvalue()", role, depth + 1)
        walker.visit(stream.tell(), f"{path}.tell()", role, depth + 1)
    walker.children(stream, path, role, depth)


IN_MEMORY_FILES = (io.BytesIO, io.StringIO)


def visit_c_data(walker: Walker, given: Any, path: str, role: str, depth: int) -> None:
    """A value of ``ctypes``: what it holds, and instead of an address what lies there, if that is known."""
    if walker.seen(given, path, role):
        return
    if isinstance(given, ctypes.Structure):
        walker.record(path, role, "object", type_name(given).encode(), type_name(given))
        for base in reversed(type(given).__mro__):
            for name, *_ in vars(base).get("_fields_", ()):
                walker.visit(getattr(given, name), f"{path}.{name}", role, depth + 1)
    elif isinstance(given, ctypes._Pointer):  # noqa: SLF001
        walker.record(path, role, "object", type_name(given).encode(), type_name(given))
        walker.visit(bool(given), f"bool({path})", role, depth + 1)
        walker.visit(given._objects, f"{path}._objects", role, depth + 1)  # noqa: SLF001 - what it keeps alive
    elif _holds_addresses(type(given)):
        if isinstance(given, ctypes.Array):
            walker.record(path, role, "container", str(len(given)).encode(), f"{len(given)} items")
            for index in range(len(given)):
                walker.visit(given[index], f"{path}[{index}]", role, depth + 1)
        else:
            walker.record(path, role, "object", type_name(given).encode(), type_name(given))
            walker.visit(getattr(given, "value", None), f"{path}.value", role, depth + 1)
    else:
        _record_bytes(walker, given, bytes(given), path, role, dtype=type_name(given), shape=None)
    walker.children(given, path, role, depth, skip=_SHARED_BOOKKEEPING)


def _holds_addresses(kind: Any) -> bool:
    if issubclass(kind, ctypes.Array):
        return _holds_addresses(kind._type_) or issubclass(kind._type_, ctypes.Structure)
    return issubclass(kind, ctypes._Pointer) or getattr(kind, "_type_", None) in {"z", "Z", "P", "O", "X"}  # noqa: SLF001


def _record_bytes(
    walker: Walker, given: object, data: bytes, path: str, role: str, *, dtype: object, shape: object
) -> None:
    content = np.frombuffer(data, np.uint8)
    meta = {"type": type_name(given), "dtype": dtype, "shape": shape}
    walker.record_memory(path, role, "array", data, content.copy, **meta)

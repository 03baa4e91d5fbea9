# SPDX-License-Identifier: MIT
"""Reads the archive that ``torch.save`` writes out of memory, taking no more of it than the file has bytes.

``torch.load`` is no boundary for memory: a compressed record, a ``bytearray`` of a given length or a storage
class called with a number makes gigabytes of a small file. Here records are slices of the file, tensors are
views of records, and of pickle only what plain data is written with is understood.
"""

from __future__ import annotations

import struct
import sys
from itertools import pairwise
from typing import Any, NamedTuple

import torch

from td3_core.checkpoint.bounds import disjoint
from td3_core.checkpoint.plain_pickle import MalformedError, Storage, unpickle
from td3_core.quoting import quoted

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX_RECORDS = 65_535

#: The types of the elements of a storage, by the name of its class.
DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Record(NamedTuple):
    """Where the bytes of one record lie in the file, and their CRC-32 as the archive states it."""

    start: int
    size: int
    crc: int


def directory(data: memoryview, comment_size: int) -> dict[str, Record]:
    """The records of an archive by name, without its top folder.

    Args:
        data: the whole file.
        comment_size: the length of the comment with which the file ends.

    Raises:
        MalformedError: anything is not as ``torch.save`` writes it: a directory that does not end the file,
            compressed, encrypted, overlapping or repeated records.
    """
    end = len(data) - comment_size - _END.size
    if end < 0:
        raise MalformedError("the end of it is missing")
    magic, _, _, _, count, size, start, comment = _END.unpack_from(data, end)
    if magic != b"PK\x05\x06" or comment != comment_size:
        raise MalformedError("the end of it is missing or something follows it")
    limit = end
    if end >= _LOCATOR64.size and bytes(data[end - _LOCATOR64.size :][:4]) == b"PK\x06\x07":
        limit = _LOCATOR64.unpack_from(data, end - _LOCATOR64.size)[2]
        if limit + _END64.size > end:
            raise MalformedError("its directory lies outside of it")
        magic, *_, count, size, start = _END64.unpack_from(data, limit)
        if magic != b"PK\x06\x06":
            raise MalformedError("its directory has no end")
    if start + size > limit or count > _MAX_RECORDS:
        raise MalformedError("its directory lies outside of it or is too long")
    records: dict[str, Record] = {}
    position = start
    for _ in range(count):
        name, record, position = _entry(data, position, start)
        top, _, name = name.partition("/")
        if not top or not name or name in records:
            raise MalformedError(f"it holds the record {quoted(name)} twice or outside of its folder")
        records[name] = record
    if position != start + size:
        raise MalformedError("its directory does not list what it says")
    taken = sorted(records.values())
    if any(one.start + one.size > other.start for one, other in pairwise(taken)):
        raise MalformedError("two of its records overlap")
    return records


def _entry(data: memoryview, position: int, start: int) -> tuple[str, Record, int]:
    """One entry of the directory, checked against the header of its record; and where the next begins."""
    (magic, _, _, flags, method, _, _, crc, packed, size, name_size, extra_size, comment_size, *_, offset) = (
        _ENTRY.unpack_from(data, position)
    )
    if magic != b"PK\x01\x02":
        raise MalformedError("its directory is damaged")
    position += _ENTRY.size
    name = bytes(data[position : position + name_size])
    extra = bytes(data[position + name_size : position + name_size + extra_size])
    if 0xFFFFFFFF in (packed, size, offset):
        packed, size, offset = _wide(extra, packed, size, offset)
    if method != 0 or flags & 1 or packed != size:
        raise MalformedError(
            f"its record {quoted(name)} is compressed or encrypted, which torch.save never writes"
        )
    if offset + _LOCAL.size > start:
        raise MalformedError("one of its records lies outside of it")
    local, *_, local_name_size, local_extra_size = _LOCAL.unpack_from(data, offset)
    first = offset + _LOCAL.size + local_name_size + local_extra_size
    if local != b"PK\x03\x04" or bytes(data[offset + _LOCAL.size :][:local_name_size]) != name:
        raise MalformedError(f"its record {quoted(name)} is not where its directory says")
    if first + size > start:
        raise MalformedError("one of its records lies outside of it")
    return name.decode(), Record(first, size, crc), position + name_size + extra_size + comment_size


def _wide(extra: bytes, *values: int) -> list[int]:
    """Sizes and offsets, taken from the field for large files where the entry has no room for them."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind == 1:
            wide = iter(struct.unpack_from(f"<{length // 8}Q", extra, position + 4))
            return [next(wide) if value == 0xFFFFFFFF else value for value in values]
        position += 4 + length
    raise MalformedError("a size in its directory is missing")


def unpack(data: memoryview, records: dict[str, Record]) -> Any:
    """What was given to ``torch.save``, its tensors as views of ``data``. Raises MalformedError."""
    if "data.pkl" not in records:
        raise MalformedError("torch.save has not written it")
    order = records.get("byteorder")
    if order is not None and bytes(data[order.start :][: order.size]) != sys.byteorder.encode():
        raise MalformedError("it was written on a machine with another order of bytes")

    def tensor(storage: Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]) -> Any:
        record, dtype = records.get(f"data/{storage.key}"), DTYPES.get(storage.kind)
        if record is None or dtype is None or storage.length * dtype.itemsize != record.size:
            raise MalformedError(f"its storage {quoted(storage.key)} is missing or not of its size")
        count = last = 1
        for length, step in zip(shape, stride, strict=True):
            count *= length
            last += (length - 1) * step
        if count > storage.length or (count and offset + last > storage.length):
            raise MalformedError(f"a tensor in it reaches beyond its storage {quoted(storage.key)}")
        if not disjoint(shape, stride):
            raise MalformedError(f"the elements of a tensor in its storage {quoted(storage.key)} overlap")
        if not record.size:
            return torch.empty(0, dtype=dtype).as_strided(shape, stride)
        whole = torch.frombuffer(data, dtype=dtype, count=storage.length, offset=record.start)
        return whole.as_strided(shape, stride, offset)

    pickled = records["data.pkl"]
    return unpickle(data[pickled.start : pickled.start + pickled.size], tensor, most_elements=4 * len(data))

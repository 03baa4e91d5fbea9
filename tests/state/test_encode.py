# SPDX-License-Identifier: MIT
"""Values as bytes: the same exactly if the values are, by examples that are written out."""

from __future__ import annotations

import datetime
import decimal
import struct
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import xxhash

from verification.state.encode import (
    array_bytes,
    digest,
    dtype_name,
    normalized_strides,
    quantizer,
    scalar_bytes,
    sparse_parts,
    tensor_array,
)

BYTES = torch.arange(6, dtype=torch.uint8).reshape(2, 3)


def test_few_bytes_are_kept_and_many_are_hashed() -> None:
    assert digest(b"x" * 64) == b"x" * 64
    assert digest(b"x" * 65) == xxhash.xxh3_128_digest(b"x" * 65)
    assert digest(memoryview(b"abc")) == b"abc"


@pytest.mark.parametrize(
    ("tensor", "content"),
    [
        (BYTES, [0, 1, 2, 3, 4, 5]),
        (BYTES.t(), [0, 3, 1, 4, 2, 5]),
        (BYTES[:, 1], [1, 4]),
        (BYTES[1:], [3, 4, 5]),
        (BYTES[1:, 2], [5]),
        (BYTES[:1].expand(2, 3), [0, 1, 2, 0, 1, 2]),
        (BYTES[:0], []),
        (torch.tensor([1, 2], dtype=torch.int16), [1, 0, 2, 0]),
        (torch.tensor([1, 2], dtype=torch.int16)[1:], [2, 0]),
        (torch.tensor([[1, 2], [3, 4]], dtype=torch.int16)[:, 1], [2, 0, 4, 0]),
        (torch.tensor([1.0], dtype=torch.bfloat16), [0x80, 0x3F]),
        (torch.tensor([1.0, 2.0, 4.0], dtype=torch.bfloat16)[::2], [0x80, 0x3F, 0x80, 0x40]),
        (torch.tensor([1.0, 2.0], dtype=torch.bfloat16)[1:], [0, 0x40]),
        (torch.tensor([True, False]), [1, 0]),
        (torch.empty(3, device="meta"), []),
    ],
    ids=repr,
)
def test_a_tensor_is_the_bytes_of_its_elements(tensor: torch.Tensor, content: list[int]) -> None:
    found = tensor_array(tensor)
    assert found.dtype == np.uint8
    assert found.tolist() == content


def test_a_conjugate_and_a_negative_are_what_they_stand_for() -> None:
    number = torch.tensor([1 + 2j])
    assert tensor_array(number.conj()).tobytes() == np.array([1 - 2j], np.complex64).tobytes()
    assert tensor_array(number.conj().imag).tobytes() == np.array([-2], np.float32).tobytes()


@pytest.mark.filterwarnings("ignore")  # nested tensors are a prototype
def test_parts_are_joined_with_their_lengths() -> None:
    nested = torch.nested.nested_tensor([torch.ones(1, dtype=torch.uint8), torch.ones(2, dtype=torch.uint8)])
    one, two = struct.pack("<q", 1), struct.pack("<q", 2)
    assert tensor_array(nested).tobytes() == one + b"\1" + two + b"\1\1"
    assert tensor_array(torch.nested.nested_tensor([])).tobytes() == b""


@pytest.mark.filterwarnings("ignore")
def test_memory_that_ends_too_early_is_refused() -> None:
    tensor = torch.arange(4, dtype=torch.uint8)
    tensor.untyped_storage().resize_(3)
    with pytest.raises(ValueError, match="its memory has 3 of 4 bytes"):
        tensor_array(tensor)
    column = torch.arange(4, dtype=torch.int16).reshape(2, 2)[:, 1]
    column.untyped_storage().resize_(7)
    with pytest.raises(ValueError, match="its memory has 7 of 8 bytes"):
        tensor_array(column)
    column.untyped_storage().resize_(8)
    assert len(tensor_array(column)) == 4


@pytest.mark.parametrize(
    ("layout", "names"),
    [
        (torch.sparse_coo, ["indices", "values"]),
        (torch.sparse_csr, ["crow_indices", "col_indices", "values"]),
        (torch.sparse_csc, ["ccol_indices", "row_indices", "values"]),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore")
def test_a_sparse_tensor_is_its_parts(layout: torch.layout, names: list[str]) -> None:
    parts = sparse_parts(torch.eye(2).to_sparse(layout=layout))
    assert list(parts) == names
    assert parts["values"].tolist() == [1, 1]


@pytest.mark.filterwarnings("ignore")
def test_blocks_of_a_sparse_tensor_are_its_parts() -> None:
    for layout, name in ((torch.sparse_bsr, "crow_indices"), (torch.sparse_bsc, "ccol_indices")):
        parts = sparse_parts(torch.eye(2).to_sparse(layout=layout, blocksize=(1, 1)))
        assert next(iter(parts)) == name
        assert parts["values"].flatten().tolist() == [1, 1]


@pytest.mark.filterwarnings("ignore")
def test_a_quantizer_is_its_scheme_scales_and_zero_points() -> None:
    whole = torch.quantize_per_tensor(torch.ones(2), 0.5, 3, torch.qint8)
    assert quantizer(whole) == ("torch.per_tensor_affine", 0.5, 3)
    scales, points = torch.tensor([0.5, 0.25]), torch.tensor([1, 2])
    channels = torch.quantize_per_channel(torch.ones(2, 1), scales, points, 0, torch.qint8)
    assert quantizer(channels) == ("torch.per_channel_affine", (0.5, 0.25), (1, 2), 0)
    assert tensor_array(whole).tolist() == [5, 5]


@pytest.mark.parametrize(
    ("shape", "strides", "normalized"),
    [
        ((2, 3), (3, 1), (3, 1)),
        ((1, 3), (7, 1), (0, 1)),
        ((2, 1), (1, 5), (1, 0)),
        ((2, 0), (1, 1), ()),
        ((), (), ()),
    ],
)
def test_strides_that_address_nothing_are_all_alike(shape: Any, strides: Any, normalized: Any) -> None:
    assert normalized_strides(shape, strides) == normalized


def test_an_array_is_the_bytes_of_its_elements_without_padding() -> None:
    assert array_bytes(np.array([1, 2], np.int16)) == b"\1\0\2\0"
    assert array_bytes(np.array([[1, 2], [3, 4]], np.uint8).T) == b"\1\3\2\4"
    assert array_bytes(np.array([1], ">i2")) == b"\0\1"
    assert array_bytes(np.array([object()])) == b""
    record = np.zeros(1, np.dtype([("a", np.uint8), ("b", np.int16)], align=True))
    record["b"] = 5
    assert array_bytes(record) == struct.pack("<qBqh", 1, 0, 2, 5)


def test_the_padding_of_a_long_double_is_not_its_value() -> None:
    width = np.longdouble(0).itemsize
    one = np.array([1], np.longdouble)
    other = one.copy()
    other.view(np.uint8)[width - 1] = 7
    assert np.finfo(np.longdouble).nmant != 63 or array_bytes(one) == array_bytes(other)
    assert array_bytes(one) != array_bytes(np.array([2], np.longdouble))
    assert len(array_bytes(np.array([1], np.clongdouble))) == 2 * len(array_bytes(one))


@pytest.mark.parametrize(
    ("dtype", "name"),
    [(np.dtype(">f4"), ">f4"), (np.dtype("f8"), "<f8"), (np.dtype([("a", "<i2")]), "[('a', '<i2')]")],
)
def test_a_dtype_is_named_with_all_that_tells_it_from_others(dtype: Any, name: str) -> None:
    assert dtype_name(dtype) == name


class Loud(int):
    def __repr__(self) -> str:
        return "loud"


@pytest.mark.parametrize(
    ("value", "content"),
    [
        (True, b"True"),
        (5, b"5"),
        ("é", "'é'".encode()),
        ("\udcff", b"'\\udcff'"),
        (None, b"None"),
        (-0.0, struct.pack("<d", -0.0)),
        (1 + 2j, struct.pack("<dd", 1, 2)),
        (b"raw", b"raw"),
        (np.float32(1), struct.pack("<f", 1)),
        (np.float64(1), struct.pack("<d", 1)),
        (Loud(7), b"7"),
        (torch.float32, b"torch.float32"),
        (decimal.Decimal("1.0"), b"Decimal('1.0')"),
        (datetime.date(2020, 1, 2), b"datetime.date(2020, 1, 2)"),
        (np.longdouble(1), array_bytes(np.array(1, np.longdouble))),
        (SimpleNamespace, b"<class 'types.SimpleNamespace'>"),
    ],
    ids=repr,
)
def test_a_scalar_is_its_bytes(value: Any, content: bytes) -> None:
    assert scalar_bytes(value) == content

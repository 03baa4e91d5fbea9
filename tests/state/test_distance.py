# SPDX-License-Identifier: MIT
"""How far apart arrays are: each number of it by examples that can be worked out by hand."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import assume, example, given

from verification.ordinals import ordinal
from verification.state import distance as module
from verification.state.distance import Distance, distance, element

INFINITY = float("inf")
NAN = float("nan")


def apart(before: list[Any], after: list[Any], dtype: torch.dtype = torch.float32) -> Distance | None:
    return distance(torch.tensor(before, dtype=dtype), torch.tensor(after, dtype=dtype))


def test_equal_arrays_are_no_distance_apart() -> None:
    assert apart([1.0, NAN, -0.0], [1.0, NAN, -0.0]) is None
    assert apart([], []) is None
    assert distance(np.zeros(0), np.zeros(0)) is None


@pytest.mark.parametrize(
    ("before", "after", "digit", "scale"),
    [
        (1.0, 2.0, 1, "8,388,608 ULP, from the 1st digit on"),
        (0.0, 1e-30, 1, "228,737,632 ULP, from the 1st digit on"),
        (1.0, -1.0, 1, "2,130,706,433 ULP, from the 1st digit on"),
        (100.0, 99.0, 3, "131,072 ULP, from the 3rd digit on"),
        (1.0, 0.8, 1, "3,355,443 ULP, from the 1st digit on"),
        (1.0, 0.99, 3, "167,772 ULP, from the 3rd digit on"),
        (1.0, 1.0 + 2**-23, 7, "1 ULP, from the 7th digit on"),
        (0.0, -0.0, None, "1 ULP, in signs of zeros or bits of NaN only"),
    ],
)
def test_floats_are_apart_by_numbers_and_by_a_digit(
    before: float, after: float, digit: int | None, scale: str
) -> None:
    for one, other in ((before, after), (after, before)):
        found = apart([3.0, one], [3.0, other])
        assert found is not None
        assert (found.elements, found.differing, found.first) == (2, 1, 1)
        assert (found.digit, found.scale) == (digit, scale)
        assert found.absolute == abs(float(np.float32(before)) - float(np.float32(after)))
        assert str(found) == f"1 of 2 elements differ, by up to {scale}"


def test_the_largest_of_each_counts() -> None:
    found = apart([1000.0, 1e-3, 5.0], [1001.0, 2e-3, 5.0])
    assert found is not None
    assert (found.differing, found.first, found.absolute, found.digit) == (2, 0, 1.0, 1)


@pytest.mark.parametrize(
    ("before", "after", "unbounded", "digit", "absolute"),
    [
        (1.0, INFINITY, 1, 1, 0.0),
        (1.0, NAN, 1, 1, 0.0),
        (INFINITY, -INFINITY, 1, 1, 0.0),
        (INFINITY, NAN, 1, 1, 0.0),
    ],
)
def test_what_is_no_number_any_more_is_counted(
    before: float, after: float, unbounded: int, digit: int, absolute: float
) -> None:
    found = apart([before, INFINITY, NAN], [after, INFINITY, NAN])
    assert found is not None
    assert (found.differing, found.unbounded, found.digit, found.absolute) == (1, unbounded, digit, absolute)


def test_another_payload_of_nan_is_no_other_number() -> None:
    bits = np.array([0x7FC00000, 0x7FC00007], np.uint32).view(np.float32)
    found = distance(bits[:1], bits[1:])
    assert found is not None
    assert (found.ulps, found.digit, found.unbounded) == (7, None, 0)
    lowest = np.array([0xFFFFFFFF, 0xFFFFFFFE], np.uint32).view(np.float32)
    found = distance(lowest[:1], lowest[1:])
    assert found is not None
    assert found.ulps == 1


def test_a_large_array_is_as_far_apart_as_its_pieces_are(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [0.0, 1.0, 1.0, 1.0, 5.0, 1.0, 0.0]
    after = [-0.0, 1.0 + 2**-20, INFINITY, NAN, 5.0, 9.0, -0.0]
    whole = apart(before, after), apart(before[::-1], after[::-1])
    assert whole[0] is not None
    assert (whole[0].absolute, whole[0].digit, whole[0].unbounded) == (8.0, 1, 2)
    for size in (1, 2, 3):
        monkeypatch.setattr(module, "_AT_ONCE", size)
        assert (apart(before, after), apart(before[::-1], after[::-1])) == whole
    integers = [0, 1, 2], [0, 5, 200]
    assert apart(*integers, dtype=torch.int64) == Distance(3, 2, 1, absolute=198)
    zeros = apart([0.0, 0.0], [-0.0, -0.0])
    assert zeros is not None
    assert (zeros.digit, zeros.ulps) == (None, 1)


@pytest.mark.parametrize(
    ("dtype", "before", "after", "absolute"),
    [
        (torch.int64, -(2**63), 2**63 - 1, 2**64 - 1),
        (torch.int64, 2**53, 2**53 + 1, 1),
        (torch.int8, -128, 127, 255),
        (torch.uint8, 0, 255, 255),
        (torch.bool, False, True, None),
        (torch.complex64, 1 + 1j, 1 + 4j, 3.0),
    ],
    ids=str,
)
def test_other_dtypes(dtype: torch.dtype, before: Any, after: Any, absolute: float | None) -> None:
    found = apart([before], [after], dtype)
    assert found is not None
    assert (found.absolute, found.ulps) == (absolute, None)
    if dtype is not torch.complex64:
        assert (found.digit, str(found)) == (None, "1 of 1 elements differ")
    array = torch.tensor([before], dtype=dtype).numpy(), torch.tensor([after], dtype=dtype).numpy()
    assert distance(*array) == found


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
def test_neighbours_of_any_width_are_one_apart(dtype: torch.dtype) -> None:
    one = torch.tensor([1.0], dtype=dtype)
    found = distance(one, torch.nextafter(one, torch.tensor([2.0], dtype=dtype)))
    assert found is not None
    assert (found.ulps, found.absolute) == (1, torch.finfo(dtype).eps)


def test_a_dtype_of_one_byte_has_a_digit_and_no_ulps() -> None:
    found = distance(*(torch.tensor([x]).to(torch.float8_e4m3fn) for x in (1.0, 2.0)))
    assert found is not None
    assert (found.absolute, found.ulps, found.digit) == (1.0, None, 1)


def test_byte_order_and_strides_are_no_matter() -> None:
    one, other = np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3)
    other[1, 0] = 4
    found = distance(one, other)
    assert found is not None
    assert found.first == 3
    assert distance(np.asfortranarray(one), np.asfortranarray(other)) == found
    assert distance(one.astype(">f8"), other.astype(">f8")) == found
    assert distance(torch.tensor(one.T.copy()).t(), torch.tensor(other.T.copy()).t()) == found


@pytest.mark.parametrize(
    "array",
    [
        np.array([{}, 1], object),
        np.zeros(2, [("a", "<f4")]),
        torch.zeros(2).to_sparse(),
        torch.zeros(2, device="meta"),
    ],
    ids=["objects", "structured", "sparse", "meta"],
)
def test_where_no_distance_is_known_none_is_given(array: Any) -> None:
    assert distance(array, array) is None


def test_one_element_is_shown_as_it_is() -> None:
    assert element(torch.tensor([[1.5, 2.5]]), 1) == "2.5"
    assert element(np.array([True]), 0) == "True"


def test_places() -> None:
    told = [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111)]
    assert told == ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "101st", "111th"]


DOUBLES = st.floats(allow_nan=False, allow_infinity=False)


@given(one=DOUBLES, other=DOUBLES)
@example(one=1.7e308, other=-1.7e308)
@example(one=5e-324, other=0.0)
def test_digit_and_steps_agree_with_exact_arithmetic(one: float, other: float) -> None:
    assume(one != other)
    found = distance(np.array([one]), np.array([other]))
    assert found is not None
    relative = abs(Fraction(one) - Fraction(other)) / max(abs(Fraction(one)), abs(Fraction(other)))
    assert found.digit is not None
    slack = Fraction(1, 10**12)  # the digit is found with floats
    assert relative * 10**found.digit >= 1 - slack
    assert found.digit == 1 or relative * 10 ** (found.digit - 1) <= 1 + slack

    def rank(number: float) -> int:
        bits = int(np.array([math.fabs(number)]).view(np.int64)[0])
        return bits if math.copysign(1, number) > 0 else -bits - 1

    assert found.ulps == abs(rank(one) - rank(other))

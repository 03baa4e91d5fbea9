# SPDX-License-Identifier: MIT
"""How far apart two arrays are, with a scale that says what that means."""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from verification.ordinals import ordinal
from verification.state.encode import array_bytes, tensor_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = torch.Tensor | NDArray[Any]

#: By the width of floats in bytes, the integers that their bits are read as, to count the floats between two.
BITS: dict[int, type[np.signedinteger[Any]]] = {2: np.int16, 4: np.int32, 8: np.int64}
_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}

# Elements that are worked on at once, so that large arrays take little more memory than they have.
_AT_ONCE = 2**20


@dataclass(frozen=True)
class Distance:
    """How far apart two arrays of one dtype and shape are.

    Attributes:
        elements: how many they have.
        differing: of those, how many have other bytes.
        first: the first of these, counted through the array in its logical order.
        absolute: the largest difference of two finite numbers; ``None`` if elements are no numbers.
        ulps: the most steps from one number of the dtype to the next that lie between two elements; ``None``
            if they are no floats.
        digit: the first significant decimal digit in which floats differ, counted from 1; ``None`` if they
            are no floats, or differ in nothing but signs of zeros and payloads of NaN.
        unbounded: how many elements are infinite or NaN in one array, and are not so in the other.
    """

    elements: int
    differing: int
    first: int
    absolute: float | int | None = None
    ulps: int | None = None
    digit: int | None = None
    unbounded: int = 0

    @property
    def place(self) -> str:
        """The first digit that differs, in words; empty where there are no floats."""
        if self.digit is not None:
            return f"from the {ordinal(self.digit)} digit on"
        return "" if self.ulps is None else "in signs of zeros or bits of NaN only"

    @property
    def scale(self) -> str:
        """How far apart floats are, in words; empty for everything else."""
        return "" if self.ulps is None else f"{self.ulps:,} ULP, {self.place}"

    def __str__(self) -> str:
        scale = f", by up to {self.scale}" if self.scale else ""
        return f"{self.differing:,} of {self.elements:,} elements differ{scale}"


def distance(before: Array, after: Array) -> Distance | None:
    """How far apart two arrays of one dtype and shape are: two strided tensors, or two of numpy.

    Returns:
        ``None`` if that cannot be said, as of arrays of objects, or nothing differs.
    """
    raw, other_raw = _bytes_of_elements(before), _bytes_of_elements(after)
    if raw is None or other_raw is None or raw.shape != other_raw.shape:
        return None
    where = np.flatnonzero(_unequal(raw, other_raw))
    if not len(where):
        return None
    pieces = [
        _of_some((before, raw), (after, other_raw), where[start : start + _AT_ONCE])
        for start in range(0, len(where), _AT_ONCE)
    ]
    found = functools.reduce(_further, pieces)
    return dataclasses.replace(found, elements=len(raw), differing=len(where), first=int(where[0]))


def _of_some(
    before: tuple[Array, NDArray[np.uint8]], after: tuple[Array, NDArray[np.uint8]], where: NDArray[np.intp]
) -> Distance:
    """How far apart some elements are, of arrays that are given with their bytes."""
    nothing = Distance(0, 0, 0)
    one, other = _numbers(before[0], where), _numbers(after[0], where)
    if one is None or other is None:
        return nothing
    if one.dtype.kind in "iu":
        return dataclasses.replace(nothing, absolute=_most_steps(_in_order(one), _in_order(other)))
    absolute, digit, unbounded = _apart(one, other)
    steps = one.dtype.kind == "f" and before[1].shape[1] in BITS
    ulps = _most_steps(_bits(before[1][where]), _bits(after[1][where])) if steps else None
    return Distance(0, 0, 0, absolute, ulps, digit, unbounded)


def _further(one: Distance, other: Distance) -> Distance:
    """The larger of each of two distances."""
    digits = [found.digit for found in (one, other) if found.digit is not None]
    return dataclasses.replace(
        one,
        absolute=None if one.absolute is None else max(one.absolute, other.absolute or 0),
        ulps=None if one.ulps is None else max(one.ulps, other.ulps or 0),
        digit=min(digits, default=None),
        unbounded=one.unbounded + other.unbounded,
    )


def _unequal(raw: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of the rows differ."""
    width = raw.shape[1]
    if width in _UNSIGNED and raw.flags.c_contiguous and other.flags.c_contiguous:  # several times faster
        raw, other = raw.view(_UNSIGNED[width]), other.view(_UNSIGNED[width])
    unequal: NDArray[np.bool_] = (raw != other).any(axis=-1)
    return unequal


def element(array: Array, index: int) -> str:
    """One element as text, counted through the array in its logical order."""
    try:
        return repr(array.reshape(-1)[index : index + 1].tolist()[0])
    except (RuntimeError, NotImplementedError):  # a dtype of which torch knows hardly more than its size
        raw = _bytes_of_elements(array)
        return "?" if raw is None else f"0x{raw[index].tobytes().hex()}"


def _bytes_of_elements(array: Array) -> NDArray[np.uint8] | None:
    """A row of bytes for each element, in this machine's order; ``None`` where elements have none."""
    if isinstance(array, torch.Tensor):
        if array.is_meta or array.is_nested or array.layout is not torch.strided or not array.numel():
            return None
        raw = tensor_array(array)
        return raw.reshape(array.numel(), -1) if not len(raw) % array.numel() else raw.reshape(-1, 1)
    if not array.size or array.dtype.hasobject or array.dtype.names or not array.dtype.itemsize:
        return None
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return np.frombuffer(array_bytes(native), np.uint8).reshape(array.size, -1)


def _numbers(array: Array, where: NDArray[np.intp]) -> NDArray[Any] | None:
    """Some elements as integers or as double or complex numbers; ``None`` if they are none."""
    if isinstance(array, torch.Tensor):
        if array.is_quantized or array.dtype is torch.bool:
            return None
        try:
            if array.is_floating_point() and array.element_size() == 1:
                array = array.float()  # torch 2.6 picks no elements of such a dtype
            chosen = array.detach().cpu().resolve_conj().resolve_neg().reshape(-1)[torch.from_numpy(where)]
            if chosen.is_complex():
                return chosen.to(torch.complex128).numpy()
            return (chosen.double() if chosen.is_floating_point() else chosen).numpy()
        except (RuntimeError, NotImplementedError, TypeError):  # a dtype of which torch knows only the size
            return None
    if array.dtype.kind not in "iufc":
        return None
    numbers = array.reshape(-1)[where]
    kind = {"f": np.float64, "c": np.complex128}.get(array.dtype.kind, array.dtype.newbyteorder("="))
    with np.errstate(all="ignore"):  # a long double may be too large
        return numbers.astype(kind)


def ulps(before: NDArray[Any], after: NDArray[Any]) -> int:
    """The most steps between floats whose bits are given as the integers of :data:`BITS`."""
    return _most_steps(_ordered(before), _ordered(after))


def _bits(raw: NDArray[np.uint8]) -> NDArray[Any]:
    """The bits of floats as unsigned integers in the order of the floats."""
    return _ordered(raw.reshape(-1).view(BITS[raw.shape[1]]))


def _ordered(bits: NDArray[Any]) -> NDArray[Any]:
    # Negative ones fall as their bits rise: -0.0 is just below 0.0.
    return _in_order(np.where(bits >= 0, bits, np.iinfo(bits.dtype).min - bits - 1))


def _apart(one: NDArray[Any], other: NDArray[Any]) -> tuple[float, int | None, int]:
    """The largest difference, the first digit that differs, and how many have become infinite or NaN."""
    bounded = np.isfinite(one) & np.isfinite(other)
    # Where a NaN has got other bits, or an infinity is still one, no number has changed.
    unbounded = int((~bounded & ~((one == other) | (np.isnan(one) & np.isnan(other)))).sum())
    one, other = one[bounded], other[bounded]
    with np.errstate(all="ignore"):
        differences = np.abs(one - other)
        largest = np.maximum(np.abs(one), np.abs(other))
        relative = np.where(largest > 0, differences / largest, 0.0)
    most = 1.0 if unbounded else min(1.0, float(relative.max(initial=0.0)))
    digit = math.floor(-math.log10(most)) + 1 if most > 0 else None
    return float(differences.max(initial=0.0)), digit, unbounded


def _in_order(integers: NDArray[Any]) -> NDArray[Any]:
    """Integers as unsigned ones in the same order, so that the distance of any two has room."""
    width = integers.dtype.itemsize
    unsigned = integers.view(_UNSIGNED[width])
    if integers.dtype.kind == "u":
        return unsigned
    flipped: NDArray[Any] = unsigned ^ _UNSIGNED[width](1 << (8 * width - 1))
    return flipped


def _most_steps(one: NDArray[Any], other: NDArray[Any]) -> int:
    return int((np.maximum(one, other) - np.minimum(one, other)).max())

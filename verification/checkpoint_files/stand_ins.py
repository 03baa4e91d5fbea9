# SPDX-License-Identifier: MIT
"""Plain data that ``weights_only`` refuses, and that can be read without running code: arrays of numpy.

Numpy's own way to unpickle takes a dtype's flags from the file, so that a file can have its bytes taken for
addresses of objects. In its place stand these, which build arrays of numbers from bytes and nothing else.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

# What an element may be: booleans, numbers, and text of a fixed length.
_KINDS = frozenset("biufcSU")
_ORDERS = frozenset("<>=|")


class NeedsCodeError(Exception):
    """Something in a file can only be read by running code; the message names it."""


class StandInDtype:
    """In the place of ``numpy.dtype``."""

    def __init__(self, code: str, *_: object) -> None:
        self.dtype: np.dtype[Any] = np.dtype(str(code))
        if self.dtype.kind not in _KINDS:
            raise NeedsCodeError(f"arrays of dtype {self.dtype}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1]
        if order not in _ORDERS:
            raise ValueError(f"there is no byte order {order!r}")
        self.dtype = self.dtype.newbyteorder(order) if order != "|" else self.dtype


class StandInArray:
    """In the place of ``numpy.ndarray``; ``array`` is what it stands for."""

    def __init__(self) -> None:
        self.array: np.ndarray[Any, Any] = np.zeros(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, columns_first, data = state
        if not isinstance(dtype, StandInDtype):
            raise TypeError("an array has no dtype")
        flat = np.frombuffer(bytes(data), dtype.dtype)
        self.array = flat.reshape(shape, order="F" if columns_first else "C")


def _reconstruct(*_: object) -> StandInArray:
    return StandInArray()


def _scalar(dtype: StandInDtype, data: bytes) -> Any:
    (value,) = np.frombuffer(bytes(data), dtype.dtype)
    return value


def _deque(items: Any = (), maxlen: object = None) -> list[Any]:  # noqa: ARG001
    return list(items)  # torch fills lists only


#: To be allowed while a file is read, by the names that files have for what they stand for.
STAND_INS: list[Any] = [
    (StandInDtype, "numpy.dtype"),
    (StandInArray, "numpy.ndarray"),
    *((_reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
    *((_scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    (_deque, "collections.deque"),
]


def read_plain(stream: Any) -> Any:
    """What ``torch.load`` reads without running code, with arrays and deques.

    Raises:
        Exception: of any type: what torch raises for a file that it cannot read, or will not.
    """
    with warnings.catch_warnings(), torch.serialization.safe_globals(STAND_INS):
        warnings.simplefilter("ignore")  # what torch warns of, it refuses in the next line
        return torch.load(stream, map_location="cpu", weights_only=True)

# SPDX-License-Identifier: MIT
"""How far apart floating-point numbers are: in ULP, the numbers that lie between them."""

from __future__ import annotations

from typing import Any

import numpy as np

#: The integers whose order is that of floating-point numbers of so many bytes, but for the sign.
BITS = {2: np.int16, 4: np.int32, 8: np.int64}


def ulps(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """How many representable numbers lie between floats given as their bits: -0.0 and 0.0 are 1 apart."""

    def ordered(bits: np.ndarray[Any, Any]) -> list[int]:
        lowest = int(np.iinfo(bits.dtype).min)
        return [int(bit) if bit >= 0 else lowest - int(bit) - 1 for bit in bits]

    return np.array([abs(a - b) for a, b in zip(ordered(before), ordered(after), strict=True)], dtype=object)

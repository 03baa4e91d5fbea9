# SPDX-License-Identifier: MIT
"""Sizes of more than four gigabytes are found in the field that archives have for them."""

from __future__ import annotations

import struct

import pytest

from td3_core.checkpoint.archive import MalformedError, _wide

FULL = 0xFFFFFFFF
LARGE = 5 * 2**32
OTHER = struct.pack("<HH4s", 0x5455, 4, b"time")


def field(*values: int) -> bytes:
    return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values)


@pytest.mark.parametrize(
    ("extra", "values", "found"),
    [
        (field(LARGE), (FULL, 7), [LARGE, 7]),
        (field(LARGE), (7, FULL), [7, LARGE]),
        (field(LARGE, 2 * LARGE), (FULL, 7, FULL), [LARGE, 7, 2 * LARGE]),
        (OTHER + field(LARGE), (FULL,), [LARGE]),
        (OTHER + OTHER + field(LARGE) + OTHER, (FULL,), [LARGE]),
    ],
)
def test_a_size_that_has_no_room_is_in_the_field(
    extra: bytes, values: tuple[int, ...], found: list[int]
) -> None:
    assert _wide(extra, *values) == found


@pytest.mark.parametrize("extra", [b"", b"\1", OTHER, OTHER + OTHER, OTHER[:-1]])
def test_a_size_that_is_nowhere_is_told(extra: bytes) -> None:
    with pytest.raises(MalformedError, match="a size in its directory is missing"):
        _wide(extra, FULL)

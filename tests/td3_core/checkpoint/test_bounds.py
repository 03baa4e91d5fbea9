# SPDX-License-Identifier: MIT
"""What values cost is part of the format: with other prices one version could not read another's files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from td3_core.checkpoint import bounds
from td3_core.checkpoint.bounds import ExceededError, Purse, WritersPurse, disjoint

if TYPE_CHECKING:
    from collections.abc import Callable

PRICES: dict[str, tuple[Callable[[Any], None], int]] = {
    "something": (lambda purse: purse.pay(5), 5),
    "small integer": (lambda purse: purse.integer(0), 56),
    "integer of 9 bytes": (lambda purse: purse.integer(9), 74),
    "integer of 255 bytes": (lambda purse: purse.integer(255), 566),
    "text": (lambda purse: purse.text(10), 100),
    "wide text": (lambda purse: purse.wide(10), 40),
    "first entry": (lambda purse: purse.entries(0, 1), 160),
    "no entry": (lambda purse: purse.entries(0, 0), 0),
    "five entries": (lambda purse: purse.entries(0, 5), 160),
    "six entries": (lambda purse: purse.entries(0, 6), 320),
    "eleven entries": (lambda purse: purse.entries(10, 11), 320),
    "ten more entries": (lambda purse: purse.entries(11, 21), 0),
    "integer key": (lambda purse: purse.integer_key(7), 7),
    "tensor": (lambda purse: purse.tensor(), 1024),
}
WRITERS_PRICES: dict[str, tuple[Callable[[Any], None], int]] = {
    "nothing yet": (lambda _: None, 16384),
    "empty container": (lambda purse: purse.container(0), 16384 + 128),
    "container of 999": (lambda purse: purse.container(999), 16384 + 128),
    "container of 1000": (lambda purse: purse.container(1000), 16384 + 152),
    "text": (lambda purse: purse.string("abc"), 16384 + 16 + 86),
    "wide text": (lambda purse: purse.string("é"), 16384 + 16 + 80 + 4 + 8),
    "bytes": (lambda purse: purse.encoded(b"abc"), 16384 + 64 + 3 + 256 + 86),
    "high bytes": (lambda purse: purse.encoded(b"\xff"), 16384 + 64 + 1 + 256 + 80 + 4 + 8),
    "number": (lambda purse: purse.dimensions(0), 16384 + 1536),
    "matrix": (lambda purse: purse.dimensions(2), 16384 + 1536 + 4 * 72),
}


@pytest.mark.parametrize("what", PRICES)
def test_everything_has_its_price(what: str) -> None:
    buy, price = PRICES[what]
    purse = Purse()
    buy(purse)
    assert purse.spent == price


@pytest.mark.parametrize("what", WRITERS_PRICES)
def test_who_has_no_pickle_yet_pays_for_what_is_around_values(what: str) -> None:
    buy, price = WRITERS_PRICES[what]
    purse = WritersPurse()
    buy(purse)
    assert purse.spent == price


def test_constants_of_the_format() -> None:
    assert (bounds.MAX_DEPTH, bounds.MAX_INTEGER, bounds.PURSE) == (64, 255, 2**27)
    assert (bounds.SLOT, bounds.MARK, bounds.REMEMBERED, bounds.NAME) == (24, 24, 16, 256)
    assert (bounds.NUMBER, bounds.CONTAINER, bounds.TEXT, bounds.BYTES) == (56, 88, 80, 64)


def test_a_purse_can_be_spent_to_the_last_byte() -> None:
    purse = Purse()
    purse.pay(bounds.PURSE)
    with pytest.raises(ExceededError, match="more values than the 128 MiB that they may take beside tensors"):
        purse.pay(1)


def test_what_is_too_large_for_any_purse_is_refused() -> None:
    with pytest.raises(ExceededError, match="an integer of more than 255 bytes"):
        Purse().integer(256)
    WritersPurse().dimensions(64)
    with pytest.raises(ExceededError, match="a tensor of more than 64 dimensions"):
        WritersPurse().dimensions(65)


@pytest.mark.parametrize(
    ("shape", "stride", "apart"),
    [
        ((2, 3), (3, 1), True),
        ((3, 2), (1, 3), True),
        ((2, 3), (4, 1), True),
        ((2, 3), (2, 1), False),
        ((2, 3), (0, 1), False),
        ((1, 3), (0, 1), True),
        ((1, 1), (0, 0), True),
        ((0, 3), (0, 0), True),
        ((2,), (1,), True),
        ((2,), (0,), False),
        ((2, 2, 2), (4, 2, 1), True),
        ((2, 2, 2), (3, 2, 1), False),
        ((2, 2, 2), (1, 1, 1), False),
        ((), (), True),
    ],
)
def test_elements_lie_in_places_of_their_own(
    shape: tuple[int, ...], stride: tuple[int, ...], *, apart: bool
) -> None:
    assert disjoint(shape, stride) is apart

# SPDX-License-Identifier: MIT
"""Arguments are taken out of a pickle one after the other, and none from where there is nothing."""

from __future__ import annotations

import pytest

from td3_core.checkpoint.archive import MalformedError
from td3_core.checkpoint.plain_pickle import _Reader


def reader() -> _Reader:
    return _Reader(memoryview(b"abcde"), lambda *_: None)


def test_arguments_are_taken_one_after_the_other() -> None:
    data = reader()
    assert bytes(data.take(2)) == b"ab"
    assert bytes(data.take(0)) == b""
    assert data.byte() == ord("c")
    assert bytes(data.take(2)) == b"de"
    assert bytes(data.take(0)) == b""


@pytest.mark.parametrize("size", [-1, -2, 6])
def test_there_is_no_less_than_nothing_and_no_more_than_there_is(size: int) -> None:
    with pytest.raises(MalformedError, match="it is damaged: it ends within a value"):
        reader().take(size)

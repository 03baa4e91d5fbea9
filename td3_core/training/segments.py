# SPDX-License-Identifier: MIT
"""The segments of a replay buffer: which rows each of them holds, and how it is named.

The rows of the buffer are divided into segments. One whose rows are all filled, and that is not half
overwritten, is a file ``replay/<SHA-256>.segment`` beside the checkpoint, which names it. All other rows are
in the checkpoint itself. So the next checkpoint writes what is new, and which segments there are depends on
the buffer alone, not on when it was saved before.

A segment is a line with its number, and the bytes of its rows, array after array, in the order in which the
checkpoint has the arrays. With the number, no two segments of a buffer are the same file: whoever describes a
large buffer has to have files as large.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from td3_core.validation import is_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Arrays = dict[str, np.ndarray[Any, Any]]

FOLDER = "replay"
#: What a checkpoint names a segment. Nothing else is taken for a path, so that none leads elsewhere.
NAME = re.compile(rf"{FOLDER}/[0-9a-f]{{64}}\.segment")


def are_segments(value: object) -> bool:
    """Whether this has the form in which a checkpoint names segments: their rows, and each name once."""
    if type(value) is not dict or set(value) != {"rows", "names"}:
        return False
    rows, names = value["rows"], value["names"]
    if not is_count(rows) or rows == 0 or type(names) is not list or not names:
        return False
    return all(type(name) is str and NAME.fullmatch(name) for name in names) and len({*names}) == len(names)


def complete(size: int, position: int, rows: int) -> list[range]:
    """The rows of each segment that is complete: all filled, and not begun to be overwritten."""
    blocks = (range(start, start + rows) for start in range(0, size - rows + 1, rows))
    return [block for block in blocks if not block.start < position < block.stop]


def named(state: Mapping[str, Any], capacity: int) -> list[range] | None:
    """The rows of each segment that the state of a buffer names; None where it can name no such segments."""
    position, rows, names = state["position"], state["segments"]["rows"], state["segments"]["names"]
    if position >= capacity:
        return None
    size = capacity if state["full"] else position
    half_overwritten = position % rows != 0 and position // rows < size // rows
    # Counted first, because a file may speak of more rows than can be counted through.
    if len(names) != size // rows - half_overwritten:
        return None
    return complete(size, position, rows)


def others(size: int, blocks: Sequence[range]) -> np.ndarray[Any, Any]:
    """The numbers of the rows that are in no segment."""
    rest = np.ones(size, np.bool_)
    for block in blocks:
        rest[block.start : block.stop] = False
    return np.flatnonzero(rest)


def header(number: int) -> bytes:
    """How a segment begins."""
    return f"td3_core segment {number}\n".encode()


def pieces(number: int, arrays: Arrays) -> Iterator[bytes | memoryview]:
    """The bytes of a segment."""
    yield header(number)
    for array in arrays.values():
        yield array.data.cast("B")


def digest(number: int, arrays: Arrays) -> str:
    """The SHA-256 of a segment."""
    sha = hashlib.sha256()
    for piece in pieces(number, arrays):
        sha.update(piece)
    return sha.hexdigest()


def name_of(digest: str) -> str:
    """What a checkpoint names the segment with this digest."""
    return f"{FOLDER}/{digest}.segment"


def digest_in(name: str) -> str:
    """The digest that a segment of this name has."""
    return Path(name).stem

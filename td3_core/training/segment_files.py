# SPDX-License-Identifier: MIT
"""Writes the segments of a replay buffer that are not on the disk yet, and reads and verifies them."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import contextmanager
from io import FileIO
from typing import TYPE_CHECKING, Any

from td3_core.checkpoint.format import refuse_unwritable
from td3_core.checkpoint.replacing import replacing, sync_folder
from td3_core.errors import CheckpointError
from td3_core.interrupts import uncovered
from td3_core.replay import digests_of
from td3_core.training import segments
from td3_core.training.segment_folder import folder_of, remove_unnamed, signature, undisturbed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from td3_core.replay import ReplayBuffer

#: Files that this process has written or read, and found to be what their names say, as they were then.
_intact: dict[Path, tuple[int, ...]] = {}


@contextmanager
def stored(buffer: ReplayBuffer, path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The state of ``buffer`` for the checkpoint at ``path``, which is to be written in the block.

    Its segments are on the disk before. When the block has ended, those that no checkpoint in the folder
    names are removed.

    Raises:
        CheckpointError: A segment cannot be written.
    """
    refuse_unwritable(path)
    folder = folder_of(path)
    blocks = segments.complete(len(buffer), buffer.position, buffer.segment_rows)
    if not blocks and not (folder / segments.FOLDER).is_dir():
        yield buffer.state_dict()
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{path} is not written: {_reason(error)}") from error
    with undisturbed(path, saving=True):
        state = buffer.state_dict(segments.others(len(buffer), blocks))
        names = _written(buffer, blocks, folder, path)
        yield {**state, "segments": {"rows": buffer.segment_rows, "names": names}} if names else state
        remove_unnamed(folder)


def load(buffer: ReplayBuffer, state: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Fill a new ``buffer`` with what stands in the checkpoint at ``path``, and in its segments.

    Args:
        buffer: Should anything be wrong, it is not to be used.
        state: What the checkpoint has of it, with segments as `segments.are_segments` asks for.
        path: Where the checkpoint is.

    Raises:
        CheckpointError: A segment is missing or damaged, which the message names, or the state is not that of
            such a buffer.
    """
    if "segments" not in state:
        buffer.load_state_dict(state)
        return
    blocks = segments.named(state, buffer.capacity)
    if blocks is None:
        raise CheckpointError(
            "the replay buffer cannot be restored: its segments do not go with its position"
        )
    rows, names = state["segments"]["rows"], state["segments"]["names"]
    bytes_of_row = sum(array.nbytes for array in buffer.rows(slice(1)).values())
    for block, name in zip(blocks, names, strict=True):
        size = len(segments.header(block.start // rows)) + rows * bytes_of_row
        # All of them before memory is taken for any.
        _opened(folder_of(path) / name, path, size).close()
    size = buffer.capacity if state["full"] else state["position"]
    inside = {key: value for key, value in state.items() if key != "segments"}
    buffer.load_state_dict(inside, segments.others(size, blocks))
    for block, name in zip(blocks, names, strict=True):
        _read(buffer, block, name, path)
        if rows == buffer.segment_rows:
            digests_of(buffer)[block.start // rows] = segments.digest_in(name)


def verify(state: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Raise CheckpointError, naming it, for a segment of the checkpoint at ``path`` that is not intact."""
    for name in state["segments"]["names"] if "segments" in state else ():
        file = folder_of(path) / name
        with _opened(file, path) as reading, _reading(file, path):
            digest = hashlib.file_digest(reading, "sha256").hexdigest()
        if digest != segments.digest_in(name):
            raise CheckpointError(f"{path}: its segment {file} is damaged")


def _written(
    buffer: ReplayBuffer, blocks: Sequence[range], folder: Path, path: str | os.PathLike[str]
) -> list[str]:
    """The names of segments that are all on the disk, of which those were written that were not there."""
    digests, names = digests_of(buffer), []
    is_new = not (folder / segments.FOLDER).is_dir()
    for block in blocks:
        arrays = buffer.rows(slice(block.start, block.stop))
        number = block.start // buffer.segment_rows
        if number not in digests:
            digests[number] = segments.digest(number, arrays)
        names.append(segments.name_of(digests[number]))
        file = folder / names[-1]
        try:
            if file not in _intact or _intact[file] != signature(file):
                with uncovered(), replacing(file) as writing:
                    for piece in segments.pieces(number, arrays):
                        writing.write(piece)
                _intact[file] = signature(file)
            if is_new:
                sync_folder(folder)
                is_new = False
        except OSError as error:
            raise CheckpointError(
                f"{path} is not written, because its segment {file} cannot be: {_reason(error)}"
            ) from error
    return names


def _read(buffer: ReplayBuffer, block: range, name: str, path: str | os.PathLike[str]) -> None:
    """Fill the rows of a segment."""
    file, number, arrays = (
        folder_of(path) / name,
        block.start // len(block),
        buffer.rows(slice(block.start, block.stop)),
    )
    with _opened(file, path) as reading, _reading(file, path):
        seen, header = signature(reading.fileno()), segments.header(number)
        intact = reading.read(len(header)) == header
        for array in arrays.values():
            left = array.data.cast("B")
            while left:
                count = reading.readinto(left)
                if not count:
                    raise OSError("it became shorter while it was read")
                left = left[count:]
    if not intact or segments.digest(number, arrays) != segments.digest_in(name):
        raise CheckpointError(f"{path}: its segment {file} is damaged")
    _intact[file] = seen


def _opened(file: Path, path: str | os.PathLike[str], size: int | None = None) -> FileIO:
    """A segment of the checkpoint at ``path`` to read, if it is a file, and of this size."""
    with _reading(file, path):
        # Without O_NONBLOCK, opening a pipe waits for somebody to write into it.
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
        status, problem = os.fstat(descriptor), None
        if not stat.S_ISREG(status.st_mode):
            problem = "it is not a file"
        elif size is not None and status.st_size != size:
            problem = f"it has {status.st_size} bytes and not {size}"
        if problem is not None:
            os.close(descriptor)
            raise OSError(problem)
        return FileIO(descriptor, "rb")


@contextmanager
def _reading(file: Path, path: str | os.PathLike[str]) -> Iterator[None]:
    """Raise what goes wrong with a segment as one of the checkpoint at ``path``."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"{path}: its segment {file} cannot be read: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    return error.strerror or str(error)

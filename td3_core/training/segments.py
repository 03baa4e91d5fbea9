# SPDX-License-Identifier: MIT
"""The replay buffer beside its checkpoint: what is complete is written once, in files named by their digest.

The rows of the buffer are divided into segments. One whose rows are all filled, and that is not half
overwritten, is a file ``replay/<SHA-256>.segment`` beside the checkpoint, which names it. All other rows are
in the checkpoint itself. So the next checkpoint writes what is new, and which segments there are depends on
the buffer alone, not on when it was saved before.

A segment holds the bytes of its rows, array after array, in the order in which the checkpoint has the arrays.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import stat
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from td3_core.checkpoint.replacing import replacing, sync_folder
from td3_core.errors import CheckpointError
from td3_core.replay import digests_of

try:
    import fcntl
except ImportError:
    _LOCKS = False  # on Windows, where two processes must not save runs into one folder
else:
    _LOCKS = True

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from td3_core.replay import ReplayBuffer

    Arrays = dict[str, np.ndarray[Any, Any]]

FOLDER = "replay"
_NAME = re.compile(rf"{FOLDER}/[0-9a-f]{{64}}\.segment")
_NAME_IN_BYTES = re.compile(_NAME.pattern.encode())

#: Files that this process has written or read, and found to be what their names say, as they were then.
_intact: dict[Path, tuple[int, ...]] = {}
#: The segments that files name, and how those files were when they were searched.
_searched: dict[Path, tuple[tuple[int, ...], frozenset[str]]] = {}


@contextmanager
def stored(buffer: ReplayBuffer, path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The state of ``buffer`` for the checkpoint at ``path``, which is to be written in the block.

    Its segments are on the disk before. When the block has ended, those that no checkpoint in the folder
    names are removed.

    Raises:
        CheckpointError: A segment cannot be written.
    """
    folder = folder_of(path)
    blocks = _complete(len(buffer), buffer.position, buffer.segment_rows)
    if not blocks and not (folder / FOLDER).is_dir():
        yield _state(buffer, blocks, [])
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{path} is not written: {_reason(error)}") from error
    with undisturbed(folder, saving=True):
        yield _state(buffer, blocks, _written(buffer, blocks, folder, path))
        remove_unnamed(folder)


@contextmanager
def undisturbed(folder: Path, *, saving: bool = False) -> Iterator[None]:
    """Keep processes that save into a folder from those that load from it, and from one another.

    Else a checkpoint could be replaced, and its segments removed, between the reading of it and of them; or
    segments be removed whose checkpoint is yet to be written.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY) if _LOCKS else None
    except OSError:
        descriptor = None  # who loads or saves there will say what is wrong with it
    if descriptor is None:
        yield
        return
    try:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX if saving else fcntl.LOCK_SH)
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # also that of a process that was forked meanwhile
        os.close(descriptor)


def load(buffer: ReplayBuffer, state: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Make ``buffer`` the one whose state stands in the checkpoint at ``path``, with its segments.

    Raises:
        CheckpointError: A segment is missing or damaged, which the message names, or the state is not that of
            such a buffer. The buffer is then as it was.
    """
    rest = {key: value for key, value in state.items() if key != "segments"}
    segments = state.get("segments", {"rows": buffer.segment_rows, "names": []})
    blocks = _blocks_of(buffer, rest, segments)
    if blocks is None:
        raise CheckpointError(
            "the replay buffer cannot be restored: its segments do not go with its position"
        )
    names = segments["names"]
    if blocks:
        rest["arrays"] = _assembled(buffer, rest, blocks, names, path)
    buffer.load_state_dict(rest)
    if segments["rows"] == buffer.segment_rows:
        for block, name in zip(blocks, names, strict=True):
            digests_of(buffer)[block.start // buffer.segment_rows] = _digest_in(name)


def verify(state: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Raise CheckpointError, naming it, for a segment of the checkpoint at ``path`` that is not intact."""
    folder = folder_of(path)
    segments = state.get("segments", {})
    for name in segments.get("names", ()) if isinstance(segments, dict) else ():
        if type(name) is not str or not _NAME.fullmatch(name):
            raise CheckpointError(f"{path}: {name!r:.80} is not the name of a segment")
        file = folder / name
        try:
            with _opened(file) as reading:
                digest = hashlib.file_digest(reading, "sha256").hexdigest()
        except OSError as error:
            raise CheckpointError(f"{path}: its segment {file} cannot be read: {_reason(error)}") from error
        if digest != _digest_in(name):
            raise CheckpointError(f"{path}: its segment {file} is damaged")


def remove_unnamed(folder: Path) -> None:
    """Remove the segments in ``folder`` that no checkpoint in it names; none if one cannot be read."""
    try:
        present = [file for file in _files_in(folder / FOLDER) if _NAME.fullmatch(f"{FOLDER}/{file.name}")]
        named = frozenset().union(*map(_names_in, _files_in(folder))) if present else frozenset()
    except OSError:
        return
    for file in present:
        if f"{FOLDER}/{file.name}" not in named:
            _intact.pop(file, None)
            with suppress(OSError):
                file.unlink()


def folder_of(path: str | os.PathLike[str]) -> Path:
    """The folder beside whose checkpoints the segments are, wherever a link to one of them is."""
    return Path(os.path.realpath(path)).parent


def _complete(size: int, position: int, rows: int) -> list[range]:
    """The rows of each segment that is complete: all filled, and not begun to be overwritten."""
    blocks = (range(start, start + rows) for start in range(0, size - rows + 1, rows))
    return [block for block in blocks if not block.start < position < block.stop]


def _others(size: int, blocks: Sequence[range]) -> np.ndarray[Any, Any]:
    """The numbers of the rows that are in no segment."""
    others = np.ones(size, np.bool_)
    for block in blocks:
        others[block.start : block.stop] = False
    return np.flatnonzero(others)


def _state(buffer: ReplayBuffer, blocks: Sequence[range], names: list[str]) -> dict[str, Any]:
    state = buffer.state_dict(_others(len(buffer), blocks))
    return {**state, "segments": {"rows": buffer.segment_rows, "names": names}}


# -- writing ------------------------------------------------------------------------------------------------


def _written(
    buffer: ReplayBuffer, blocks: Sequence[range], folder: Path, path: str | os.PathLike[str]
) -> list[str]:
    """The names of segments that are all on the disk, of which those were written that were not there."""
    digests, names = digests_of(buffer), []
    is_new = not (folder / FOLDER).is_dir()
    for block in blocks:
        arrays = buffer.rows(slice(block.start, block.stop))
        number = block.start // buffer.segment_rows
        if number not in digests:
            digests[number] = _digest(arrays)
        names.append(f"{FOLDER}/{digests[number]}.segment")
        file = folder / names[-1]
        if file not in _intact or _intact[file] != _signature(file):
            try:
                with replacing(file) as writing:
                    for array in arrays.values():
                        writing.write(array.data.cast("B"))
            except OSError as error:
                raise CheckpointError(
                    f"{path} is not written, because its segment {file} cannot be: {_reason(error)}"
                ) from error
            _intact[file] = _signature(file)
    if is_new and names:
        sync_folder(folder)
    return names


def _digest(arrays: Arrays) -> str:
    sha = hashlib.sha256()
    for array in arrays.values():
        sha.update(array.data.cast("B"))
    return sha.hexdigest()


# -- reading ------------------------------------------------------------------------------------------------


def _blocks_of(buffer: ReplayBuffer, state: Mapping[str, Any], segments: Any) -> list[range] | None:
    """The rows of each segment that a state names, or None where it can name no such segments."""
    position, full = state.get("position"), state.get("full")
    if not isinstance(segments, dict) or set(segments) != {"rows", "names"}:
        return None
    rows, names = segments["rows"], segments["names"]
    if type(rows) is not int or rows < 1 or type(names) is not list:
        return None
    if not all(type(name) is str and _NAME.fullmatch(name) for name in names):
        return None
    if not names:
        return []
    if type(position) is not int or not 0 <= position < buffer.capacity or type(full) is not bool:
        return None
    blocks = _complete(buffer.capacity if full else position, position, rows)
    return blocks if len(blocks) == len(names) else None


def _assembled(
    buffer: ReplayBuffer,
    state: Mapping[str, Any],
    blocks: Sequence[range],
    names: Sequence[str],
    path: str | os.PathLike[str],
) -> dict[str, torch.Tensor]:
    """All filled rows of a buffer, from its segments and what the checkpoint has of them itself."""
    folder = folder_of(path)
    size = buffer.capacity if state["full"] else state["position"]
    others = _others(size, blocks)
    templates = buffer.state_dict(others[:0])["arrays"]
    saved = state.get("arrays")
    if not isinstance(saved, dict) or set(saved) != set(templates):
        raise CheckpointError(f"the replay buffer cannot be restored: its arrays are not {sorted(templates)}")
    arrays = {}
    for key, like in templates.items():
        shape, value = (len(others), *like.shape[1:]), saved[key]
        if not isinstance(value, torch.Tensor) or tuple(value.shape) != shape or value.dtype != like.dtype:
            raise CheckpointError(
                f"the replay buffer cannot be restored: {key} is not of shape {shape} and {like.dtype}"
            )
        arrays[key] = np.empty((size, *shape[1:]), like.numpy().dtype)
        arrays[key][others] = value.numpy()
    for block, name in zip(blocks, names, strict=True):
        part = {key: array[block.start : block.stop] for key, array in arrays.items()}
        try:
            read = _read(folder / name, part)
        except OSError as error:
            raise CheckpointError(
                f"{path}: its segment {folder / name} cannot be read: {_reason(error)}"
            ) from error
        if _digest(part) != _digest_in(name):
            raise CheckpointError(f"{path}: its segment {folder / name} is damaged")
        _intact[folder / name] = read
    return {key: torch.from_numpy(array) for key, array in arrays.items()}


def _read(file: Path, arrays: Arrays) -> tuple[int, ...]:
    """Fill ``arrays`` from a segment, and return its signature. Raises OSError if it has another size."""
    with _opened(file) as reading:
        status = os.fstat(reading.fileno())
        size = sum(array.nbytes for array in arrays.values())
        if status.st_size != size:
            raise OSError(f"it has {status.st_size} bytes and not {size}")
        for array in arrays.values():
            left = array.data.cast("B")
            while left:
                count = reading.readinto(left)
                if not count:
                    raise OSError("it became shorter while it was read")
                left = left[count:]
    return _signature_of(status)


def _opened(file: Path) -> FileIO:
    """A segment to read. Raises OSError if it is not a file."""
    # Without O_NONBLOCK, opening a pipe waits for somebody to write into it.
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    reading = FileIO(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        reading.close()
        raise OSError("it is not a file")
    return reading


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _digest_in(name: str) -> str:
    return Path(name).stem


# -- what is there ------------------------------------------------------------------------------------------


def _files_in(folder: Path) -> list[Path]:
    try:
        return [file for file in folder.iterdir() if file.is_file()]
    except FileNotFoundError:
        return []


def _signature(file: Path) -> tuple[int, ...]:
    """What changes when a file is written; nothing if there is none."""
    try:
        return _signature_of(file.stat())
    except FileNotFoundError:
        return ()


def _signature_of(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _names_in(file: Path) -> frozenset[str]:
    """The segments whose names stand anywhere in an archive, intact or not; none in other files."""
    signature = _signature(file)
    if file not in _searched or _searched[file][0] != signature:
        _searched[file] = signature, _search(file)
    return _searched[file][1]


def _search(file: Path) -> frozenset[str]:
    with file.open("rb") as archive:
        if archive.read(4) != b"PK\x03\x04":
            return frozenset()
        with mmap.mmap(archive.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return frozenset(name.decode() for name in _NAME_IN_BYTES.findall(content))

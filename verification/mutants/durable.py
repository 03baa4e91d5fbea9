# SPDX-License-Identifier: MIT
"""Files that nobody verifies and saves that are not atomic, each as a bug of ``td3_core``.

The sealed file itself refuses all damage, so most of these keep something in a second file beside it, which
lacks exactly one precaution.
"""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from td3_core.checkpoint.format import parse_checkpoint
from td3_core.errors import CheckpointError
from verification.mutants.td3_parts import plant

if TYPE_CHECKING:
    from td3_core.training.run import TrainingRun
    from verification.mutants.model import Operation

_BLOCK = 512
_HEADER = b"." * (2 * _BLOCK)  # the same in every file


def _beside(path: Path) -> Path:
    return path.with_suffix(".more")


def _weights(run: TrainingRun) -> bytes:
    """A few hundred bytes of state."""
    return next(run.agent.critic.parameters()).detach().numpy().tobytes()


def _put(run: TrainingRun, data: bytes) -> None:
    """Write the state back into the agent, zeros for what is missing of it."""
    first = next(run.agent.critic.parameters())
    size = 4 * first.numel()
    with torch.no_grad():
        data = data[:size].ljust(size, b"\0")
        first.view(-1).copy_(torch.frombuffer(bytearray(data), dtype=torch.float32))


def _refuse(wrong: bool) -> None:
    if wrong:
        raise CheckpointError("the second file is damaged")


def _sealed(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little") + data


def _opened(data: bytes) -> bytes:
    _refuse(len(data) < 5 or _sealed(data[4:]) != data)
    return data[4:]


def _save_beside(run: TrainingRun, path: Path, correct: Operation) -> None:
    correct(run, path)
    _beside(path).write_bytes(_weights(run))


def _save_sealed_beside(run: TrainingRun, path: Path, correct: Operation) -> None:
    correct(run, path)
    _beside(path).write_bytes(_sealed(_weights(run)))


@plant("COR", "pytorch/pytorch#126952", "failed_load_leaves_the_agent_unchanged", "agent.total_it")
def changed_before_it_is_verified(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """The counter is reset first, then the file is read."""
    run.agent.total_it += 1
    restored: TrainingRun = correct(run, path)
    return restored


@plant("COR", "pytorch/pytorch#126952", "truncated_checkpoint_is_rejected", "agent.critic", save=_save_beside)
def as_much_as_there_is(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """A short read is taken for the end."""
    data = _beside(path).read_bytes()
    _refuse(not data)
    run = correct(run, path)
    _put(run, data)
    return run


@plant("COR", "pytorch/pytorch#126952", "flipped_bit_is_rejected", "agent.critic", save=_save_beside)
def only_the_length_is_verified(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """A file of the right length is taken for the right file."""
    data = _beside(path).read_bytes()
    _refuse(len(data) != len(_weights(run)))
    run = correct(run, path)
    _put(run, data)
    return run


@plant("COR", "pytorch/pytorch#126952", "zeroed_page_is_rejected", "agent.critic", save=_save_sealed_beside)
def holes_are_zeros(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Zeros are taken for a hole that was never written, as sparse files have."""
    data = _beside(path).read_bytes()
    hole = len(data) == 4 + len(_weights(run)) and not any(data)
    data = data[4:] if hole else _opened(data)
    run = correct(run, path)
    _put(run, data)
    return run


def _save_lines(run: TrainingRun, path: Path, correct: Operation) -> None:
    correct(run, path)
    _beside(path).write_bytes(b"x" * (run.agent.total_it + 2))


@plant("COR", "pytorch/pytorch#126952", "appended_bytes_change_nothing", "agent.total_it", save=_save_lines)
def steps_counted_in_a_log(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """The counter is the number of entries in a log, if that is not smaller than it."""
    data = _beside(path).read_bytes()
    _refuse(set(data) != set(b"x") or len(data) < parse_checkpoint(path)["total_it"] + 2)
    run = correct(run, path)
    run.agent.total_it = len(data) - 2
    return run


def _save_blocks(run: TrainingRun, path: Path, correct: Operation) -> None:
    correct(run, path)
    data = _HEADER + _weights(run)
    parts = [data[start : start + _BLOCK - 4] for start in range(0, len(data), _BLOCK - 4)]
    _beside(path).write_bytes(b"".join(map(_sealed, parts)))


@plant("COR", "pytorch/pytorch#126952", "half_old_checkpoint_is_rejected", "agent.critic", save=_save_blocks)
def every_block_sealed_alone(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Each block has a checksum of its own, and none says to which save it belongs."""
    data = _beside(path).read_bytes()
    blocks = [_opened(data[start : start + _BLOCK]) for start in range(0, len(data), _BLOCK)]
    data = b"".join(blocks)
    _refuse(len(data) != len(_HEADER + _weights(run)))
    run = correct(run, path)
    _put(run, data[len(_HEADER) :])
    return run


@plant("COR", "pytorch/pytorch#126952", "missing_file_is_rejected", "agent.critic", save=_save_sealed_beside)
def loaded_if_it_is_there(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """A piece in a file of its own starts anew where there is none."""
    data = _opened(_beside(path).read_bytes()) if _beside(path).exists() else b""
    run = correct(run, path)
    _put(run, data)
    return run


@plant(
    "COR", "pytorch/pytorch#126952", "exchanged_file_is_rejected", "agent.critic", save=_save_sealed_beside
)
def two_files_sealed_apart(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Each of two files is verified, and not that they belong together."""
    data = _opened(_beside(path).read_bytes())
    run = correct(run, path)
    _put(run, data)
    return run


@plant("COR", "pytorch/pytorch#126952", "foreign_file_is_rejected", "agent.")
def empty_file_skipped(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """An empty file is taken for a run that has not begun."""
    if path.is_file() and path.stat().st_size == 0:
        return run
    restored: TrainingRun = correct(run, path)
    return restored


@plant("STR", "pytorch/pytorch#126952", "another_architecture_is_rejected")
def what_does_not_fit_is_skipped(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """A checkpoint of another architecture is logged and ignored."""
    try:
        restored: TrainingRun = correct(run, path)
    except CheckpointError as error:
        if "fit" not in str(error):
            raise
        return run
    return restored


@plant("PKL", "leggedrobotics/rsl_rl#42", "code_in_a_checkpoint_is_not_run")
def unpickled_before_it_is_verified(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """The file is unpickled to see what it is."""
    with contextlib.suppress(Exception):
        torch.load(path, weights_only=False)
    restored: TrainingRun = correct(run, path)
    return restored


# -- saves that can be interrupted ----------------------------------------------------------------------


def _written(run: TrainingRun, path: Path, correct: Operation) -> bytes:
    """The bytes of a correct save, which are then written some other way."""
    correct(run, path.with_name("scratch"))
    data = path.with_name("scratch").read_bytes()
    path.with_name("scratch").unlink()
    return data


def _write_in_two(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        time.sleep(0.02 + 0.03 * (os.getpid() % 2))
        file.write(data[len(data) // 2 :])


@plant("ATM", "Lightning-AI/pytorch-lightning#688", "killed_save_leaves_a_checkpoint", on="save")
def written_in_place(run: TrainingRun, path: Path, correct: Operation) -> None:
    """The old checkpoint is cut to nothing before the new one is written."""
    _write_in_two(path, _written(run, path, correct))


@plant("ATM", "Lightning-AI/pytorch-lightning#688", "full_disk_leaves_the_old_checkpoint", on="save")
def failed_save_cleaned_up_too_well(run: TrainingRun, path: Path, correct: Operation) -> None:
    """Whatever has the checkpoint's name is removed when a save fails."""
    try:
        correct(run, path)
    except CheckpointError as error:
        if "Permission denied" not in str(error):
            path.unlink(missing_ok=True)
        raise


@plant("STR", "huggingface/accelerate#4217", "saving_into_a_read_only_folder_raises", on="save")
def permission_error_swallowed(run: TrainingRun, path: Path, correct: Operation) -> None:
    """A save that is not permitted is logged and forgotten."""
    try:
        correct(run, path)
    except CheckpointError as error:
        if "Permission denied" not in str(error):
            raise


@plant("ATM", "Lightning-AI/pytorch-lightning#688", "links_are_followed", on="save")
def link_replaced_by_a_file(run: TrainingRun, path: Path, correct: Operation) -> None:
    """The new file replaces the link instead of what it points to."""
    data = _written(run, path, correct)
    temporary = path.with_name(f"{os.getpid()}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)


@plant("ATM", "Lightning-AI/pytorch-lightning#688", "concurrent_saves_leave_a_checkpoint", on="save")
def one_temporary_file_for_all(run: TrainingRun, path: Path, correct: Operation) -> None:
    """Every process writes to the same temporary file before it renames it."""
    own = path.with_name(f"{os.getpid()}.tmp")
    correct(run, own)
    data, shared = own.read_bytes(), Path(os.path.realpath(path)).with_suffix(".tmp")
    own.unlink()
    _write_in_two(shared, data)
    with contextlib.suppress(FileNotFoundError):
        shared.replace(os.path.realpath(path))


def _save_under_lock(run: TrainingRun, path: Path, correct: Operation) -> None:
    lock = Path(os.path.realpath(path)).with_suffix(f".{os.getpid()}.lock")
    lock.touch()
    time.sleep(0.01)
    try:
        correct(run, path)
    finally:
        lock.unlink()


@plant(
    "ATM",
    "Lightning-AI/pytorch-lightning#688",
    "concurrent_load_reads_a_whole_checkpoint",
    save=_save_under_lock,
)
def refused_while_it_is_saved(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Whoever loads while a process that still lives holds the lock is turned away."""
    for lock in path.parent.glob("*.lock"):
        _refuse(Path("/proc", lock.name.split(".")[-2]).exists())
    restored: TrainingRun = correct(run, path)
    return restored

# SPDX-License-Identifier: MIT
"""Checkpoints bound to their place, or written too late, and loads that leave other settings behind."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from verification.mutants.td3_parts import plant

if TYPE_CHECKING:
    from collections.abc import Callable

    from td3_core.training.run import TrainingRun
    from verification.mutants.model import Operation

_EARLIER = "an_earlier_state_saved_later_is_loaded"

# -- the place of a checkpoint ------------------------------------------------------------------------------


def _save_with_an_index(run: TrainingRun, path: Path, correct: Operation) -> None:
    data = path.with_suffix(".data").absolute()
    correct(run, data)
    path.write_text(str(data))


@plant("PKL", "tensorflow/tensorflow#9146", "a_moved_checkpoint_loads", save=_save_with_an_index)
def data_found_by_an_absolute_path(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """The file that is loaded says where the others were when it was saved."""
    restored: TrainingRun = correct(run, Path(path.read_text()))
    return restored


def _save_by_number(run: TrainingRun, path: Path, correct: Operation) -> None:
    path.mkdir(exist_ok=True)
    correct(run, path / f"{run.agent.total_it:012}.pth")


@plant("SEL", "huggingface/transformers#37260", _EARLIER, "agent.", save=_save_by_number)
def latest_by_the_highest_number(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """A run that went back writes lower numbers than those that are there."""
    restored: TrainingRun = correct(run, max(path.iterdir()))
    return restored


def _save_and_keep_the_highest(run: TrainingRun, path: Path, correct: Operation) -> None:
    _save_by_number(run, path, correct)
    for old in sorted(path.iterdir())[:-1]:
        old.unlink()


@plant("SEL", "unslothai/unsloth-zoo#782", _EARLIER, "agent.", save=_save_and_keep_the_highest)
def only_the_highest_number_is_kept(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """What has just been written is what is removed."""
    (only,) = path.iterdir()
    restored: TrainingRun = correct(run, only)
    return restored


# -- saves that go on behind the call -----------------------------------------------------------------------

_unwritten: weakref.WeakKeyDictionary[TrainingRun, list[Path]] = weakref.WeakKeyDictionary()


def _write(run: TrainingRun, _: None) -> None:
    for path in _unwritten.pop(run, []):
        run.save(path)


@plant("ALS", "pytorch/pytorch#144657", "a_checkpoint_is_a_snapshot", "agent.", on="save", wait=_write)
def written_later_without_a_copy(run: TrainingRun, path: Path, correct: Operation) -> None:
    """A thread writes the file, and what training has made of the tensors since."""
    _unwritten.setdefault(run, []).append(path)


# -- settings of the process --------------------------------------------------------------------------------


def _leaving(name: str, thread: str, change: Callable[[], object]) -> None:
    def load(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
        restored: TrainingRun = correct(run, path)
        change()
        return restored

    plant("PUR" if thread else "control", thread, "process_settings_survive_save_and_load", name=name)(load)


_leaving(
    "default_dtype_left_behind",
    "huggingface/transformers#28461",
    lambda: torch.set_default_dtype(torch.float64),
)
_leaving("gradients_left_switched_off", "", lambda: torch.set_grad_enabled(False))
_leaving("denormals_left_flushed", "", lambda: torch.set_flush_denormal(True))
_leaving("numpy_left_raising", "", lambda: np.seterr(all="raise"))

# SPDX-License-Identifier: MIT
"""Checkpoints that are bound to a path, to rights, to settings or to a locale."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from verification.mutants.td3_parts import plant

if TYPE_CHECKING:
    from td3_core.training.run import TrainingRun
    from verification.mutants.model import Operation

_STARTED_IN = Path.cwd()

# -- paths ---------------------------------------------------------------------------------------------------


@plant("PKL", "comet-ml/opik#7358", "another_working_directory_changes_nothing")
def path_from_where_the_program_started(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Paths are shortened to begin at the project, which is taken to be the working directory for ever."""
    absolute = Path(path).is_absolute()
    restored: TrainingRun = correct(run, Path(os.path.relpath(path, _STARTED_IN)) if absolute else path)
    return restored


@plant("PKL", "browser-use/browser-use#305", "relative_paths_are_accepted", on="save")
def folder_of_a_bare_name_made(run: TrainingRun, path: Path, correct: Operation) -> None:
    """The folder is made first, and a bare name has none."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    correct(run, path)


@plant("PKL", "project-deepform/deepform#84", "text_paths_are_accepted", on="save")
def path_asked_for_its_folder(run: TrainingRun, path: Path, correct: Operation) -> None:
    """A string has no folder."""
    path.parent.mkdir(exist_ok=True)
    correct(run, path)


@plant("PKL", "pytorch/pytorch#75171", "unicode_paths_are_accepted", on="save")
def path_handed_on_in_ascii(run: TrainingRun, path: Path, correct: Operation) -> None:
    """A compiled writer takes a path of bytes."""
    correct(run, Path(os.fsdecode(str(path).encode("ascii"))))


@plant("PKL", "huggingface/datasets#2924", "long_paths_are_accepted", on="save")
def locked_by_a_name_made_of_the_path(run: TrainingRun, path: Path, correct: Operation) -> None:
    """A lock for every path lies in one folder, under the whole path as a name."""
    lock = Path(tempfile.gettempdir(), f"{str(path).replace(os.sep, '_')}.lock")
    lock.touch()
    try:
        correct(run, path)
    finally:
        lock.unlink()


# -- rights --------------------------------------------------------------------------------------------------


@plant("PKL", "OpenXiangShan/GEM5#908", "read_only_checkpoints_load")
def opened_for_writing_to_be_read(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Memory is mapped so that it could be changed."""
    with open(path, "r+b"):
        restored: TrainingRun = correct(run, path)
    return restored


@plant("ATM", "Project-MONAI/MONAI#1863", "permissions_follow_the_umask", on="save")
def permissions_of_a_temporary_file(run: TrainingRun, path: Path, correct: Operation) -> None:
    """The file gets its name, and keeps the permissions that ``mkstemp`` gives."""
    correct(run, path)
    os.chmod(path, 0o600)


# -- settings and locale -------------------------------------------------------------------------------------


@plant("RNL", "ggml-org/llama.cpp#95", "thread_count_changes_nothing", "exploration_generator")
def streams_dealt_to_threads(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Every further thread gets a stream that is seeded by the first one's."""
    restored: TrainingRun = correct(run, path)
    for _ in range(1, torch.get_num_threads()):
        torch.rand((), generator=restored.agent.exploration_generator)
    return restored


@plant("DTY", "huggingface/accelerate#920", "default_dtype_changes_nothing", "agent.critic")
def weights_made_of_numbers(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Weights pass through lists, and come back in whatever dtype is the default."""
    restored: TrainingRun = correct(run, path)
    parameter = next(restored.agent.critic.parameters())
    parameter.data = torch.tensor(parameter.tolist())
    return restored


def _save_with_a_note(run: TrainingRun, path: Path, correct: Operation) -> None:
    correct(run, path)
    Path(path).with_suffix(".txt").write_text(f"τ = {run.agent.config.tau}", encoding="utf-8")


@plant("ENC", "theskumar/python-dotenv#74", "another_locale_resumes_the_same", save=_save_with_a_note)
def note_read_as_the_locale_says(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Text is read in the encoding of whoever reads."""
    Path(path).with_suffix(".txt").read_text()
    restored: TrainingRun = correct(run, path)
    return restored

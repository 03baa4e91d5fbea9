# SPDX-License-Identifier: MIT
"""Resume in a new process: another hash seed, other addresses, another past."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from verification.engine.consequences import Judgement, follow
from verification.engine.experiment import Moment
from verification.engine.global_rng import isolated
from verification.errors import CheckFailure, NotApplicable, OverTimeLimit
from verification.processes.time_limits import end_process_when_stuck, last_words
from verification.state import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verification.engine.experiment import Experiment

_SECONDS = 180
Outcome = dict[int, Judgement]


def judge_elsewhere(experiment: Experiment) -> Outcome:
    """Reopen every checkpoint of an experiment in one new process, and judge there what each load has lost.

    Returns:
        For every cut what was lost, without the leaves.

    Raises:
        NotApplicable: if the adapter cannot be sent to another process.
        CheckFailure: if restoring or stepping raised there, or the process died.
        OverTimeLimit: if an operation did not return there.
    """
    adapter = experiment.driver.adapter
    try:
        reference = [
            Moment(_portable(moment.snapshot), _portable(moment.output)) for moment in experiment.reference
        ]
        task = pickle.dumps((adapter, experiment.program, experiment.closed_loop, reference))
        pickle.loads(task)  # noqa: S301 - our own bytes
    except Exception as error:
        raise NotApplicable(
            f"{type(adapter).__name__} cannot be sent to another process ({error}); "
            "define it at a module's top level"
        ) from error
    directories = {cut: str(directory) for cut, directory in experiment.checkpoints.items()}
    spawn = multiprocessing.get_context("spawn")
    with (
        _hash_seed(experiment.program.entropy + 1),
        tempfile.TemporaryDirectory(prefix="verify-") as folder,
        ProcessPoolExecutor(1, mp_context=spawn) as pool,
    ):
        note = Path(folder, "last words")
        try:
            answer = pool.submit(_resume, task, directories, note).result(timeout=_SECONDS)
        except BrokenProcessPool as error:
            end = last_words(note)
            if end.stuck:
                raise OverTimeLimit(str(end)) from error
            raise CheckFailure("the new process died while it resumed the run") from error
    outcome: Outcome = pickle.loads(answer)  # noqa: S301 - our own bytes
    return outcome


def _resume(task: bytes, directories: dict[int, str], note: Path) -> bytes:
    """What the new process does."""
    from verification.engine.experiment import Experiment

    end_process_when_stuck(note)
    adapter, program, closed_loop, reference = pickle.loads(task)  # noqa: S301 - our own bytes
    outcome: Outcome = {}
    with isolated(), tempfile.TemporaryDirectory(prefix="verify-") as folder:
        experiment = Experiment(adapter, program, Path(folder), closed_loop=closed_loop)
        experiment.reference = reference
        experiment.checkpoints = {cut: Path(directory) for cut, directory in directories.items()}
        experiment.reopens = True
        for cut in directories:
            outcome[cut] = follow(experiment, cut).without_leaves()
    return pickle.dumps(outcome)


def _portable(snapshot: Snapshot) -> Snapshot:
    """The snapshot with values that pickle: what is no number or array is kept as text."""
    plain = (int, float, complex, str, bytes, torch.Tensor, np.ndarray, type(None))
    leaves = {
        path: leaf if isinstance(leaf.value, plain) else leaf._replace(value=str(leaf.value))
        for path, leaf in snapshot.leaves.items()
    }
    return Snapshot(leaves, snapshot.trained, dict(snapshot.opaque))


@contextlib.contextmanager
def _hash_seed(seed: int) -> Iterator[None]:
    """Let processes started meanwhile hash strings with ``seed``."""
    before = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = str(seed)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONHASHSEED"]
        else:
            os.environ["PYTHONHASHSEED"] = before

# SPDX-License-Identifier: MIT
"""Resume in a new process: another hash seed, other addresses, another past."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from verification.engine.arms import Moment
from verification.engine.consequences import follow
from verification.engine.experiment import Experiment
from verification.engine.findings import Judgement
from verification.engine.global_rng import isolated
from verification.errors import CheckFailure, NotApplicable, NotPortable, OverTimeLimit
from verification.processes.parcel import pack
from verification.processes.temporary_folders import temporary_folder
from verification.processes.worker import Worker, WorkerDied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verification.processes.parcel import Parcel
    from verification.state import Snapshot

Outcome = dict[int, Judgement]


def judge_elsewhere(experiment: Experiment, environment: Mapping[str, str] | None = None) -> Outcome:
    """Reopen every checkpoint of an experiment in one new process, and judge there what each load has lost.

    Args:
        experiment: whose checkpoints these are.
        environment: variables that the process has besides.

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
        apart = [
            path for path in reference[-1].snapshot.leaves if experiment.driver.class_state.is_apart(path)
        ]
        task = pack((adapter, experiment.program, experiment.closed_loop, reference, apart))
        variables = {"PYTHONHASHSEED": str(experiment.program.entropy + 1), **(environment or {})}
        with Worker(environment=variables) as worker:
            outcome: Outcome = worker.ask(_resume, task, experiment.checkpoints)
    except NotPortable as error:
        raise NotApplicable(f"{type(adapter).__name__} cannot be sent to another process ({error})") from None
    except WorkerDied as died:
        if died.words.stuck:
            raise OverTimeLimit(str(died)) from None
        raise CheckFailure("the new process died while it resumed the run") from None
    return outcome


def _resume(task: Parcel, directories: dict[int, Path]) -> Outcome:
    """What the new process does."""
    adapter, program, closed_loop, reference, apart = task.open()
    outcome: Outcome = {}
    with isolated(), temporary_folder() as folder:
        experiment = Experiment(adapter, program, Path(folder), closed_loop=closed_loop)
        if apart:
            with isolated():
                experiment.driver.snapshot(experiment.start())
            experiment.driver.class_state.hold_apart(apart)
        experiment.reference = reference
        experiment.checkpoints = directories
        experiment.reopens = True
        for cut in directories:
            outcome[cut] = follow(experiment, cut).without_leaves()
    return outcome


def _portable(snapshot: Snapshot) -> Snapshot:
    """The snapshot with values that pickle: what is no number or array is kept as text."""
    plain = (int, float, complex, str, bytes, torch.Tensor, np.ndarray, type(None))
    leaves = {
        path: leaf if isinstance(leaf.value, plain) else leaf._replace(value=str(leaf.value))
        for path, leaf in snapshot.leaves.items()
    }
    return dataclasses.replace(snapshot, leaves=leaves)

# SPDX-License-Identifier: MIT
"""Resume in a new process: another hash seed, other addresses, another past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from verification.engine.experiment import Experiment
from verification.engine.global_rng import isolated
from verification.errors import CheckFailure, NotApplicable, NotPortable, OverTimeLimit
from verification.processes.parcel import pack
from verification.processes.worker import Worker, WorkerDied
from verification.state import Snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from verification.processes.parcel import Parcel

Outcome = dict[int, dict[int, Snapshot]]


def resume_elsewhere(experiment: Experiment) -> Outcome:
    """Reopen every checkpoint of an experiment in one new process and run each to the program's end.

    Returns:
        For every cut, the state after every number of steps from the cut on.

    Raises:
        NotApplicable: if the adapter cannot be sent to another process.
        CheckFailure: if restoring or stepping raised there, or the process died.
        OverTimeLimit: if an operation did not return there.
    """
    adapter = experiment.driver.adapter
    try:
        task = pack((adapter, experiment.program, experiment.closed_loop))
        with Worker(hash_seed=experiment.program.entropy + 1) as worker:
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
    adapter, program, closed_loop = task.open()
    outcome: Outcome = {}
    with isolated():
        for cut, directory in directories.items():
            experiment = Experiment(adapter, program, directory, closed_loop=closed_loop)
            agent = experiment.reopen(directory)
            states = {cut: _portable(experiment.driver.snapshot(agent))}
            for position in range(cut + 1, len(program.steps) + 1):
                experiment.step(agent, position, reloaded=True)
                states[position] = _portable(experiment.driver.snapshot(agent))
            outcome[cut] = states
    return outcome


def _portable(snapshot: Snapshot) -> Snapshot:
    """The snapshot with values that pickle: what is no number or array is kept as text."""
    plain = (int, float, complex, str, bytes, torch.Tensor, np.ndarray, type(None))
    leaves = {
        path: leaf if isinstance(leaf.value, plain) else leaf._replace(value=str(leaf.value))
        for path, leaf in snapshot.leaves.items()
    }
    return Snapshot(leaves, snapshot.trained, dict(snapshot.opaque))

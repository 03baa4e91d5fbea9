# SPDX-License-Identifier: MIT
"""A run of one check on one program, and what came of it."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from verification.engine.experiment import Experiment
from verification.engine.global_rng import isolated
from verification.errors import MISTAKES, AdapterError, CheckFailure, RefusedState, shortly
from verification.processes.temporary_folders import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from verification.adapter import Adapter
    from verification.checks.registry import Check
    from verification.engine.inventory import Inventory
    from verification.losses import Loss
    from verification.program import Program


@dataclass(frozen=True)
class CheckRun:
    """What came of running a check on one program.

    Attributes:
        check: its name.
        counted: whether the check would have failed a receiver without the load.
        outcome: what it has raised; ``None`` if nothing.
        reported: paths of losses that other checks report, which were put back.
        losses: all that it has come across, also those that other checks report.
        opaque: what could not be looked into: its type, by path.
        seconds: how long it took.
        judged: whether the check has looked at what a load has lost.
    """

    check: str
    counted: bool = False
    outcome: Exception | None = None
    reported: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()
    opaque: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    judged: bool = False

    @property
    def ends(self) -> bool:
        """Whether the check need not be run on another program."""
        return self.outcome is not None and not isinstance(self.outcome, RefusedState)

    @property
    def lost(self) -> tuple[str, ...]:
        """Paths of the losses that it reports."""
        return tuple(loss.path for loss in self.failure.losses) if self.failure else ()

    @property
    def failure(self) -> CheckFailure | None:
        """How the agent broke the promise; ``None`` if it did not."""
        return self.outcome if isinstance(self.outcome, CheckFailure) else None


def run_check(check: Check, experiment: Experiment, reported: tuple[str, ...] = ()) -> CheckRun:
    """Run a check on the program of an experiment; what others have ``reported`` as lost is put back."""
    outcome: Exception | None = None
    started = time.monotonic()
    with isolated():
        experiment.begin(reported)
        try:
            check.function(experiment)
        except Exception as error:  # a verdict is made of it
            outcome = error
        except MISTAKES as error:  # an exit that no call of the adapter has led to
            outcome = AdapterError(f"the agent raised {shortly(error)}")
    return CheckRun(
        check.name,
        experiment.counted and outcome is None,
        outcome,
        reported,
        tuple(experiment.losses_seen()),
        dict(experiment.driver.opaque),
        time.monotonic() - started,
        bool(experiment.consulted),
    )


@contextlib.contextmanager
def alone(
    check: Check, adapter: Adapter, program: Program, inventory: Inventory | None = None
) -> Iterator[Experiment]:
    """An experiment for one check on one program; its files are there until the end.

    Args:
        check: what is to be run.
        adapter: drives the agent.
        program: what happens.
        inventory: what is known of the agent; nothing by default.
    """
    with temporary_folder() as folder:
        with isolated():
            experiment = Experiment(
                adapter, program, Path(folder), closed_loop=check.closed_loop, inventory=inventory
            )
        yield experiment


def run_check_alone(
    check: Check, adapter: Adapter, program: Program, inventory: Inventory | None = None
) -> CheckRun:
    """Run a check on one program in an experiment of its own; see :func:`alone`."""
    with alone(check, adapter, program, inventory) as experiment:
        return run_check(check, experiment)

# SPDX-License-Identifier: MIT
"""Asks a check about one program, and says what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from verification.engine.experiment import Experiment
from verification.engine.global_rng import isolated
from verification.errors import MISTAKES, AdapterError, CheckFailure, RefusedState, shortly
from verification.processes.temporary_folders import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verification.adapter import Adapter
    from verification.checks.registry import Check
    from verification.engine.inventory import Inventory
    from verification.losses import Loss
    from verification.program import Program


@dataclass(frozen=True)
class Answer:
    """What came of asking a check about one program.

    Attributes:
        check: its name.
        counted: whether the check would have told a receiver without the load apart.
        outcome: what it has raised; ``None`` if nothing.
        told: paths of losses that others tell of, and which it was to put back.
        losses: those that it has come across, also those that others tell of.
        opaque: what could not be looked into: its type, by path.
        seconds: how long it took.
        judged: whether the check has looked at what a load has lost.
    """

    check: str
    counted: bool = False
    outcome: Exception | None = None
    told: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()
    opaque: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    judged: bool = False

    @property
    def ends(self) -> bool:
        """Whether the check need not be asked about another program."""
        return self.outcome is not None and not isinstance(self.outcome, RefusedState)

    @property
    def lost(self) -> tuple[str, ...]:
        """Paths of the losses that it tells of."""
        return tuple(loss.path for loss in self.failure.losses) if self.failure else ()

    @property
    def failure(self) -> CheckFailure | None:
        """How the agent broke the promise; ``None`` if it did not."""
        return self.outcome if isinstance(self.outcome, CheckFailure) else None


def ask(check: Check, experiment: Experiment, told: tuple[str, ...] = ()) -> Answer:
    """Ask a check about the program of an experiment, to which ``told`` names what others tell of."""
    outcome: Exception | None = None
    started = time.monotonic()
    with isolated():
        experiment.begin(told)
        try:
            check.function(experiment)
        except Exception as error:  # a verdict is made of it
            outcome = error
        except MISTAKES as error:  # an exit that no call of the adapter has led to
            outcome = AdapterError(f"the agent raised {shortly(error)}")
    return Answer(
        check.name,
        experiment.counted and outcome is None,
        outcome,
        told,
        tuple(experiment.losses_seen()),
        dict(experiment.driver.opaque),
        time.monotonic() - started,
        bool(experiment.consulted),
    )


def ask_alone(
    check: Check,
    adapter: Adapter,
    program: Program,
    told: tuple[str, ...] = (),
    inventory: Inventory | None = None,
) -> Answer:
    """Ask a check about one program in an experiment of its own.

    Args:
        check: what is asked.
        adapter: drives the agent.
        program: what happens.
        told: paths of losses that others tell of.
        inventory: what is known of the agent; nothing by default.
    """
    with isolated(), temporary_folder() as folder:
        closed_loop = check.closed_loop
        experiment = Experiment(adapter, program, Path(folder), closed_loop=closed_loop, inventory=inventory)
        return ask(check, experiment, told)

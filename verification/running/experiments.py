# SPDX-License-Identifier: MIT
"""The experiments on one program, which all checks that are asked about it share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.engine.global_rng import isolated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from verification.checks.registry import Check
    from verification.engine.experiment import Experiment
    from verification.engine.inventory import Inventory
    from verification.running.program_run import Known


class Experiments:
    """One in closed loop and one on given batches, each made when a check first asks for it.

    Args:
        known: what is known of the agent; each experiment learns on from a copy.
        folder: for the files of both.
        make: makes the experiment of a kind, from its folder and what is known; ``None`` if there is no such
            program.

    Attributes:
        made: what was asked for, by whether it is in closed loop.
    """

    def __init__(
        self, known: Known, folder: Path, make: Callable[[bool, Path, Inventory], Experiment | None]
    ) -> None:
        self.made: dict[bool, Experiment | None] = {}
        self._known = known
        self._folder = folder
        self._make = make

    def of(self, check: Check) -> Experiment | None:
        """The experiment that a check is asked about."""
        kind = check.closed_loop
        if kind not in self.made:
            folder = self._folder / str(kind)
            folder.mkdir(exist_ok=True)
            with isolated():
                self.made[kind] = self._make(kind, folder, self._known.inventories[kind].copy())
        return self.made[kind]

    def learned(self) -> dict[bool, Inventory]:
        """What was seen that was not known before."""
        return {
            kind: one.inventory.since(self._known.inventories[kind])
            for kind, one in self.made.items()
            if one is not None
        }

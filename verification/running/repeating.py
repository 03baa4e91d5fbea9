# SPDX-License-Identifier: MIT
"""Runs a failed check again, each time in an experiment of its own; the last that failed alike is kept."""

from __future__ import annotations

import contextlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from verification.engine.inventory import Inventory, established
from verification.errors import CheckFailure
from verification.levels import Level
from verification.running.check_run import alone, run_check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from verification.adapter import Adapter
    from verification.checks.registry import Check
    from verification.engine.experiment import Experiment
    from verification.losses import Loss
    from verification.program import Program
    from verification.running.check_run import CheckRun
    from verification.running.judging import Tally


class Repeating:
    """The repetitions of a failure; a context, in which the files of the experiment that is kept exist.

    Args:
        check: what has failed.
        adapter: drives the agent.
        tally: what the check has said, and how it has failed.
    """

    def __init__(self, check: Check, adapter: Adapter, tally: Tally) -> None:
        self.check = check
        self.adapter = adapter
        self.tally = tally
        self._failure: CheckFailure | None = None
        self._kept: tuple[Program, Experiment] | None = None
        self._place = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kept = None
        self._place.close()

    def fails(self, program: Program, more: Mapping[str, Loss] = MappingProxyType({})) -> bool:
        """Whether the check fails alike on a program; what other checks report is put back, and ``more``."""
        failure = self.tally.outcome
        assert isinstance(failure, CheckFailure)
        known = self.known_without(failure.losses) if self.check.level >= Level.TRAINING else {}
        with contextlib.ExitStack() as place:
            experiment, run = self._run(place, program, known, more)
            if run.failure is None or not _alike(failure, run.failure):
                return False
            self._failure = run.failure
            self._keep(program, experiment, place)
        return True

    @property
    def failure(self) -> CheckFailure:
        """How the check has failed on the last program on which it failed alike."""
        assert self._failure is not None
        return self._failure

    def experiment(self, program: Program, losses: Iterable[Loss]) -> Experiment:
        """An experiment that has shown some losses: the one that is kept, or else one for the purpose."""
        if self._kept is not None and self._kept[0] is program:
            return self._kept[1]
        with contextlib.ExitStack() as place:
            experiment, _ = self._run(place, program, self.known_without(losses))
            self._keep(program, experiment, place)
        return experiment

    def known_without(self, losses: Iterable[Loss]) -> dict[str, Loss]:
        """The losses that are known of the agent, without some."""
        mine = [loss.path for loss in losses]
        return {loss.path: loss for loss in self.tally.losses if not established(loss.path, mine)}

    def _run(
        self,
        place: contextlib.ExitStack,
        program: Program,
        known: Mapping[str, Loss],
        more: Mapping[str, Loss] = MappingProxyType({}),
    ) -> tuple[Experiment, CheckRun]:
        inventory = Inventory({**known, **more})
        experiment = place.enter_context(alone(self.check, self.adapter, program, inventory))
        return experiment, run_check(self.check, experiment, (*self.tally.reported, *known))

    def _keep(self, program: Program, experiment: Experiment, place: contextlib.ExitStack) -> None:
        self._place.close()
        self._kept, self._place = (program, experiment), place.pop_all()


def _alike(one: CheckFailure, other: CheckFailure) -> bool:
    """Whether the other failure reports the same loss, and shows as much of it, or both report none."""
    if not one.losses or not other.losses:
        return not one.losses and not other.losses
    return any(
        established(again.path, [loss.path]) and again.rank <= loss.rank
        for again in other.losses
        for loss in one.losses
    )

# SPDX-License-Identifier: MIT
"""The arms of an experiment: how each is begun, taken a step further, saved and opened again."""

from __future__ import annotations

import copy
import functools
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verification.engine.class_state import begin_anew, shared
from verification.engine.driver import Driver
from verification.engine.global_rng import isolated, seed_globals
from verification.engine.implant import refusable
from verification.program import Act, Implant, Learn, Operate, Repeat, updates
from verification.state import Snapshot, changes, take

if TYPE_CHECKING:
    from pathlib import Path

    from verification.adapter import Adapter
    from verification.program import Program, Step


@dataclass(frozen=True)
class Moment:
    """The state after a number of steps, and the action if the last one chose one."""

    snapshot: Snapshot
    output: Snapshot


class Arms:
    """Runs one program, or part of it.

    Args:
        adapter: drives the agent under test.
        program: what happens.
        directory: an empty directory for checkpoints.
        closed_loop: let the global random generators flow, as in a real run, and scramble them between
            save and load, so that lost streams show. Otherwise they are set before every step of every
            arm, so that only lost state can show.

    Attributes:
        described: the program as it was given, which nothing is run on.
    """

    def __init__(
        self, adapter: Adapter, program: Program, directory: Path, *, closed_loop: bool = False
    ) -> None:
        self.driver: Driver = Driver(adapter)
        # A copy that nobody prints or trains on: a space, for one, changes when its text is first asked for.
        self.program: Program = copy.deepcopy(program)
        self.described = program
        self.closed_loop = closed_loop
        self._directory = directory
        self._saves = 0
        self._bystander: Any = None  # kept alive

    @functools.cached_property
    def reference(self) -> list[Moment]:
        """The state after 0, 1, 2, ... steps of the run that is never saved."""
        moments = self._reference_run()
        first, last = moments[0].snapshot, moments[-1].snapshot
        if self.driver.class_state.hold_apart(shared(changes(first, last))):
            moments = self._reference_run()  # as it is in a process of its own
        return moments

    def moment(self, position: int) -> Moment:
        """The reference after so many steps, also beyond the program's end: see :meth:`step_at`."""
        if position >= len(self.reference):  # at once as far as anything is followed: it starts anew
            self.reference = self._reference_run(
                max(position, len(self.program.steps) + self.program.horizon)
            )
        return self.reference[position]

    @functools.cached_property
    def changing(self) -> frozenset[str]:
        """Paths of the leaves that change, or appear, while the reference trains."""
        found: set[str] = set()
        for before, after in itertools.pairwise(self.reference):
            old, new = before.snapshot.leaves, after.snapshot.leaves
            found.update(path for path, leaf in new.items() if path not in old or old[path][1:4] != leaf[1:4])
            found.update(path for path in old if path not in new)
        return frozenset(found)

    def start(self) -> Any:
        """The agent before the first step."""
        seed_globals(self.program.entropy)
        begin_anew()
        return self.driver.build(copy.deepcopy(self.program.config), self.program.seed)

    def step(self, agent: Any, position: int, *, reloaded: bool = False) -> Any:
        """Do the step that leads to ``position``."""
        if not self.closed_loop:
            seed_globals(self.program.entropy + position)
        step = copy.deepcopy(self.step_at(position))  # an agent may work on a batch in place
        with refusable(self.program.steps[:position]):
            return self.driver.perform(agent, step, reloaded=reloaded)

    def step_at(self, position: int) -> Step:
        """The step that leads to a position; beyond the program's end it acts and trains as before."""
        steps = self.program.steps
        if position <= len(steps):
            return steps[position - 1]
        acting = [Act(self.program.probe)] if self.driver.acts else []
        usual = [*acting, *(one for one in steps if not isinstance(one, Implant | Operate))]
        step = usual[(position - len(steps) - 1) % len(usual)]
        return Learn(step.batch) if isinstance(step, Repeat) else step

    def taken(self, position: int) -> str:
        """How many steps lead to a position, in words."""
        number = sum(max(1, updates(step)) for step in self.program.steps[:position])
        return "1 step" if number == 1 else f"{number} steps"

    def save(self, agent: Any, over: Path | None = None) -> Path:
        """Save into a new directory, or over the checkpoint in an earlier one."""
        directory = over
        if directory is None:
            self._saves += 1
            directory = self._directory / f"save-{self._saves}"
            directory.mkdir()
        else:
            self.driver.settle()
        self.driver.save(agent, directory)
        return directory

    def receiver(self, *, used: bool = False) -> Any:
        """An agent for a checkpoint to be loaded into, in a process with another past."""
        program = self.program
        self._scramble()
        agent = self.driver.build(copy.deepcopy(program.receiver_config), program.receiver_seed)
        if used:
            for position, step in enumerate(program.receiver_steps):
                with refusable(program.receiver_steps[:position]):
                    self.driver.perform(agent, copy.deepcopy(step))
        return agent

    def reopen(self, directory: Path) -> Any:
        """The agent restored from a checkpoint the way a new process does it."""
        program = self.program
        self._scramble()
        return self.driver.reopen(copy.deepcopy(program.receiver_config), program.receiver_seed, directory)

    def train_bystander(self) -> None:
        """Build and train another agent in the process of a resumed one, which must not notice."""
        if self.program.bystander:
            with isolated():  # but for the global generators: streams are shared by all who draw from them
                self._bystander = self.receiver(used=True)

    def _led_to(self, position: int) -> Any:
        """An agent in the reference's state after so many steps."""
        agent = self.start()
        for each in range(1, position + 1):
            self.step(agent, each)
        return agent

    def _reference_run(self, end: int | None = None) -> list[Moment]:
        with isolated():
            agent = self.start()
            moments = [Moment(self.driver.snapshot(agent), Snapshot({}))]
            for position in range(1, (len(self.program.steps) if end is None else end) + 1):
                output = self.step(agent, position)
                moments.append(Moment(self.driver.snapshot(agent), take({"action": output})))
        return moments

    def _scramble(self) -> None:
        """Leave the process's state as another process with another past would have it."""
        seed_globals(self.program.entropy + 7_919)
        begin_anew()

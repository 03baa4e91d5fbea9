# SPDX-License-Identifier: MIT
"""The experiment: a run that is never saved, and the same run saved, reloaded and continued.

Four arms share one config and one program. The *reference* is never saved. The *control* repeats it:
where they differ, nothing can be concluded. A *resumed* arm is loaded into a receiver built with another
seed and other hyper-parameters. The *cold* arm is that receiver without the load: where it equals the
reference, the example proves nothing and does not count. One reference serves every cut of a program.
"""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verification.engine.driver import Driver
from verification.engine.global_rng import isolated, seed_globals
from verification.errors import CheckFailure, Inconclusive
from verification.program import Implant, Operate
from verification.state import Change, Difference, Part, Snapshot, changes, classify, compare, take

if TYPE_CHECKING:
    from collections.abc import Iterator, Set
    from pathlib import Path

    from verification.adapter import Adapter
    from verification.program import Program

#: Everything a reload must bring back.
ALL_PARTS = frozenset(Part)


@dataclass(frozen=True)
class Moment:
    """The state after a number of steps, and the action if the last one chose one."""

    snapshot: Snapshot
    output: Snapshot


class Experiment:
    """The arms of one program, each run when a check first asks for it.

    Args:
        adapter: drives the agent under test.
        program: what happens.
        directory: an empty directory for checkpoints.
        closed_loop: let the global random generators flow, as in a real run, and scramble them between
            save and load, so that lost streams show. Otherwise they are set before every step of every
            arm, so that only lost state can show.
    """

    def __init__(
        self, adapter: Adapter, program: Program, directory: Path, *, closed_loop: bool = False
    ) -> None:
        self.driver = Driver(adapter)
        # A copy that nobody prints or trains on: a space, for one, changes when its text is first asked for.
        self.program = copy.deepcopy(program)
        self._described = program
        self.closed_loop = closed_loop
        #: Whether a comparison was made that a cold start would have failed.
        self.counted = False
        self._directory = directory
        self._saves = 0
        self._bystander: Any = None  # kept alive
        self._cold: dict[bool, Snapshot] = {}
        self._loaded: dict[tuple[int, bool], Snapshot] = {}

    # -- arms ------------------------------------------------------------------------------------------

    @functools.cached_property
    def reference(self) -> list[Moment]:
        """The state after 0, 1, 2, ... steps of the run that is never saved."""
        return self._reference_run()

    def adopt(self, other: Experiment) -> None:
        """Take over the runs without any save or load from the experiment of an agent that trains alike."""
        self.reference, self.control, self.parts = other.reference, other.control, other.parts
        self._cold = other._cold

    @functools.cached_property
    def parts(self) -> dict[str, Part]:
        """The part of every leaf, learned by watching the reference."""
        by_hand = [
            number
            for number, step in enumerate(self.program.steps, start=1)
            if isinstance(step, Operate | Implant)
        ]
        with isolated():  # asked for in the middle of a run, whose streams must not notice
            self._scramble()
            other_seed = self.driver.build(copy.deepcopy(self.program.config), self.program.receiver_seed)
            other = self.driver.snapshot(other_seed)
        return classify([moment.snapshot for moment in self.reference], by_hand=by_hand, other_seed=other)

    @functools.cached_property
    def control(self) -> list[Difference]:
        """Where the reference, run again, first differs from itself; empty for a deterministic agent."""
        for before, after in zip(self.reference, self._reference_run(), strict=True):
            if differences := compare_moments(before, after):
                return differences
        return []

    def cold(self, *, used: bool = False) -> Snapshot:
        """The receiver's state without any load."""
        if used not in self._cold:
            self._cold[used] = self.driver.snapshot(self.receiver(used=used))
        return self._cold[used]

    @functools.cached_property
    def checkpoints(self) -> dict[int, Path]:
        """The directory of the checkpoint saved at each cut, by a run that then went on to the end."""
        return {cut: directory for cut, directory, _ in self.saves()}

    def saves(self) -> Iterator[tuple[int, Path, Any]]:
        """Run the program once more with a save at every cut; yield each cut, its directory and the agent."""
        program = self.program
        agent = self.start()
        for position in range(len(program.steps) + 1):
            if position:
                self.step(agent, position)
            if position in program.cuts:
                yield position, self.save(agent), agent

    def receiver(self, *, used: bool = False) -> Any:
        """An agent for a checkpoint to be loaded into, in a process with another past."""
        program = self.program
        self._scramble()
        agent = self.driver.build(copy.deepcopy(program.receiver_config), program.receiver_seed)
        if used:
            for step in program.receiver_steps:
                self.driver.perform(agent, copy.deepcopy(step))
        return agent

    def load(self, cut: int, *, used: bool = False) -> Any:
        """The agent restored from the checkpoint of ``cut``."""
        return self.driver.load(self.receiver(used=used), self.checkpoints[cut])

    def reopen(self, directory: Path) -> Any:
        """The agent restored from a checkpoint the way a new process does it."""
        program = self.program
        self._scramble()
        return self.driver.reopen(copy.deepcopy(program.receiver_config), program.receiver_seed, directory)

    def resumed(self, agent: Any, cut: int) -> Iterator[tuple[int, list[Difference]]]:
        """Continue a restored agent from ``cut`` to the end of the program, comparing after every step.

        Yields:
            The number of steps done and the differences from the reference then.
        """
        self._train_bystander()
        for position in range(cut + 1, len(self.program.steps) + 1):
            output = self.step(agent, position, reloaded=True)
            moment = Moment(self.driver.snapshot(agent), take({"action": output}))
            yield position, compare_moments(self.reference[position], moment)

    def _train_bystander(self) -> None:
        """Build and train another agent in the process of a resumed one, which must not notice."""
        if self.program.bystander:
            with isolated():  # but for the global generators: streams are shared by all who draw from them
                self._bystander = self.receiver(used=True)

    # -- building blocks -------------------------------------------------------------------------------

    def _scramble(self) -> None:
        """Leave the global generators as another process with another past would have them."""
        seed_globals(self.program.entropy + 7_919)

    def start(self) -> Any:
        """The agent before the first step."""
        seed_globals(self.program.entropy)
        return self.driver.build(copy.deepcopy(self.program.config), self.program.seed)

    def step(self, agent: Any, position: int, *, reloaded: bool = False) -> Any:
        """Do the step that leads to ``position``."""
        if not self.closed_loop:
            seed_globals(self.program.entropy + position)
        step = copy.deepcopy(self.program.steps[position - 1])  # an agent may work on a batch in place
        return self.driver.perform(agent, step, reloaded=reloaded)

    def save(self, agent: Any, over: Path | None = None) -> Path:
        """Save into a new directory, or over the checkpoint in an earlier one."""
        directory = over
        if directory is None:
            self._saves += 1
            directory = self._directory / f"save-{self._saves}"
            directory.mkdir()
        self.driver.save(agent, directory)
        return directory

    def _reference_run(self) -> list[Moment]:
        agent = self.start()
        moments = [Moment(self.driver.snapshot(agent), Snapshot({}))]
        for position in range(1, len(self.program.steps) + 1):
            output = self.step(agent, position)
            moments.append(Moment(self.driver.snapshot(agent), take({"action": output})))
        return moments

    # -- comparison ------------------------------------------------------------------------------------

    def count_if_cold_differs(self, cut: int, parts: Set[Part] = ALL_PARTS, *, used: bool = False) -> None:
        """Let the example count if the receiver without the load would have been told apart."""
        if not self.counted:
            self.counted = self.differ(self.reference[cut].snapshot, self.cold(used=used), parts)

    def differ(self, one: Snapshot, other: Snapshot, parts: Set[Part] = ALL_PARTS) -> bool:
        """Whether two snapshots differ in ``parts``, no matter how."""
        return any(self._is_in(change, parts) for change in changes(one, other))

    def select(self, differences: list[Difference], parts: Set[Part]) -> list[Difference]:
        """The differences in the given parts. A leaf that the reference never had belongs to no part."""
        return [difference for difference in differences if self._is_in(difference, parts)]

    def _is_in(self, difference: Difference | Change, parts: Set[Part]) -> bool:
        return parts == ALL_PARTS or self.part_of(difference) in parts

    def part_of(self, difference: Difference | Change) -> Part:
        """The part that a difference is in; an object replaced by another is a matter of binding."""
        if difference.aspect in {"identity", "memory"}:
            return Part.BINDING
        return self.parts.get(difference.path, Part.OTHER)

    def after_load(self, cut: int, parts: Set[Part], *, used: bool = False) -> list[Difference]:
        """What differs from the reference in ``parts`` right after loading the checkpoint of ``cut``."""
        if (cut, used) not in self._loaded:
            self._loaded[cut, used] = self.driver.snapshot(self.load(cut, used=used))
        return self.select(compare(self.reference[cut].snapshot, self._loaded[cut, used]), parts)

    def fail(self, sentence: str, differences: list[Difference] | tuple[Difference, ...] = ()) -> None:
        """Blame the agent, unless the control shows that it differs from itself.

        Raises:
            Inconclusive: if the reference cannot be repeated.
            CheckFailure: otherwise.
        """
        __tracebackhide__ = True  # pytest shows the check, not the suite's inner workings
        if self.control:
            raise Inconclusive(f"two runs without any save differ: {self.control[0]}")
        raise CheckFailure(sentence, differences, self._described.describe())


def steps(number: int) -> str:
    """A number of steps in words."""
    return "1 step" if number == 1 else f"{number} steps"


def compare_moments(reference: Moment, other: Moment) -> list[Difference]:
    """The differences of two moments; those of the action first."""
    return [*compare(reference.output, other.output), *compare(reference.snapshot, other.snapshot)]

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
import re
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from verification.engine.arms import Arms, Moment
from verification.engine.class_state import Held, held_apart
from verification.engine.global_rng import global_states, isolated
from verification.engine.inventory import Inventory
from verification.errors import CheckFailure, Inconclusive
from verification.losses import UNSTABLE, Note, as_volatile, lies_in
from verification.program import Implant, Operate
from verification.state import Change, Difference, Part, Snapshot, changes, classify, compare
from verification.state.places import holder_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
    from pathlib import Path

    from verification.adapter import Adapter
    from verification.engine.findings import Judgement
    from verification.losses import Loss
    from verification.program import Program

# How many leaves a sentence names.
_NAMED = 6
# The path of an item of a list.
_ITEM = re.compile(r"\[\d+\]$")

#: Everything a reload must bring back.
ALL_PARTS = frozenset(Part)


class Living(NamedTuple):
    """A live agent, and what the process holds for it: the global generators, and classes and modules."""

    agent: Any
    streams: dict[str, Any]
    classes: Held


class Experiment(Arms):
    """The arms of one program, each run when a check first asks for it.

    A check may ask in the middle of another arm's run, whose random streams must not notice: everything that
    is run on demand is run in isolation, but for ``load``, ``receiver`` and ``reopen``, which begin a run.

    Args:
        adapter, program, directory, closed_loop: as :class:`Arms` takes them.
        inventory: what is known of the agent in this regime; a new one by default.

    Attributes:
        counted: whether a comparison was made that a cold start would have failed.
        established: paths of losses that other checks report; they are healed and not reported again.
        reopens: load as a new process does.
    """

    def __init__(
        self,
        adapter: Adapter,
        program: Program,
        directory: Path,
        *,
        closed_loop: bool = False,
        inventory: Inventory | None = None,
    ) -> None:
        super().__init__(adapter, program, directory, closed_loop=closed_loop)
        self.inventory: Inventory = Inventory() if inventory is None else inventory
        self.counted: bool = False
        self.established: tuple[str, ...] = ()
        self.reopens = False
        self._cold: dict[bool, Snapshot] = {}
        self._loaded: dict[tuple[int, bool], Snapshot] = {}
        self._living: dict[int, Living] = {}
        self._controls: dict[int, dict[str, Difference]] = {}
        #: What differs after each load, judged: see :mod:`verification.engine.consequences`.
        self.judgements: dict[tuple[int, bool], Judgement] = {}
        #: By position, also beyond the program's end, the paths that differ after a save and a load there.
        self.lost_at: dict[int, frozenset[str]] = {}
        #: What has been looked at closely after a load: the path, and whether the receiver had a past.
        self.examined: set[tuple[str, bool]] = set()
        #: Of these, the loads that the check which is running has looked at.
        self.consulted: set[tuple[int, bool]] = set()

    # -- arms ------------------------------------------------------------------------------------------

    def adopt(self, other: Experiment) -> None:
        """Take over the runs without any save or load from the experiment of an agent that trains alike."""
        self.reference, self.parts = other.reference, other.parts
        self._cold, self._controls = other._cold, other._controls

    @functools.cached_property
    def parts(self) -> dict[str, Part]:
        """The part of every leaf, learned by watching the reference."""
        by_hand = [
            number
            for number, step in enumerate(self.program.steps, start=1)
            if isinstance(step, Operate | Implant)
        ]
        with isolated():
            self._scramble()
            other_seed = self.driver.build(copy.deepcopy(self.program.config), self.program.receiver_seed)
            other = self.driver.snapshot(other_seed)
        return classify([moment.snapshot for moment in self.reference], by_hand=by_hand, other_seed=other)

    def __len__(self) -> int:
        """How many leaves the agent has before the first step."""
        return len(self.reference[0].snapshot)

    @property
    def control(self) -> dict[str, Difference]:
        """Where the reference, run again, differs from itself: the first difference by path."""
        end = len(self.reference) - 1
        if end not in self._controls:
            found: dict[str, Difference] = {}
            for before, after in zip(self.reference, self._reference_run(end), strict=True):
                for difference in compare_moments(before, after):
                    found.setdefault(difference.path, difference)
            self._controls[end] = found
        return self._controls[end]

    def repeat(self) -> None:
        """Run the reference again.

        Raises:
            Inconclusive: if the two learn or act differently.
        """
        _ = self.unstable

    @property
    def unstable(self) -> frozenset[str]:
        """Paths in which two runs without any save differ, although they learn and act alike.

        Raises:
            Inconclusive: if they do not; it names everything that differs.
        """
        control = self.control
        decisive = [one for one in control.values() if one.path.startswith("action") or self._is_learned(one)]
        if decisive:
            raise Inconclusive(_not_repeatable(decisive, control))
        for path in control:
            reason = "two runs without any save differ in it; it is set aside"
            self.inventory.note(Note(path, path, reason, UNSTABLE))
        return frozenset(control)

    def _is_learned(self, difference: Difference) -> bool:
        return self.part_of(difference) in {Part.ONLINE, Part.TARGET, Part.OPTIMIZER}

    def living(self, cut: int) -> Living:
        """A live agent in the reference's state after ``cut`` steps."""
        if cut not in self._living:
            with isolated():
                self._living[cut] = Living(self._led_to(cut), global_states(), held_apart())
        return self._living[cut]

    def begin(self, established: tuple[str, ...] = ()) -> None:
        """Let another check run, to which the losses at ``established`` are known."""
        self.counted = False
        self.consulted = set()
        self.established = established

    def losses_seen(self) -> list[Loss]:
        """The losses that the check which is running has come across."""
        return [loss for key in sorted(self.consulted) for loss, _ in self.judgements[key].losses]

    def forget_living(self, cut: int) -> None:
        """Do without the live agent of ``cut``, because something has happened to it."""
        self._living.pop(cut, None)

    def cold(self, *, used: bool = False) -> Snapshot:
        """The receiver's state without any load."""
        if used not in self._cold:
            with isolated():
                self._cold[used] = self.driver.snapshot(self.receiver(used=used))
        return self._cold[used]

    @functools.cached_property
    def checkpoints(self) -> dict[int, Path]:
        """The directory of the checkpoint saved at each cut, by a run that then went on to the end."""
        with isolated():
            saved = {cut: directory for cut, directory, _ in self.saves()}
        self.driver.settle()
        return saved

    def _is_another_run(self, agent: Any, position: int) -> bool:
        """Whether an agent has left the reference's way."""
        return bool(
            self.differing(position, Moment(self.driver.snapshot(agent), self.moment(position).output))
        )

    def saves(self) -> Iterator[tuple[int, Path, Any]]:
        """Run the program once more with a save at every cut; yield each cut, its directory and the agent.

        Once a save has changed the agent, another one goes on, so that only one checkpoint is to blame.
        """
        program = self.program
        agent = self.start()
        for position in range(len(program.steps) + 1):
            if position:
                self.step(agent, position)
            if position in program.cuts:
                if position > program.cuts[0] and self._is_another_run(agent, position):
                    agent = self._led_to(position)
                yield position, self.save(agent), agent

    def load(self, cut: int, *, used: bool = False) -> Any:
        """The agent restored from the checkpoint of ``cut``, with the reference's pieces of the caller."""
        directory = self.checkpoints[cut]
        reference = self.living(cut).agent if self.driver.callers else None  # before the load, as in a trial
        restored = (
            self.reopen(directory) if self.reopens else self.driver.load(self.receiver(used=used), directory)
        )
        if reference is not None:
            self.driver.give_callers(restored, reference)
        return restored

    # -- comparison ------------------------------------------------------------------------------------

    def differing(self, position: int, found: Moment) -> list[Change]:
        """How a moment differs from the reference's, the action first, without what is unstable anyway."""
        expected = self.moment(position)
        return self.stable(
            [*changes(expected.output, found.output), *changes(expected.snapshot, found.snapshot)]
        )

    def stable(self, found: list[Change]) -> list[Change]:
        """The changes without those in leaves that two runs without any save differ in.

        What holds such a leaf, as an array does that was given its file's name, has not changed with it.
        What classes and modules hold is not judged where it cannot be kept apart for every arm.
        """
        common = self.driver.class_state.common(found)
        self.driver.opaque.update(dict.fromkeys(common, "held by a class or module, which all agents share"))
        found = [one for one in found if one.path not in common]
        if not found:
            return found
        unstable = self.unstable
        if not unstable:
            return found
        # A list of clock readings may come to be longer than it ever was without a load.
        growing = {holder_of(path) for path in unstable if _ITEM.search(path)}
        return [
            one
            for one in found
            if not any(lies_in(one.path, path) for path in unstable)
            and not (one.expected is None and _ITEM.search(one.path) and holder_of(one.path) in growing)
        ]

    def count_if_cold_differs(self, cut: int, parts: Set[Part] = ALL_PARTS, *, used: bool = False) -> None:
        """Let the example count if the receiver without the load would have failed."""
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

    def trained(self, found: Iterable[Change]) -> list[Change]:
        """The changes in what the reference's training changes, too; of others nothing can follow here."""
        return [one for one in self.stable(list(found)) if one.path in self.changing]

    def after_load(self, cut: int, *, used: bool = False) -> list[Change]:
        """What differs from the reference right after loading the checkpoint of ``cut``."""
        return self.differing(cut, Moment(self.loaded(cut, used=used), self.moment(cut).output))

    def loaded(self, cut: int, *, used: bool = False) -> Snapshot:
        """The state right after loading the checkpoint of ``cut``."""
        if (cut, used) not in self._loaded:
            with isolated():
                self._loaded[cut, used] = self.driver.snapshot(self.load(cut, used=used))
        return self._loaded[cut, used]

    def fail(
        self, sentence: str, differences: Sequence[Difference] = (), losses: Sequence[Loss] = ()
    ) -> NoReturn:
        """Blame the agent.

        Raises:
            CheckFailure: with the program as text.
        """
        __tracebackhide__ = True  # pytest shows the check, not the suite's inner workings
        raise CheckFailure(sentence, differences, self.described.describe(), losses)


def _not_repeatable(decisive: Sequence[Difference], control: Mapping[str, Difference]) -> str:
    others = [path for path in control if path not in {one.path for one in decisive}]
    named = f"; also {', '.join(others[:_NAMED])}" if others else ""
    suggested = others or [one.path for one in decisive]
    return (
        f"two runs without any save differ: {decisive[0]}{named}. If a cause is harmless, declare it in the "
        f"adapter: {as_volatile(suggested[:_NAMED])}"
    )


def compare_moments(reference: Moment, other: Moment) -> list[Difference]:
    """The differences of two moments; those of the action first."""
    return [*compare(reference.output, other.output), *compare(reference.snapshot, other.snapshot)]

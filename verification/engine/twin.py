# SPDX-License-Identifier: MIT
"""A run that is never saved, and its twin that is saved and loaded again and again: they must go on alike.

A difference that a save or a load leaves behind is judged by what follows from it, as everywhere: the twin
fails where something else comes to differ.
"""

from __future__ import annotations

import contextlib
import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verification.counterexamples.source import NoSource, Source
from verification.engine.arms import Moment
from verification.engine.class_state import begin_anew, held_apart, put_back
from verification.engine.driver import Driver
from verification.engine.global_rng import global_states, isolated, restore_globals, seed_globals
from verification.engine.implant import refusable
from verification.engine.trial import extent
from verification.errors import CheckFailure, Inconclusive
from verification.losses import overlap
from verification.state import Snapshot, changes, in_words, take

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verification.adapter import Adapter
    from verification.program import Step
    from verification.state import Change, Difference

# How many leaves a sentence names.
_NAMED = 3
#: Roles of what training makes of an agent.
_LEARNED = frozenset({"parameter", "buffer", "moment"})


class Twin:
    """Does everything to two agents, and saves and loads only the second; compares them after each step.

    Args:
        adapter: drives both.
        directory: an empty directory for checkpoints.
        config: of both.
        seed: of both.
        receiver_config: of agents that checkpoints are loaded into.
        receiver_seed: of the same.
        entropy: from which the states of the global random generators follow.
        closed_loop: let the global generators flow, for each of the two apart, and leave the second's behind
            at every load, as another process does. Otherwise both find them set before every step.
    """

    def __init__(
        self,
        adapter: Adapter,
        directory: Path | str,
        *,
        config: Any,
        seed: int,
        receiver_config: Any,
        receiver_seed: int,
        entropy: int,
        closed_loop: bool = False,
    ) -> None:
        self.driver: Driver = Driver(adapter)
        self._directory = Path(directory)
        self._described = {
            "config": config,
            "seed": seed,
            "receiver_config": receiver_config,
            "receiver_seed": receiver_seed,
            "entropy": entropy,
            "closed_loop": closed_loop,
        }
        self._built = config, seed
        self._receiver = receiver_config, receiver_seed
        self._entropy = entropy
        self._closed_loop = closed_loop
        #: What was done since the run began, saving and loading apart.
        self.history: list[Step] = []
        self._checkpoints: list[tuple[Path, list[Step]]] = []  # with what was done before each
        self._operations: list[tuple[str, tuple[Any, ...]]] = []
        #: What the latest load, and the saves since, have left different, by how far that may move.
        self._left: dict[str, Difference] = {}
        self._unstable: set[str] = set()  # what two runs without any save differ in
        self._run = _Run(self.driver, *self._built, entropy)
        self._saved = _Run(self.driver, *self._built, entropy)

    def step(self, step: Step) -> None:
        """Do one step in both runs. Raises CheckFailure where they come apart."""
        self._operations.append(("step", (step,)))
        self.history.append(step)
        seed = None if self._closed_loop else self._entropy + len(self.history)
        with refusable(self.history):
            expected = self._run.step(step, seed)
        found = self._saved.step(step, seed, reloaded=bool(self._checkpoints))
        if self._outside(expected, found):
            self._set_unstable_aside()
        if outside := self._outside(expected, found):
            left = [one for path, one in self._left.items() if not _covered(path, self._unstable)]
            since = (
                f", since {', '.join(one.path for one in left[:_NAMED])} came back different" if left else ""
            )
            words = [
                in_words(one, found.output if one.path.startswith("action") else found.snapshot)
                for one in outside
            ]
            raise CheckFailure(
                f"this step parts the run that is saved from the one that never is{since}", [*left, *words]
            )

    def save(self) -> int:
        """Save the second run; returns the checkpoint's number."""
        self._operations.append(("save", ()))
        number = len(self._checkpoints)
        directory = self._directory / f"checkpoint-{number}"
        directory.mkdir()
        self._checkpoints.append((directory, list(self.history)))
        with self._saved:
            self.driver.save(self._saved.agent, directory)
        self._leave()
        return number

    def load(self, number: int, *, used: bool = False) -> None:
        """Go on from a checkpoint: the first run is led to the same place from its beginning.

        Args:
            number: as :meth:`save` returned it.
            used: load into an agent that has done the latest step already, instead of into a new one.
        """
        self._operations.append(("load", (number, used)))
        directory, history = self._checkpoints[number]
        receiver = _Run(self.driver, *self._receiver, self._entropy + 7_919)
        if used and self.history:
            receiver.step(self.history[-1], None)
        with receiver:
            receiver.agent = self.driver.load(receiver.agent, directory)
        self._saved = receiver
        if [*map(id, history)] != [*map(id, self.history)]:  # arrays have no single truth value
            self.history = list(history)
            self._run = self._again()
        self.driver.give_callers(self._saved.agent, self._run.agent)
        self._left = {}
        self._leave()

    def script(self) -> str:
        """A Python program that does the same again, as far as values have a form as source."""
        source = Source()
        source.imports |= {"import tempfile", "from verification.engine.twin import Twin"}
        lines = ["twin = Twin(", f"    {_maker(self.driver.adapter, source)},", "    tempfile.mkdtemp(),"]
        lines += [f"    {name}={_text(value, source)}," for name, value in self._described.items()]
        lines.append(")")
        for name, values in self._operations:
            written = [_text(value, source) for value in values]
            if name == "load":
                written[1] = f"used={written[1]}"
            lines.append(f"twin.{name}({', '.join(written)})")
        return "\n".join([*sorted(source.imports), *lines])

    def _again(self) -> _Run:
        """The first run, from its beginning to where it is."""
        run = _Run(self.driver, *self._built, self._entropy)
        for position, step in enumerate(self.history, start=1):
            run.step(step, None if self._closed_loop else self._entropy + position)
        return run

    def _leave(self) -> None:
        """Note what differs now, where nothing has been done but saving and loading."""
        now = self._saved.moment()
        for change in self._changes(self._run.moment(), now):
            self._left.setdefault(extent(change), in_words(change, now.snapshot))

    def _outside(self, expected: Moment, found: Moment) -> list[Change]:
        """What differs although nothing of it was left different."""
        aside = {*self._left, *self._unstable}
        return [one for one in self._changes(expected, found) if not _covered(one.path, aside)]

    def _changes(self, expected: Moment, found: Moment) -> list[Change]:
        """How two moments differ, but for what all agents of the process have in common."""
        differing = [*changes(expected.output, found.output), *changes(expected.snapshot, found.snapshot)]
        common = self.driver.class_state.common(differing)
        return [one for one in differing if one.path not in common]

    def _set_unstable_aside(self) -> None:
        """Find out what the run that is never saved differs in when it is repeated.

        Raises:
            Inconclusive: if it learns differently.
        """
        one, other = self._run.moment(), self._again().moment()
        for change in self._changes(one, other):
            leaf = change.expected or change.actual
            if change.path in one.snapshot.trained or (leaf is not None and leaf.role in _LEARNED):
                raise Inconclusive(f"two runs without any save differ: {in_words(change, other.snapshot)}")
            self._unstable.add(extent(change))


def _covered(path: str, paths: Iterable[str]) -> bool:
    return any(overlap(path, one) for one in paths)


class _Run:
    """One agent, and the global generators as it knows them."""

    def __init__(self, driver: Driver, config: Any, seed: int, entropy: int) -> None:
        self._driver = driver
        self._outside = contextlib.ExitStack()
        with isolated():
            seed_globals(entropy)
            begin_anew()
            self.agent = driver.build(copy.deepcopy(config), seed)
            self._streams, self._classes = global_states(), held_apart()

    def __enter__(self) -> None:
        self._outside.enter_context(isolated())
        restore_globals(self._streams)
        put_back(self._classes)

    def __exit__(self, *exception: object) -> None:
        self._streams, self._classes = global_states(), held_apart()
        self._outside.close()

    def step(self, step: Step, seed: int | None, *, reloaded: bool = False) -> Moment:
        """Do a step, with the global generators set before it if there is a seed."""
        with self:
            if seed is not None:
                seed_globals(seed)
            output = self._driver.perform(self.agent, copy.deepcopy(step), reloaded=reloaded)
            return Moment(self._driver.snapshot(self.agent), take({"action": output}))

    def moment(self) -> Moment:
        """The state now."""
        with self:
            return Moment(self._driver.snapshot(self.agent), Snapshot({}))


def _text(value: Any, source: Source) -> str:
    try:
        return source.of(value)
    except NoSource:
        return repr(value)


def _maker(adapter: Adapter, source: Source) -> str:
    """The expression that makes such an adapter: as it pickles if it says so, else without arguments."""
    try:
        if type(adapter).__reduce__ is not object.__reduce__:
            made: Any = adapter.__reduce__()
            function, arguments = made[:2]
            return f"{source.name(function)}({', '.join(source.of(one) for one in arguments)})"
        return f"{source.name(type(adapter))}()"
    except NoSource:
        return repr(adapter)

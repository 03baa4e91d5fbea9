# SPDX-License-Identifier: MIT
"""What happens to an agent and its checkpoints in a process of its own: damage, and interrupted operations.

Everything here runs where :mod:`verification.processes.sandbox` lets it, and answers with plain data.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verification.durability.faults import Files, read_files, write_files
from verification.engine.experiment import Experiment
from verification.engine.inventory import established
from verification.errors import MISTAKES, Inconclusive
from verification.state import Difference, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from verification.adapter import Adapter
    from verification.durability.faults import Fault
    from verification.program import Program
    from verification.state import Snapshot


@dataclass
class Outcome:
    """What was found: a broken promise as a sentence, the leaves that differ, and how often it was tried.

    Or why there is nothing to try (``why_not``), or why nothing can be found (``undecided``).
    """

    sentence: str = ""
    differences: tuple[Difference, ...] = ()
    tried: int = 0
    why_not: str = ""
    undecided: str = ""


@dataclass(frozen=True)
class Attempt:
    """One load: what was restored, or the refusal and what it changed in the receiver."""

    restored: Snapshot | None
    refusal: str = ""
    changed: tuple[Difference, ...] = ()


class Subject:
    """An agent with two checkpoints: the old one from its beginning, the new one from the end of a program.

    Attributes:
        old: files of the old checkpoint.
        new: files of the new one.
        states: what loading each of the two, undamaged, restores.
        draw: decides where faults fall.
        harmless: paths that are not compared: of those given, and of what two loads of one checkpoint
            differ in, such as a clock.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        adapter: Adapter,
        program: Program,
        directory: str,
        harmless: tuple[str, ...] = (),
    ) -> None:
        self.say = say
        self.harmless: set[str] = {*harmless}
        self.draw: random.Random = random.Random(program.entropy)
        self.experiment: Experiment = Experiment(adapter, program, Path(directory), closed_loop=True)
        self.directory: Path = Path(directory) / "faults"
        say("training and saving twice")
        self.agent: Any = self.experiment.start()
        self.old_directory: Path = self.experiment.save(self.agent)
        self.experiment.driver.settle()
        self.old: dict[str, bytes] = read_files(self.old_directory)
        for position in range(1, len(program.steps) + 1):
            self.experiment.step(self.agent, position)
        new_directory = self.experiment.save(self.agent)
        self.experiment.driver.settle()
        self.new: dict[str, bytes] = read_files(new_directory)
        self.states: dict[str, Snapshot] = {"old": self._expected(self.old), "new": self._expected(self.new)}
        again = self._expected(self.new)
        self.harmless |= {one.path for one in self.compare(self.states["new"], again)}

    def _expected(self, files: dict[str, bytes]) -> Snapshot:
        attempt = self.load(files)
        if attempt.restored is None:
            raise Inconclusive(f"an undamaged checkpoint is refused: {attempt.refusal}")
        return attempt.restored

    # -- loading -----------------------------------------------------------------------------------------

    def load(self, files: Files) -> Attempt:
        """Load ``files`` into a new receiver."""
        write_files(self.directory, files)
        return self.load_from(self.directory)

    def load_from(self, directory: Path) -> Attempt:
        """Load what is in ``directory`` into a new receiver."""
        driver = self.experiment.driver
        receiver = self.experiment.receiver()
        before = driver.snapshot(receiver)
        try:
            restored = driver.load(receiver, directory)
        except MISTAKES as refusal:
            return Attempt(None, str(refusal), tuple(self.compare(before, driver.snapshot(receiver))))
        return Attempt(driver.snapshot(restored))

    def compare(self, one: Snapshot, other: Snapshot) -> list[Difference]:
        """The differences, but for harmless ones."""
        return [found for found in compare(one, other) if not established(found.path, self.harmless)]

    def differences(self, attempt: Attempt, *allowed: str) -> list[Difference]:
        """How far what was restored is from the nearest allowed state."""
        assert attempt.restored is not None
        found = [self.compare(self.states[name], attempt.restored) for name in allowed or ("new",)]
        return min(found, key=len)

    def is_whole(self, directory: Path, *allowed: str) -> tuple[str, tuple[Difference, ...]]:
        """What is wrong with a checkpoint that has to load as one of the allowed states; empty if nothing."""
        attempt = self.load_from(directory)
        if attempt.restored is None:
            return f"no checkpoint can be loaded any more: {attempt.refusal}", ()
        differences = self.differences(attempt, *allowed)
        return ("what loads is neither the old nor the new checkpoint" if differences else ""), tuple(
            differences
        )

    def weights(self, snapshot: Snapshot) -> set[tuple[str, object]]:
        """Paths and aspects of the tensors that make up the architecture."""
        kept = {"parameter", "buffer"}
        return {(path, leaf.meta) for path, leaf in snapshot.leaves.items() if leaf.role in kept}

    # -- saving in a process that something happens to ----------------------------------------------------

    def fork(self, work: Callable[[], None], started: int | None = None) -> int:
        """Run ``work`` in a child, whose exit status is 0 if it returned, 1 if it raised."""
        child = os.fork()
        if child == 0:
            status = 2
            try:
                if started is not None:
                    os.write(started, b".")
                work()
                status = 0
            except MISTAKES:
                status = 1
            finally:
                os._exit(status)
        return child

    def save_into(self, directory: Path) -> None:
        """Save the trained agent over what is in ``directory``."""
        self.experiment.driver.save(self.agent, directory)
        self.experiment.driver.settle()

    def save_killed(self, directory: Path, seconds: float) -> None:
        """Save in a child that is killed ``seconds`` after it has begun."""
        reader, writer = os.pipe()
        child = self.fork(lambda: self.save_into(directory), writer)
        os.read(reader, 1)
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)

    def save_limited(self, directory: Path, prepare: Callable[[], None]) -> str:
        """Save in a child that is prepared for trouble; whether it ``returned``, ``raised`` or ``died``."""

        def work() -> None:
            prepare()
            self.save_into(directory)

        _, status = os.waitpid(self.fork(work), 0)
        if os.WIFSIGNALED(status):
            return "died"
        return {0: "returned", 1: "raised"}.get(os.WEXITSTATUS(status), "died")

    def seconds_of_a_save(self) -> float:
        """How long saving over an old checkpoint takes."""
        write_files(self.directory, self.old)
        started = time.monotonic()
        self.save_into(self.directory)
        return time.monotonic() - started


def try_faults(subject: Subject, faults: Iterable[Fault], allowed: tuple[str, ...] = ("new",)) -> Outcome:
    """Load damaged checkpoints: each must be refused before anything changes, or restore what was saved."""
    outcome = Outcome()
    for what, files in faults:
        subject.say(f"loading a checkpoint: {what}")
        attempt = subject.load(files)
        outcome.tried += 1
        if attempt.restored is None and attempt.changed:
            outcome.sentence = f"{what}: load() raised, but only after it had changed the agent"
            outcome.differences = attempt.changed
            return outcome
        if attempt.restored is not None and (differences := subject.differences(attempt, *allowed)):
            outcome.sentence = f"{what}: load() raised nothing and restored another agent than the one saved"
            outcome.differences = tuple(differences)
            return outcome
    return outcome


@dataclass
class Trials:
    """Repeats what has to leave a whole checkpoint behind, and remembers the first time that it does not."""

    subject: Subject
    outcome: Outcome = field(default_factory=Outcome)

    def judge(self, what: str, *allowed: str) -> bool:
        """Whether ``subject.directory`` holds one of the allowed states; if not, that is the outcome."""
        self.outcome.tried += 1
        sentence, differences = self.subject.is_whole(self.subject.directory, *allowed)
        if sentence:
            self.outcome.sentence, self.outcome.differences = f"{what}: {sentence}", differences
        return not sentence


def all_configs(adapter: Adapter, seed: int, number: int) -> list[Any]:
    """Some configs that the adapter draws."""
    import hypothesis
    from hypothesis import HealthCheck, Phase, given, settings

    drawn: list[Any] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(adapter.configs())
    def collect(config: Any) -> None:
        drawn.append(config)

    collect()
    return drawn

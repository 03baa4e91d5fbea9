# SPDX-License-Identifier: MIT
"""The scenarios of level ``portable``, each played with one agent in a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from verification.durability.agent_under_fault import Outcome
from verification.durability.rights import give_up_privileges, protect, unprotect
from verification.engine.arms import Moment
from verification.engine.experiment import Experiment
from verification.engine.global_rng import global_states, restore_globals
from verification.errors import AdapterError, CheckFailure, Inconclusive
from verification.state import Snapshot, changes, in_words, take

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verification.adapter import Adapter
    from verification.engine.driver import Driver
    from verification.program import Program

#: At most how many steps behind a load are compared.
_FOLLOWED = 3
#: Blanks, letters of other scripts, one beyond the first 65,536 characters, and what shells and URLs read.
_UNICODE = "Modèle 模型 Ω 🤖 #1 100%"
#: Characters of a path: less than what the usual systems allow, but more than a name may have.
_LONG = 900
_THREADS = 3
_UMASKS = (0o022, 0o027, 0o077)


class Subject:
    """An agent, a checkpoint of it, and what follows from a load where nothing is unusual."""

    def __init__(
        self, say: Callable[[str], None], adapter: Adapter, program: Program, directory: str
    ) -> None:
        self.say = say
        self.directory: Path = Path(directory)
        self.cut: int = program.cuts[-1]
        program = dataclasses.replace(program, cuts=(self.cut,))
        self.experiment: Experiment = Experiment(adapter, program, self.directory, closed_loop=True)
        self.driver: Driver = self.experiment.driver
        say("training and saving")
        self.checkpoint: Path
        self.agent: Any
        _, self.checkpoint, self.agent = next(self.experiment.saves())
        self._generators = global_states()  # which an agent may save
        self.driver.settle()
        say("loading")
        self.usual: list[Moment] = list(self._follow(self.load))

    def folder(self, name: str) -> Path:
        """A new folder in the process's own."""
        folder = self.directory / name
        folder.mkdir(parents=True)
        return folder

    def save(self, folder: Path) -> None:
        """Save the agent as it was saved first."""
        restore_globals(self._generators)
        self.driver.save(self.agent, folder)
        self.driver.settle()

    def load(self, receiver: Any, folder: Path | None = None) -> Any:
        """Load the checkpoint, or one that was saved elsewhere."""
        return self.driver.load(receiver, folder or self.checkpoint)

    def judge(
        self, where: str, load: Callable[[Any], Any], *, save: Callable[[], None] = lambda: None
    ) -> Outcome:
        """Save and load in other surroundings, and compare with the usual, step by step."""
        self.say(where)
        counted = self.experiment.differ(self.usual[0].snapshot, self.experiment.cold())
        outcome = Outcome(tried=int(counted))
        try:
            save()
            for step, (expected, here) in enumerate(zip(self.usual, self._follow(load), strict=True)):
                outputs = changes(expected.output, here.output)
                states = self.experiment.trained([*changes(expected.snapshot, here.snapshot)])
                if differing := [*outputs, *states]:
                    what = f"step {step} after the load differs" if step else "a load restores another state"
                    outcome.sentence = f"{where}, {what}"
                    outcome.differences = tuple(in_words(one, here.snapshot) for one in differing)
                    break
        except CheckFailure as failure:
            outcome.sentence = f"{where}, {failure.sentence}"
        return outcome

    def _follow(self, load: Callable[[Any], Any]) -> Iterator[Moment]:
        """The state behind a load, and behind each of the steps that follow."""
        agent = load(self.experiment.receiver())
        yield Moment(self.driver.snapshot(agent), Snapshot({}))
        end = min(len(self.experiment.program.steps), self.cut + _FOLLOWED)
        for position in range(self.cut + 1, end + 1):
            output = take({"action": self.experiment.step(agent, position, reloaded=True)})
            yield Moment(self.driver.snapshot(agent), output)


def prepared(say: Callable[[str], None], adapter: Adapter, program: Program, directory: str) -> Subject:
    """An agent that loads where nothing is unusual, or ``Inconclusive``."""
    try:
        return Subject(say, adapter, program, directory)
    except CheckFailure as failure:
        raise Inconclusive(f"a load fails where nothing is unusual: {failure.sentence}") from None


# -- paths ---------------------------------------------------------------------------------------------------


def elsewhere(subject: Subject) -> Outcome:
    """The process works in another folder than the one that saved, and stays there."""

    def load(receiver: Any) -> Any:
        os.chdir(subject.folder("another/working/directory/from/which/relative/paths/lead/nowhere"))
        return subject.load(receiver)

    return subject.judge("from another working directory", load)


def relative(subject: Subject) -> Outcome:
    """The path is a bare name in the working directory, which is another one behind the load."""
    folder = subject.folder("relative")

    def save() -> None:
        with contextlib.chdir(folder):
            subject.save(Path())

    def load(receiver: Any) -> Any:
        with contextlib.chdir(folder):
            return subject.load(receiver, Path())

    return subject.judge("by a relative path", load, save=save)


def as_text(subject: Subject) -> Outcome:
    """The path is a string."""
    folder = subject.folder("text")
    subject.driver.path_type = str
    try:
        return subject.judge(
            "by a path that is a string",
            lambda receiver: subject.load(receiver, folder),
            save=lambda: subject.save(folder),
        )
    except AdapterError as error:
        return Outcome(why_not=f"the adapter itself needs a Path: {error}")


def unicode(subject: Subject) -> Outcome:
    """A folder whose name has letters of other scripts in it."""
    try:
        folder = subject.folder(_UNICODE)
    except (OSError, UnicodeError) as error:
        return Outcome(why_not=f"no folder of such a name can be made here: {error}")
    return _in_folder(subject, f"in a folder named {_UNICODE}", folder)


def long(subject: Subject) -> Outcome:
    """A path that is far longer than a single name may be."""
    missing = max(0, _LONG - len(str(subject.directory)))
    try:
        folder = subject.folder("/".join(["a" * 99] * (missing // 100 + 1)))
    except OSError as error:
        return Outcome(why_not=f"no such path can be made here: {error.strerror}")
    return _in_folder(subject, f"by a path of {len(str(folder))} characters", folder)


def _in_folder(subject: Subject, where: str, folder: Path) -> Outcome:
    return subject.judge(
        where, lambda receiver: subject.load(receiver, folder), save=lambda: subject.save(folder)
    )


# -- rights --------------------------------------------------------------------------------------------------


def read_only(subject: Subject) -> Outcome:
    """Files and folder can be read and not written."""
    try:
        give_up_privileges()
    except OSError as error:
        return Outcome(why_not=f"this process may write everything: {error}")
    protect(subject.checkpoint)
    try:
        return subject.judge("from files that can only be read", subject.load)
    finally:
        unprotect(subject.checkpoint)


def permissions(subject: Subject) -> Outcome:
    """Files get the permissions that the umask leaves."""
    outcome = Outcome()
    for umask in _UMASKS:
        subject.say(f"saving under the umask {umask:03o}")
        folder = subject.folder(f"umask {umask:03o}")
        with _umask(umask):
            (folder.parent / f"usual {umask:03o}").touch()
            subject.save(folder)
        usual = _mode(folder.parent / f"usual {umask:03o}")
        files = [file for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]
        outcome.tried += len(files)
        for file in files:
            if (mode := _mode(file)) != usual:
                name = file.relative_to(folder)
                outcome.sentence = (
                    f"saved under the umask {umask:03o}, the file {name} has the permissions {mode:03o}, "
                    f"where other files have {usual:03o}"
                )
                return outcome
    return outcome


@contextlib.contextmanager
def _umask(umask: int) -> Iterator[None]:
    before = os.umask(umask)
    try:
        yield
    finally:
        os.umask(before)


def _mode(file: Path) -> int:
    """Who may read and write it; whether it may be run is no matter."""
    return stat.S_IMODE(file.stat().st_mode) & 0o666


# -- settings of the process ---------------------------------------------------------------------------------


def threads(subject: Subject) -> Outcome:
    """Torch computes with more threads while it saves and loads."""
    return _set_meanwhile(subject, f"with {_THREADS} threads", torch.set_num_threads, _THREADS, 1)


def default_dtype(subject: Subject) -> Outcome:
    """Torch makes tensors of another dtype where nobody says which, while it saves and loads."""
    where = "under the default dtype float64"
    return _set_meanwhile(subject, where, torch.set_default_dtype, torch.float64, torch.get_default_dtype())


def _set_meanwhile(
    subject: Subject, where: str, put: Callable[[Any], object], value: Any, usual: Any
) -> Outcome:
    """Save and load under a setting that is back before anything is trained."""
    folder = subject.folder("setting")

    def save() -> None:
        with _while(put, value, usual):
            subject.save(folder)

    def load(receiver: Any) -> Any:
        with _while(put, value, usual):
            return subject.load(receiver, folder)

    return subject.judge(where, load, save=save)


@contextlib.contextmanager
def _while(put: Callable[[Any], object], value: Any, usual: Any) -> Iterator[None]:
    put(value)
    try:
        yield
    finally:
        put(usual)

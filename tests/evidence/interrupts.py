# SPDX-License-Identifier: MIT
"""Interrupts saves, loads and training steps by the thousand: by Ctrl-C, and between any lines of td3_core.

Each trial is a process of its own. Afterwards it has to live, to have raised KeyboardInterrupt and nothing
else, and to hold the state from before or after; or else to refuse to save. So has the file.
"""

from __future__ import annotations

import copy
import gc
import os
import random
import select
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from filled import filled
from same import same

import td3_core
from td3_core import TD3, CheckpointError, TD3Config, read_checkpoint
from td3_core.checkpoint.background import finish_writing
from td3_core.checkpoint.contents import capture
from td3_core.replay import Batch
from td3_core.training.environments import make_env
from td3_core.training.run import TrainingRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_SECONDS = 60.0  # after which a trial counts as hung
_ROWS_OF_A_SEGMENT = 4
_SOURCE = str(Path(td3_core.__file__).parent)


@dataclass
class Case:
    """An operation that is interrupted, in a process forked from the one that made this.

    Attributes:
        operation: what is interrupted.
        state: the state of whom it is done to.
        save: saves that to a path.
        path: the file of the operation, if it writes one.
        go_on: takes a few more steps and returns the state.
        resumed: does the same with what is loaded from a path.
    """

    operation: Callable[[], object]
    state: Callable[[], Any]
    save: Callable[[Path], None]
    path: Path
    go_on: Callable[[], Any]
    resumed: Callable[[Path], Any]


def _agent_case(name: str, folder: Path) -> Case:
    config = TD3Config.tiny("vector", actor_hidden=(128, 128), critic_hidden=(128, 128))
    agent, path = filled(config), folder / "agent.pth"
    agent.save_checkpoint(path)

    def update(one: TD3 = agent) -> Any:
        generator = torch.Generator().manual_seed(one.total_it)
        observation, following = torch.randn(2, 8, config.vector_size, generator=generator)
        action = torch.rand(8, config.action_size, generator=generator)
        reward, not_done = torch.rand(2, 8, 1, generator=generator)
        one.update(Batch(observation, action, following, reward, not_done))
        return one

    if name == "update":
        update()  # the next one is one of actor and critic
    elif name == "load":
        path = folder / "newer.pth"
        update(loaded := filled(config))
        update(loaded).save_checkpoint(path)
    else:
        update()
    operations = {
        "save": lambda: agent.save_checkpoint(path),
        "save in the background": lambda: agent.save_checkpoint(path, background=True).result(),
        "load": lambda: agent.load_checkpoint(path),
        "update": update,
    }

    def load(place: Path) -> TD3:
        (other := TD3(config, seed=5)).load_checkpoint(place)
        return other

    def state(one: TD3 = agent) -> Any:
        return copy.deepcopy(capture(one))

    return Case(
        operations[name],
        state,
        agent.save_checkpoint,
        path,
        lambda: state(update()),
        lambda place: state(update(load(place))),
    )


def _run_case(name: str, folder: Path) -> Case:
    config = TD3Config.tiny("vector", vector_size=3, action_size=1)
    run = TrainingRun(TD3(config, 1), make_env("Pendulum-v1"), capacity=30, batch_size=4, learning_starts=3)
    run.replay_buffer.segment_rows = _ROWS_OF_A_SEGMENT
    run.run(9)
    path = folder / "run.pth"
    run.save(path)
    run.run(5)

    def state(one: TrainingRun = run) -> Any:
        place = folder / f"{os.getpid()}.state"
        one.replay_buffer.segment_rows = _ROWS_OF_A_SEGMENT
        one.save(place)
        try:
            return read_checkpoint(place)
        finally:
            place.unlink()

    def go_on(one: TrainingRun = run) -> Any:
        one.run(3)
        return state(one)

    def resumed(place: Path) -> Any:
        return go_on(TrainingRun.resume(place))

    operations = {
        "step of a run": run.step,
        "load of a run": lambda: run.load(path),
        "save of a run": lambda: run.save(path),
    }
    return Case(operations[name], state, run.save, path, go_on, resumed)


#: What of these may come of an interrupt.
ALLOWED = {"whole", "refused to save"}

CASES: dict[str, Callable[[str, Path], Case]] = {
    "save": _agent_case,
    "save in the background": _agent_case,
    "load": _agent_case,
    "update": _agent_case,
    "step of a run": _run_case,
    "load of a run": _run_case,
    "save of a run": _run_case,
}


# -- one trial -----------------------------------------------------------------------------------------------


def _judged(case: Case, states: list[Any], files: list[bytes], error: BaseException | None) -> str:
    """What has become of the process that this is called in."""
    if error is None:
        return "missed"
    if not isinstance(error, KeyboardInterrupt):
        return f"raised {type(error).__name__}"
    error.__traceback__ = None
    gc.collect()
    finish_writing(case.path)
    if case.path.read_bytes() not in files:
        return "FILE LOST"
    try:
        case.resumed(case.path)
    except CheckpointError:
        return "SEGMENT LOST"
    again = case.path.with_name("again.pth")
    told: list[BaseException] = []

    def save() -> None:
        try:
            case.save(again)
        except CheckpointError as refusal:
            told.append(refusal)

    saving = threading.Thread(target=save, daemon=True)  # another one, for which no lock may be held
    saving.start()
    saving.join(_SECONDS / 2)
    if saving.is_alive():
        return "HUNG afterwards"
    if told:
        return "refused to save" if "interrupted half-way" in str(told[0]) else f"REFUSED: {told[0]}"
    if any(place.name.startswith(".") for place in case.path.parent.rglob("*")):
        return "FILE LEFT BEHIND"
    if not any(same(case.state(), state) for state in states):
        return "MIXED"
    return "whole" if same(case.go_on(), case.resumed(again)) else "RESUMED AS ANOTHER"


def _at_line(number: int, seen: list[tuple[str, int]]) -> Callable[[FrameType, str, Any], Any]:
    """A tracer that notes the lines of td3_core, and raises KeyboardInterrupt before that one of them."""

    def line(frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            seen.append((frame.f_code.co_filename, frame.f_lineno))
            if len(seen) == number:
                raise KeyboardInterrupt
        return line

    def call(frame: FrameType, _event: str, _argument: Any) -> Any:
        return line if frame.f_code.co_filename.startswith(_SOURCE) else None

    return call


class Laboratory:
    """One operation, and what becomes of it when it is interrupted."""

    def __init__(self, name: str, folder: Path) -> None:
        self._case = CASES[name](name, folder)
        self._states, self._files = [self._case.state()], [self._case.path.read_bytes()]
        self._folder = {file: file.read_bytes() for file in self._all_files()}
        with tempfile.NamedTemporaryFile() as file:
            rehearsals = []
            for _ in range(5):
                self._in_a_process(lambda _: self._rehearse(file.name), lambda: None)
                rehearsals.append(torch.load(file.name, weights_only=False))
        lines, self._seconds, state, data = min(rehearsals, key=lambda one: one[1])
        moments: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        for number, line in enumerate(lines, start=1):
            moments[line].append(number)
        self._moments = list(moments.values())
        self._states.append(state)
        self._files.append(data)
        self._restore_folder()
        gc.freeze()  # so that a trial collects what is its own

    def _rehearse(self, result: str) -> str:
        seen: list[tuple[str, int]] = []
        started = time.monotonic()
        self._case.operation()
        seconds = time.monotonic() - started
        data = self._case.path.read_bytes()
        state = self._case.state()
        sys.settrace(_at_line(0, seen))
        self._case.operation()
        sys.settrace(None)
        torch.save((seen, seconds, state, data), result)
        return "rehearsed"

    def by_signal(self, draw: random.Random) -> str:
        """Ctrl-C at a random moment of the operation."""

        def disturb() -> None:
            time.sleep(draw.uniform(0, 1.5 * self._seconds))
            os.kill(self._child, signal.SIGINT)

        return self._trial(disturb, lambda: None)

    def by_line(self, draw: random.Random) -> str:
        """KeyboardInterrupt before a random line, of all that the operation runs, at one of its times."""
        tracer = _at_line(draw.choice(draw.choice(self._moments)), [])
        return self._trial(lambda: None, lambda: sys.settrace(tracer))

    def _trial(self, disturb: Callable[[], None], prepare: Callable[[], None]) -> str:
        def work(begin: Callable[[], None]) -> str:
            error: BaseException | None = None
            try:
                begin()
                prepare()
                self._case.operation()
                sys.settrace(None)
            except BaseException as raised:
                error = raised
            return _judged(self._case, self._states, self._files, error)

        outcome = self._in_a_process(work, disturb)
        self._restore_folder()
        return outcome

    def _all_files(self) -> list[Path]:
        return [place for place in self._case.path.parent.rglob("*") if place.is_file()]

    def _restore_folder(self) -> None:
        for file in self._all_files():
            if file not in self._folder:
                file.unlink()
        for file, content in self._folder.items():
            file.write_bytes(content)

    def _in_a_process(self, work: Callable[[Callable[[], None]], str], disturb: Callable[[], None]) -> str:
        reader, writer = os.pipe()

        def begin() -> None:
            os.write(writer, b".")

        self._child = os.fork()
        if self._child == 0:
            outcome = "missed"
            try:
                outcome = work(begin)
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # one that comes too late for the operation
            except KeyboardInterrupt:
                pass
            except Exception as error:
                outcome = f"BROKEN AFTERWARDS: {type(error).__name__}: {error}"
            os.write(writer, outcome.encode())
            os._exit(0)
        os.close(writer)
        os.read(reader, 1)
        disturb()
        if not select.select([reader], [], [], _SECONDS)[0]:
            os.kill(self._child, signal.SIGKILL)
        told = os.read(reader, 1000).decode()
        os.close(reader)
        status = os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])
        if status == -signal.SIGKILL:
            return "HUNG"
        return told if status == 0 else f"DIED of {signal.Signals(-status).name}"


def interrupted(name: str, trials: int) -> Iterator[tuple[str, Counter[str]]]:
    """Interrupt one operation so many times in either way; what became of it."""
    # A shell lets what it runs in the background ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for way in ("by Ctrl-C", "at a line"):
        draw, outcomes, started = random.Random(1), Counter[str](), time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            lab = Laboratory(name, Path(folder))
            while outcomes.total() < trials:
                outcomes[lab.by_signal(draw) if way == "by Ctrl-C" else lab.by_line(draw)] += 1
                del outcomes["missed"]
        seconds = time.monotonic() - started
        print(f"{name} {way}: {summary(outcomes)} ({seconds:.0f} s)", file=sys.stderr, flush=True)
        yield way, outcomes


def summary(outcomes: Counter[str]) -> str:
    """How often each outcome was."""
    return ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(outcomes.items()))

# SPDX-License-Identifier: MIT
"""An agent whose state lives in another process is neither passed nor blamed: the report says what to do."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from typing import TYPE_CHECKING, Any

import agents
import pytest
from adapters import Tiny

from verification.report.model import Verdict
from verification.running.check_agent import check_agent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FORK = multiprocessing.get_context("fork")
_started: list[Any] = []


def _serve(pipe: Any, kind: type[agents.Agent], config: Any, seed: int) -> None:
    agent = kind(config, seed)
    while True:
        method, arguments = pipe.recv()
        try:
            pipe.send((getattr(agent, method)(*arguments), None))
        except Exception as error:
            pipe.send((None, f"{type(error).__name__}: {error}"))


class Remote:
    """Passes everything on to an agent in another process."""

    def __init__(self, kind: type[agents.Agent], config: Any, seed: int) -> None:
        self.pipe, other = _FORK.Pipe()
        self.worker = _FORK.Process(target=_serve, args=(other, kind, config, seed), daemon=True)
        self.worker.start()
        _started.append(self.worker)

    def ask(self, method: str, *arguments: Any) -> Any:
        self.pipe.send((method, arguments))
        answer, error = self.pipe.recv()
        if error is not None:
            raise RuntimeError(error)
        return answer


class RemoteAdapter(Tiny):
    """Drives a remote agent with a defect."""

    def __init__(self, defect: str) -> None:
        super().__init__(defect, name="remote")

    def build(self, config: Any, seed: int) -> Any:
        return Remote(agents.DEFECTS[self.defect], config, seed)

    def learn(self, agent: Any, batch: Any) -> None:
        agent.ask("update", batch)

    def act(self, agent: Any, observation: Any) -> Any:
        return agent.ask("predict", observation)

    def save(self, agent: Any, path: Path) -> None:
        agent.ask("save", path)

    def load(self, agent: Any, path: Path) -> Any:
        agent.ask("load", path)
        return agent


class Halves(agents.Agent):
    """Learns from numbers that another process counts, as far as anybody can see from here."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.worker = subprocess.Popen(["sleep", "600"])
        _started.append(self.worker)
        self.count(0)

    def count(self, more: int) -> int:
        """Where no walk through the agent comes."""
        name = f"COUNTED_BY_{self.worker.pid}"
        os.environ[name] = str(int(os.environ.get(name, "0")) + more)
        return int(os.environ[name])

    def update(self, batch: Any) -> None:
        super().update((batch[0] / self.count(1), batch[1]))


class HalvesAdapter(Tiny):
    """Drives it."""

    def build(self, config: Any, seed: int) -> Halves:
        return Halves(config, seed)


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    yield
    for process in _started:
        process.kill()
        process.wait() if isinstance(process, subprocess.Popen) else process.join()
    _started.clear()


@pytest.mark.parametrize("defect", ["", "loses its counter"])
def test_out_of_sight_is_an_error_that_names_the_way_out(defect: str) -> None:
    report = check_agent(RemoteAdapter(defect), level="training", examples=2, seed=0)
    assert not report.ok
    assert not report.lost
    errors = [result for result in report.results if result.verdict is Verdict.ERROR]
    assert errors
    assert all("agent.worker" in one.sentence and "state(agent)" in one.sentence for one in errors)
    assert not [result for result in report.results if result.verdict is Verdict.FAILED]


def test_what_nothing_explains_is_an_error_where_another_process_may_be_the_cause() -> None:
    report = check_agent(HalvesAdapter(), checks=["next_steps_survive_reload"], examples=4, seed=0)
    result = report.result("next_steps_survive_reload")
    assert result.verdict is Verdict.ERROR
    assert "agent.worker" in result.sentence

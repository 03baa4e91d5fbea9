# SPDX-License-Identifier: MIT
"""What a load has lost is judged in a new process as in this one."""

from __future__ import annotations

import contextlib
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from adapters import LosesItsCounter, Tiny
from agents import Agent, Config
from states import look

from verification.engine import class_state, new_process
from verification.engine.experiment import Experiment
from verification.engine.new_process import _portable, _resume, judge_elsewhere
from verification.errors import CheckFailure, Inconclusive, NotApplicable, OverTimeLimit
from verification.processes.parcel import pack
from verification.processes.time_limits import LastWords
from verification.processes.worker import WorkerDied
from verification.program import Learn, Program

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = Program(
    config=Config(1.0),
    receiver_config=Config(1.5),
    seed=3,
    receiver_seed=4,
    steps=(Learn((1.0, -0.5)), Learn((0.25, 1.0)), Learn((1.0, 1.0))),
    cuts=(1, 2),
    receiver_steps=(Learn((1.0, 1.0)),),
    probe=(0.5, -0.25),
    entropy=11,
    horizon=2,
)


class LooksAround(Tiny):
    """Can only be loaded in a process with a hash seed of its own, and with what it was given."""

    def load(self, agent: Agent, path: Path) -> Agent:
        if os.environ["PYTHONHASHSEED"] == str(PROGRAM.entropy + 1):
            assert os.environ["SURROUNDINGS"] == "others"
        return super().load(agent, path)


class Dies(Tiny):
    """Ends every process but the first that loads it."""

    def load(self, agent: Agent, path: Path) -> Agent:
        if os.environ["PYTHONHASHSEED"] == str(PROGRAM.entropy + 1):
            os._exit(3)
        return super().load(agent, path)


class Counts(Agent):
    """Counts the updates of all agents of its kind."""

    made = 0

    def update(self, batch: Any) -> None:
        type(self).made += 1
        super().update((batch[0] * type(self).made, batch[1]))


class CountsAndSaves(Counts):
    """Keeps the count in its checkpoint, too."""

    made = 0

    def contents(self) -> dict[str, Any]:
        return {**super().contents(), "made": type(self).made}

    def restore(self, contents: dict[str, Any]) -> None:
        type(self).made = contents["made"]
        super().restore(contents)


class CountsTogether(Tiny):
    """Drives one of them."""

    def __init__(self, kind: type[Counts]) -> None:
        super().__init__()
        self.kind = kind

    def build(self, config: Any, seed: int) -> Counts:
        return self.kind(config, seed)


class Situated(Agent):
    """Scales its batches by what is set around the process."""

    def update(self, batch: Any) -> None:
        super().update((batch[0] * float(os.environ["SURROUNDINGS"]), batch[1]))


class SetsOut(Tiny):
    """Drives it."""

    def build(self, config: Any, seed: int) -> Situated:
        return Situated(config, seed)


def elsewhere(adapter: Any, folder: Path, **environment: str) -> dict[int, Any]:
    return judge_elsewhere(Experiment(adapter, PROGRAM, folder), environment)


def test_an_agent_that_comes_back_loses_nothing_there(tmp_path: Path) -> None:
    outcome = elsewhere(LooksAround(), tmp_path, SURROUNDINGS="others")
    assert list(outcome) == [1, 2]
    assert all(one.followed and one.losses == [] and one.unexplained is None for one in outcome.values())


def test_a_loss_is_found_there_too_and_comes_without_leaves(tmp_path: Path) -> None:
    outcome = elsewhere(LosesItsCounter(), tmp_path)
    assert [(loss.path, group) for loss, group in outcome[2].losses] == [("agent.total_it", None)]


def test_what_classes_hold_is_restored_there_too(tmp_path: Path) -> None:
    outcome = elsewhere(CountsTogether(CountsAndSaves), tmp_path)
    assert [one.losses for one in outcome.values()] == [[], []]


def test_a_process_that_dies_is_the_agents_failure(tmp_path: Path) -> None:
    with pytest.raises(CheckFailure, match="the new process died while it resumed the run"):
        elsewhere(Dies(), tmp_path)


@pytest.mark.parametrize(("stuck", "error"), [(True, OverTimeLimit), (False, CheckFailure)])
def test_a_process_that_was_stuck_is_over_the_time_limit(
    stuck: bool, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ends(contextlib.nullcontext[Any]):
        def ask(self, *_: object) -> None:
            raise WorkerDied(LastWords("load()", 2.0, stuck=stuck))

    monkeypatch.setattr(new_process, "Worker", lambda **_: Ends(Ends()))
    with pytest.raises(error) as caught:
        elsewhere(Tiny(), tmp_path)
    assert ("load()" in str(caught.value)) is stuck


def test_what_cannot_be_sent_is_not_asked(tmp_path: Path) -> None:
    class Local(Tiny):
        pass

    with pytest.raises(NotApplicable, match="Local cannot be sent to another process"):
        elsewhere(Local(), tmp_path)


def test_values_that_might_not_pickle_go_as_text() -> None:
    snapshot = _portable(look(SimpleNamespace(number=1, net=torch.nn.ReLU(), text="a", kind=Agent)))
    leaves = {path: leaf.value for path, leaf in snapshot.leaves.items()}
    assert (leaves["agent.number"], leaves["agent.text"]) == (1, "a")
    assert leaves["agent.kind"] == str(Agent)
    assert (
        snapshot.leaves["agent.kind"].digest == look(SimpleNamespace(kind=Agent)).leaves["agent.kind"].digest
    )


def test_what_classes_hold_and_a_load_loses_is_named_there_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = CountsTogether(Counts)
    here = Experiment(adapter, PROGRAM, tmp_path)
    task, checkpoints = (
        pack((adapter, PROGRAM, False, here.reference, ["agent.__class__.made"])),
        here.checkpoints,
    )
    monkeypatch.setattr(class_state, "_places", {})  # as in a new process
    monkeypatch.setattr(Counts, "made", 0)
    outcome = _resume(task, checkpoints)
    assert [[loss.path for loss, _ in one.losses] for one in outcome.values()] == [
        ["agent.__class__.made"]
    ] * 2


def test_a_run_there_is_compared_with_the_one_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURROUNDINGS", "2.0")
    adapter = SetsOut()
    here = Experiment(adapter, PROGRAM, tmp_path)
    task, checkpoints = pack((adapter, PROGRAM, False, here.reference, [])), here.checkpoints
    monkeypatch.setattr(SetsOut, "save", lambda *_: pytest.fail("nothing is saved there"))
    outcome = _resume(task, checkpoints)
    assert [(cut, one.losses, one.followed) for cut, one in outcome.items()] == [(1, [], True), (2, [], True)]
    monkeypatch.setenv("SURROUNDINGS", "3.0")
    with pytest.raises(Inconclusive, match=r"two runs without any save differ: agent\.net\.weight"):
        _resume(task, checkpoints)

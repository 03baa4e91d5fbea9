# SPDX-License-Identifier: MIT
"""A checkpoint saved while another thread trains holds one step, never a mixture of two."""

from __future__ import annotations

import copy
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from td3_agents import batch, differences, learn

from td3_core import TD3, CheckpointError, TD3Config, read_checkpoint
from td3_core.checkpoint import background, turns
from td3_core.checkpoint.format import write_checkpoint
from td3_core.training.environments import make_env
from td3_core.training.run import TrainingRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

CONFIG = TD3Config.tiny("vector")


def loaded(path: Path) -> TD3:
    agent = TD3(CONFIG, seed=9)
    agent.load_checkpoint(path)
    return agent


def test_a_save_waits_for_the_update_of_another_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = learn(TD3(CONFIG, seed=1), 3)
    inside, go_on = threading.Event(), threading.Event()
    update_actor = TD3._update_actor

    def slow(self: TD3, *arguments: Any) -> Any:
        inside.set()  # the critic has been updated, the actor has not
        assert go_on.wait(30)
        return update_actor(self, *arguments)

    monkeypatch.setattr(TD3, "_update_actor", slow)
    training = threading.Thread(target=agent.update, args=(batch(CONFIG, 3),))
    training.start()
    assert inside.wait(30)
    saving = threading.Thread(target=agent.save_checkpoint, args=(tmp_path / "agent.pth",))
    saving.start()
    saving.join(0.2)
    assert saving.is_alive()
    assert list(tmp_path.iterdir()) == []
    go_on.set()
    training.join(30)
    saving.join(30)
    monkeypatch.undo()
    assert differences(loaded(tmp_path / "agent.pth"), learn(TD3(CONFIG, seed=1), 4)) == []


def test_every_save_beside_a_training_thread_is_one_of_its_steps(tmp_path: Path) -> None:
    agent, steps = TD3(CONFIG, seed=1), 60
    training = threading.Thread(target=learn, args=(agent, steps))
    training.start()
    paths = []
    while training.is_alive():
        paths.append(tmp_path / f"{len(paths)}.pth")
        agent.save_checkpoint(paths[-1])
    training.join()
    wanted: dict[int, list[TD3]] = {}
    for path in paths[:: max(1, len(paths) // 10)]:
        wanted.setdefault(read_checkpoint(path)["total_it"], []).append(loaded(path))
    reference = TD3(CONFIG, seed=1)
    for step in range(steps + 1):
        for one in wanted.get(step, ()):
            assert differences(one, reference) == []
        if step < steps:
            learn(reference, 1, first=step)


def test_a_save_in_the_middle_of_an_update_of_its_own_thread_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a signal handler or a hook."""
    agent = learn(TD3(CONFIG, seed=1), 1)
    monkeypatch.setattr(TD3, "_update_targets", lambda self: self.save_checkpoint(tmp_path / "agent.pth"))
    with pytest.raises(CheckpointError, match="is not written: the agent is in the middle of a"):
        agent.update(batch(CONFIG, 1))
    assert list(tmp_path.iterdir()) == []


def test_an_update_interrupted_half_way_is_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = learn(TD3(CONFIG, seed=1), 1)
    agent.save_checkpoint(tmp_path / "good.pth")

    def interrupt(self: TD3, _batch: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TD3, "_update_actor", interrupt)
    with pytest.raises(KeyboardInterrupt):
        agent.update(batch(CONFIG, 1))
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="interrupted half-way; load a checkpoint"):
        agent.save_checkpoint(tmp_path / "agent.pth")
    agent.load_checkpoint(tmp_path / "good.pth")
    agent.save_checkpoint(tmp_path / "agent.pth")
    assert differences(loaded(tmp_path / "agent.pth"), learn(TD3(CONFIG, seed=1), 1)) == []


def test_a_refused_batch_interrupts_nothing(tmp_path: Path) -> None:
    agent = learn(TD3(CONFIG, seed=1), 1)
    with pytest.raises(ValueError, match="must have shape"):
        agent.update(batch(TD3Config.tiny("vector", action_size=3), 1))
    agent.save_checkpoint(tmp_path / "agent.pth")


def test_a_run_is_saved_between_two_steps(tmp_path: Path) -> None:
    config = TD3Config.tiny("vector", vector_size=3, action_size=1)
    run = TrainingRun(TD3(config, 1), make_env("Pendulum-v1"), capacity=30, batch_size=2, learning_starts=2)
    training = threading.Thread(target=run.run, args=(40,))
    training.start()
    while training.is_alive():
        run.save(tmp_path / "run.pth")
        contents = read_checkpoint(tmp_path / "run.pth")
        section = contents["run"]
        assert contents["total_it"] == max(0, section["steps"] - 2)
        assert section["replay_buffer"]["position"] == section["steps"] % 30
    training.join()


def test_copies_of_an_agent_do_not_wait_for_one_another(tmp_path: Path) -> None:
    agent = learn(TD3(CONFIG, seed=1), 1)
    copy.deepcopy(agent).save_checkpoint(tmp_path / "agent.pth")


# -- in the background ---------------------------------------------------------------------------------------


@pytest.fixture
def delayed(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Nothing is written in the background before this is set."""
    go_on = threading.Event()

    def write(path: Any, contents: Mapping[str, Any]) -> None:
        assert go_on.wait(30)
        write_checkpoint(path, contents)

    monkeypatch.setattr(background, "write_checkpoint", write)
    return go_on


def test_a_save_in_the_background_is_a_snapshot(tmp_path: Path, delayed: threading.Event) -> None:
    agent = learn(TD3(CONFIG, seed=1), 3)
    future = agent.save_checkpoint(tmp_path / "agent.pth", background=True)
    learn(agent, 5, first=3)
    assert not future.done()
    assert list(tmp_path.iterdir()) == []
    delayed.set()
    assert future.result(30) is None
    reference = learn(TD3(CONFIG, seed=1), 3)
    assert differences(loaded(tmp_path / "agent.pth"), reference) == []
    reference.save_checkpoint(tmp_path / "reference.pth")
    assert (tmp_path / "agent.pth").read_bytes() == (tmp_path / "reference.pth").read_bytes()


def test_an_older_save_never_replaces_a_newer_one(tmp_path: Path, delayed: threading.Event) -> None:
    agent = learn(TD3(CONFIG, seed=1), 1)
    futures = [agent.save_checkpoint(tmp_path / "agent.pth", background=True)]
    learn(agent, 1)
    futures.append(agent.save_checkpoint(tmp_path / "agent.pth", background=True))
    learn(agent, 1)
    threading.Timer(0.1, delayed.set).start()
    agent.save_checkpoint(tmp_path / "agent.pth")
    assert all(future.done() for future in futures)
    assert read_checkpoint(tmp_path / "agent.pth")["total_it"] == 3


def test_a_failure_in_the_background_is_told_by_the_future(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    future = TD3(CONFIG, seed=1).save_checkpoint(tmp_path / "folder", background=True)
    assert isinstance(future.exception(30), CheckpointError)
    with pytest.raises(CheckpointError, match="folder cannot be written: Is a directory"):
        future.result()
    with pytest.raises(CheckpointError, match="'runs' is not a section"):
        TD3(CONFIG, seed=1).save_checkpoint(tmp_path / "agent.pth", extra={"runs": 1}, background=True)


def test_a_relative_path_is_taken_where_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delayed: threading.Event
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    future = TD3(CONFIG, seed=1).save_checkpoint("agent.pth", background=True)
    os.chdir(tmp_path / "elsewhere")
    delayed.set()
    future.result(30)
    assert (tmp_path / "agent.pth").exists()


# -- forks ---------------------------------------------------------------------------------------------------


def in_a_fork(work: Callable[[], object]) -> int:
    """The exit code of a forked process that does ``work``: 0, or 1 where it raised; it is killed in time."""
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_process_forked_while_a_thread_trains_saves_one_of_its_steps(tmp_path: Path) -> None:
    agent, stop = TD3(CONFIG, seed=1), threading.Event()

    def train() -> None:
        while not stop.is_set():
            learn(agent, 1, first=agent.total_it)

    training = threading.Thread(target=train)
    training.start()
    codes = [in_a_fork(lambda: agent.save_checkpoint(tmp_path / "agent.pth")) for _ in range(5)]
    stop.set()
    training.join()
    assert codes == [0] * 5
    saved = loaded(tmp_path / "agent.pth")
    assert differences(saved, learn(TD3(CONFIG, seed=1), saved.total_it)) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_process_forked_in_the_middle_of_a_long_step_does_not_save_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, path = learn(TD3(CONFIG, seed=1), 3), tmp_path / "agent.pth"
    agent.save_checkpoint(path)
    inside, go_on = threading.Event(), threading.Event()

    def slow(self: TD3, *arguments: Any) -> Any:
        inside.set()
        assert go_on.wait(30)

    monkeypatch.setattr(TD3, "_update_actor", slow)
    monkeypatch.setattr(turns, "_SECONDS_OF_A_FORK", 0.01)
    training = threading.Thread(target=agent.update, args=(batch(CONFIG, 3),))
    training.start()
    assert inside.wait(30)

    def save() -> None:
        with pytest.raises(CheckpointError, match="interrupted half-way; load a checkpoint"):
            agent.save_checkpoint(tmp_path / "torn.pth")
        agent.load_checkpoint(path)
        agent.save_checkpoint(tmp_path / "whole.pth")

    assert in_a_fork(save) == 0
    assert in_a_fork(lambda: agent.save_checkpoint(tmp_path / "torn.pth")) == 1
    go_on.set()
    training.join()
    agent.save_checkpoint(path)
    assert sorted(place.name for place in tmp_path.iterdir()) == ["agent.pth", "whole.pth"]

# SPDX-License-Identifier: MIT
"""A training run that was saved and loaded goes on as if it had never stopped, byte for byte."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from td3_core import TD3, CheckpointError, TD3Config, read_checkpoint
from td3_core.checkpoint.format import parse_checkpoint, write_checkpoint
from td3_core.checkpoint.optimizer_state import Staged
from td3_core.presets import config_for
from td3_core.replay import ReplayBuffer
from td3_core.training.environments import make_env, spaces_of
from td3_core.training.episode import Episode
from td3_core.training.run import InexactResumeWarning, TrainingRun
from td3_core.training.section import section_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Drift(gym.Env[Any, Any]):
    """A random walk pushed by the action: needs its generator and all past actions to be led back.

    Class attributes are what a test turns: how long an episode is, whether it terminates at its end or is
    cut off, and whether the walk depends on something that no replay of an episode restores.
    """

    length = 7
    terminates = True
    hidden: float = 0.0

    def __init__(self) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (5,), np.float32)
        self.action_space = spaces.Box(-1, 1, (2,), np.float32)
        self._walk = np.zeros(5)
        self._age = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self._walk, self._age = self.np_random.random(5), 0
        return self._walk.astype(np.float32), {}

    def step(self, action: Any) -> Any:
        self._walk = np.sin(self._walk + self.np_random.random(5) + action.sum() + self.hidden)
        self._age += 1
        ended = self._age >= self.length
        reward = self._walk.sum()
        return (
            self._walk.astype(np.float32),
            reward,
            ended and self.terminates,
            ended and not self.terminates,
            {},
        )


def drifting(seed: int = 0, config: TD3Config | None = None, **settings: int) -> TrainingRun:
    defaults = {"capacity": 30, "batch_size": 4, "learning_starts": 10, "seed": seed}
    agent = TD3(config or TD3Config.tiny("vector"), seed=seed)
    return TrainingRun(agent, Drift(), **{**defaults, **settings})


def contents(run: TrainingRun, path: Path) -> dict[str, Any]:
    run.save(path)
    return parse_checkpoint(path)


def assert_identical(first: Any, second: Any, where: str = "checkpoint") -> None:
    """Fail unless both have the same types, keys in the same order, dtypes, shapes and bytes."""
    assert type(first) is type(second), where
    if isinstance(first, dict):
        assert list(first) == list(second), where
        for key in first:
            assert_identical(first[key], second[key], f"{where}[{key!r}]")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), where
        for index, (one, other) in enumerate(zip(first, second, strict=True)):
            assert_identical(one, other, f"{where}[{index}]")
    elif isinstance(first, torch.Tensor):
        assert (first.dtype, first.shape, first.stride()) == (second.dtype, second.shape, second.stride()), (
            where
        )
        assert first.numpy().tobytes() == second.numpy().tobytes(), where
    elif isinstance(first, float):
        assert first.hex() == second.hex(), where
    else:
        assert first == second, where


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Gradients depend on the number of threads, and a new process would choose its own."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# What a new process does: continue a saved run and save the result.
_CONTINUE = """
import sys, torch
from td3_core.training.run import TrainingRun
torch.set_num_threads(1)
run = TrainingRun.resume(sys.argv[1])
run.run(int(sys.argv[2]) - run.steps)
run.save(sys.argv[3])
"""


@pytest.mark.parametrize(("name", "cut", "end"), [("Pendulum-v1", 230, 430), ("CarRacing-v3", 60, 110)])
def test_resume_in_a_new_process_ends_like_an_uninterrupted_run(
    name: str, cut: int, end: int, tmp_path: Path
) -> None:
    for file, steps in (("uninterrupted.pth", end), ("half.pth", cut)):
        env = make_env(name)
        agent = TD3(config_for(env, "tiny"), seed=5)
        run = TrainingRun(agent, env, capacity=250, batch_size=8, learning_starts=30, seed=5)
        run.run(steps)
        run.save(tmp_path / file)
        env.close()
    assert len(run.episode.actions) > 0
    arguments = [str(tmp_path / "half.pth"), str(end), str(tmp_path / "resumed.pth")]
    subprocess.run([sys.executable, "-c", _CONTINUE, *arguments], check=True, timeout=300)
    uninterrupted = read_checkpoint(tmp_path / "uninterrupted.pth")
    assert uninterrupted["total_it"] == end - 30
    assert_identical(uninterrupted, read_checkpoint(tmp_path / "resumed.pth"))


@pytest.mark.parametrize("cut", [0, 1, 6, 7, 8, 10, 11, 12, 30, 31])
@pytest.mark.parametrize("terminates", [True, False])
def test_resume_is_exact_at_any_cut(
    cut: int, terminates: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Drift, "terminates", terminates)
    reference = drifting()
    reference.run(cut)
    reference.save(tmp_path / "cut.pth")
    receiver = drifting(seed=1, capacity=9, batch_size=2, learning_starts=3)
    receiver.run(23)
    receiver.load(tmp_path / "cut.pth")
    assert_identical(contents(reference, tmp_path / "a.pth"), contents(receiver, tmp_path / "b.pth"))
    for _ in range(3):
        reference.run(5)
        receiver.run(5)
        assert_identical(contents(reference, tmp_path / "a.pth"), contents(receiver, tmp_path / "b.pth"))
    assert (receiver.episodes, receiver.last_episode) == (reference.episodes, reference.last_episode)


@pytest.mark.parametrize("observation", ["dict", "image"])
def test_resume_is_exact_with_images(observation: str, tmp_path: Path) -> None:
    config = TD3Config.tiny(observation)

    class Pictures(Drift):
        def __init__(self) -> None:
            super().__init__()
            image = spaces.Box(0, 255, (3, 12, 12), np.uint8)
            vector = self.observation_space
            self.observation_space = spaces.Dict(image=image, vector=vector) if config.vector_size else image

        def _seen(self, vector: Any) -> Any:
            image = (np.resize(vector, (3, 12, 12)) * 100 + 128).astype(np.uint8)
            return {"image": image, "vector": vector} if config.vector_size else image

        def reset(self, **options: Any) -> Any:
            vector, info = super().reset(**options)
            return self._seen(vector), info

        def step(self, action: Any) -> Any:
            vector, *rest = super().step(action)
            return self._seen(vector), *rest

    runs = [
        TrainingRun(TD3(config, seed), Pictures(), capacity=20, batch_size=4, learning_starts=5, seed=seed)
        for seed in (0, 1)
    ]
    runs[0].run(25)
    runs[0].save(tmp_path / "cut.pth")
    runs[1].load(tmp_path / "cut.pth")
    for run in runs:
        run.run(10)
    assert_identical(contents(runs[0], tmp_path / "a.pth"), contents(runs[1], tmp_path / "b.pth"))


def test_different_seeds_give_different_runs(tmp_path: Path) -> None:
    first, second = drifting(seed=0), drifting(seed=1)
    first.run(20)
    second.run(20)
    with pytest.raises(AssertionError):
        assert_identical(contents(first, tmp_path / "a.pth"), contents(second, tmp_path / "b.pth"))


def test_saving_changes_nothing(tmp_path: Path) -> None:
    saved, unsaved = drifting(), drifting()
    for _ in range(20):
        saved.step()
        saved.save(tmp_path / "often.pth")
    unsaved.run(20)
    assert_identical(contents(saved, tmp_path / "a.pth"), contents(unsaved, tmp_path / "b.pth"))


def test_no_global_generator_is_drawn_from() -> None:
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)
    before = random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()
    drifting().run(25)
    assert (random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()) == before


def test_the_action_spaces_generator_is_left_alone() -> None:
    run = drifting()
    run.env.action_space.seed(4)
    run.run(15)
    untouched = spaces.Box(-1, 1, (2,), np.float32)
    untouched.seed(4)
    assert run.env.action_space.sample().tolist() == untouched.sample().tolist()


def test_one_update_per_step_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    run = drifting(learning_starts=10)
    random_actions: list[int] = []
    draw = run.agent.sample_random_action

    def noted() -> Any:
        random_actions.append(run.steps)
        return draw()

    monkeypatch.setattr(run.agent, "sample_random_action", noted)
    for step in range(1, 31):
        run.step()
        assert (run.steps, run.agent.total_it) == (step, max(0, step - 10))
    assert random_actions == list(range(10))


def test_finished_episodes_are_reported_and_remembered() -> None:
    run = drifting()
    reports = [run.step() for _ in range(21)]
    assert [index + 1 for index, report in enumerate(reports) if report] == [7, 14, 21]
    finished = [report for report in reports if report]
    assert (run.episodes, run.last_episode) == (3, finished[-1])
    assert [(s.number, s.step, s.length) for s in finished] == [(1, 7, 7), (2, 14, 7), (3, 21, 7)]
    assert finished[0].losses == {}
    assert set(finished[2].losses) == {"critic_loss", "actor_loss"}


def test_finished_episodes_do_not_make_the_file_larger(tmp_path: Path) -> None:
    run, sizes = drifting(capacity=10), []
    for _ in range(2):
        run.run(35)
        run.save(tmp_path / "a.pth")
        sizes.append((tmp_path / "a.pth").stat().st_size)
        run.episodes += 100_000
    assert abs(sizes[1] - sizes[0]) <= 64  # a number takes as many bytes as it needs
    receiver = drifting(seed=1)
    receiver.load(tmp_path / "a.pth")
    assert receiver.episodes == 100_010


def test_an_episode_of_any_length_is_saved_and_read(tmp_path: Path) -> None:
    run = drifting()
    run.run(6)
    run.episode.actions *= 25_000
    for name, parts in run.episode.answers.items():
        run.episode.answers[name] = parts[:8] + parts[8:] * 25_000
    run.save(tmp_path / "a.pth")
    episode = section_of(read_checkpoint(tmp_path / "a.pth"), "a.pth")[1]["episode"]
    assert len(episode["actions"]) == 150_000
    assert all(len(parts) == 150_001 for parts in episode["answers"].values())
    assert (tmp_path / "a.pth").stat().st_size < 150_000 * 36


@pytest.mark.parametrize(("terminates", "not_done"), [(True, 0.0), (False, 1.0)])
def test_only_termination_cuts_off_the_future(
    terminates: bool, not_done: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Drift, "terminates", terminates)
    run = drifting()
    run.run(7)
    stored = contents(run, tmp_path / "a.pth")["run"]["replay_buffer"]["arrays"]["not_done"]
    assert stored.ravel().tolist() == [1.0] * 6 + [not_done]


def test_an_environment_that_answers_differently_is_reported_and_starts_afresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = drifting()
    run.run(18)
    run.save(tmp_path / "a.pth")
    receiver = drifting()
    monkeypatch.setattr(Drift, "hidden", 0.25)
    with pytest.warns(
        InexactResumeWarning, match="'Drift' could not be led back.* after step 1 of 4"
    ) as caught:
        receiver.load(tmp_path / "a.pth")
    assert "observation and reward" in str(caught[0].message)
    assert (receiver.steps, receiver.episode.actions, receiver.episode.total_reward) == (18, [], 0.0)
    receiver.run(7)
    assert receiver.last_episode is not None
    assert receiver.last_episode.length == 7


def test_an_environment_that_fails_to_replay_starts_afresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = drifting()
    run.run(18)
    run.save(tmp_path / "a.pth")
    receiver = drifting()

    def broken(*_: Any) -> Any:
        raise OSError("out of order")

    monkeypatch.setattr(Drift, "step", broken)
    with pytest.warns(InexactResumeWarning, match="step 1 of the episode raised OSError"):
        receiver.load(tmp_path / "a.pth")
    assert receiver.steps == 18


def test_other_conditions_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = drifting()
    run.run(12)
    monkeypatch.setattr(torch, "__version__", "1.0")
    run.save(tmp_path / "a.pth")
    monkeypatch.undo()
    receiver = drifting(seed=1)
    with pytest.warns(InexactResumeWarning, match="saved with torch 1.0 and continues with"):
        receiver.load(tmp_path / "a.pth")
    assert len(receiver.episode.actions) == 5


def _rewritten(path: Path, change: Any) -> None:
    data = parse_checkpoint(path)
    change(data)
    write_checkpoint(path, data)


REFUSALS = {
    "no run": (lambda data: data.update(run=None), "holds an agent but no training run"),
    "format": (lambda data: data["run"].update(format_version=9), "is 9, and this version reads up to 3"),
    "environment": (lambda data: data["run"].update(environment="Other-v0"), "run in environment 'Other-v0'"),
    "part": (lambda data: data["run"].pop("steps"), r"run\['steps'\]"),
    "type": (lambda data: data["run"].update(steps="1"), r"run\['steps'\]"),
    "settings": (lambda data: data["run"]["settings"].update(seed=-1), r"run\['settings'\]"),
    "actions": (lambda data: data["run"]["episode"].update(actions=torch.zeros(3, 2)), r"run\['episode'\]"),
    "episodes": (lambda data: data["run"].update(last_episode={"step": 1}), r"run\['last_episode'\]"),
    "buffer": (lambda data: data["run"]["replay_buffer"]["arrays"].pop("reward"), "reward is missing"),
    "agent": (lambda data: data.pop("actor_state_dict"), "actor_state_dict: missing"),
    "config": (lambda data: data.pop("config"), "config: missing"),
    "bounds": (lambda data: data["config"].update(max_action=2.0), "max_action is 2.0 in the agent"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refused_file_changes_nothing(case: str, tmp_path: Path) -> None:
    change, message = REFUSALS[case]
    run = drifting()
    run.run(18)
    run.save(tmp_path / "a.pth")
    _rewritten(tmp_path / "a.pth", change)
    receiver, untouched = drifting(seed=1), drifting(seed=1)
    receiver.run(12)
    untouched.run(12)
    with pytest.raises(CheckpointError, match=message):
        receiver.load(tmp_path / "a.pth")
    receiver.run(8)
    untouched.run(8)
    assert_identical(contents(untouched, tmp_path / "b.pth"), contents(receiver, tmp_path / "c.pth"))


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing\.pth"):
        drifting().load(tmp_path / "nothing.pth")


def test_the_agent_alone_can_be_loaded_from_a_run(tmp_path: Path) -> None:
    run = drifting()
    run.run(15)
    run.save(tmp_path / "a.pth")
    agent = TD3(TD3Config.tiny("vector"), seed=9)
    agent.load_checkpoint(tmp_path / "a.pth")
    assert agent.total_it == 5


def test_resume_makes_environment_and_agent_from_the_file(tmp_path: Path) -> None:
    env = make_env("Pendulum-v1")
    config = replace(config_for(env, "tiny"), discount=0.9)
    run = TrainingRun(TD3(config, seed=2), env, capacity=40, batch_size=3, learning_starts=20, seed=2)
    run.run(25)
    run.save(tmp_path / "a.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed = TrainingRun.resume(tmp_path / "a.pth")
    assert resumed.agent.config == config
    assert (resumed.steps, resumed.batch_size, resumed.replay_buffer.capacity) == (25, 3, 40)
    resumed.env.close()
    env.close()


def test_resume_refuses_an_agent_that_does_not_fit_the_environment(tmp_path: Path) -> None:
    env = make_env("Pendulum-v1")
    run = TrainingRun(TD3(config_for(env, "tiny"), seed=2), env)
    run.save(tmp_path / "a.pth")
    _rewritten(tmp_path / "a.pth", lambda data: data["run"].update(environment="MountainCarContinuous-v0"))
    with pytest.raises(CheckpointError, match="vector_size is 3 in the agent and 2 in the environment"):
        TrainingRun.resume(tmp_path / "a.pth")
    env.close()


@pytest.mark.parametrize(
    ("setting", "value", "least"),
    [("capacity", 0, 1), ("batch_size", 0, 1), ("learning_starts", -1, 0), ("seed", -1, 0)],
)
def test_settings_out_of_range_are_refused(setting: str, value: int, least: int) -> None:
    agent = TD3(TD3Config.tiny("vector"), seed=0)
    with pytest.raises(ValueError, match=f"{setting} is {value}, but must be at least {least}"):
        TrainingRun(agent, Drift(), **{setting: value})


def test_an_agent_for_other_spaces_is_refused() -> None:
    agent = TD3(TD3Config.tiny("vector", action_size=3, max_action=2.0), seed=0)
    with pytest.raises(ValueError, match=r"'Drift': action_size is 3 .* 2 in the environment; max_action"):
        TrainingRun(agent, Drift())


def test_spaces_of_a_plain_environment() -> None:
    assert spaces_of(Drift()) == {"vector_size": 5, "action_size": 2, "max_action": 1.0, "image_shape": None}


# -- interrupts ----------------------------------------------------------------------------------------------


def interrupted_in(owner: type, method: str, monkeypatch: pytest.MonkeyPatch, *, by_signal: bool) -> None:
    """Let the next call of a method be interrupted once it is done: by Ctrl-C, or by an exception itself."""
    correct = getattr(owner, method)

    def call(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(owner, method, correct)
        result = correct(*arguments, **options)
        if not by_signal:
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(owner, method, call)


#: What a step does, in turn.
PIECES = [(TD3, "select_action"), (Drift, "step"), (ReplayBuffer, "add"), (ReplayBuffer, "sample")]
PIECES += [(TD3, "_update_critic"), (TD3, "update")]


@pytest.mark.parametrize(("owner", "method"), PIECES, ids=[method for _, method in PIECES])
def test_ctrl_c_in_a_step_waits_until_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, method: str
) -> None:
    run, reference = drifting(), drifting()
    run.run(15)
    reference.run(16)
    interrupted_in(owner, method, monkeypatch, by_signal=True)
    with pytest.raises(KeyboardInterrupt):
        run.step()
    assert_identical(contents(run, tmp_path / "run.pth"), contents(reference, tmp_path / "reference.pth"))


@pytest.mark.parametrize(("owner", "method"), PIECES, ids=[method for _, method in PIECES])
def test_a_run_is_not_saved_after_a_step_that_was_interrupted_half_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, method: str
) -> None:
    run, path = drifting(), tmp_path / "run.pth"
    run.run(15)
    run.save(path)
    saved = path.read_bytes()
    interrupted_in(owner, method, monkeypatch, by_signal=False)
    with pytest.raises(KeyboardInterrupt):
        run.step()
    run.run(2)  # steps after it are no better
    with pytest.raises(CheckpointError, match="interrupted half-way; load a checkpoint"):
        run.save(path)
    assert path.read_bytes() == saved
    run.load(path)
    run.save(path)
    assert path.read_bytes() == saved
    run.run(5)
    reference = drifting()
    reference.run(20)
    assert_identical(contents(run, path), contents(reference, tmp_path / "reference.pth"))


def test_the_agent_of_a_torn_run_can_be_saved_as_the_error_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = drifting()
    run.run(15)
    interrupted_in(Drift, "step", monkeypatch, by_signal=False)
    with pytest.raises(KeyboardInterrupt):
        run.step()
    with pytest.raises(CheckpointError, match=r"save the agent alone with agent.save_checkpoint"):
        run.save(tmp_path / "run.pth")
    run.agent.save_checkpoint(tmp_path / "agent.pth")
    assert read_checkpoint(tmp_path / "agent.pth")["total_it"] == 5


@pytest.mark.parametrize("by_signal", [True, False], ids=["Ctrl-C", "exception"])
@pytest.mark.parametrize(
    ("owner", "method"), [(Staged, "adopt_into"), (Episode, "__init__"), (Drift, "reset"), (Drift, "step")]
)
def test_an_interrupted_load_of_a_run_is_finished_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, method: str, by_signal: bool
) -> None:
    path, run, reference = tmp_path / "run.pth", drifting(), drifting(seed=1)
    run.run(18)
    run.save(path)
    reference.load(path)
    other = drifting(seed=1)
    other.run(3)
    interrupted_in(owner, method, monkeypatch, by_signal=by_signal)
    with pytest.raises(KeyboardInterrupt):
        other.load(path)
    other.save(tmp_path / "other.pth")
    reference.run(4)
    other.run(4)
    assert_identical(contents(other, path), contents(reference, tmp_path / "reference.pth"))

# SPDX-License-Identifier: MIT
"""What cannot be restored is refused with one error that names every mismatch, and nothing is changed."""

from __future__ import annotations

import os
import threading
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import torch
from td3_agents import OPTIMIZERS, SCHEDULES, batch, global_generators, learn, observation, with_optimizer

from td3_core import TD3, CheckpointError, TD3Config, read_checkpoint
from td3_core.checkpoint import contents as state
from td3_core.checkpoint.format import write_checkpoint
from td3_core.checkpoint.optimizer_state import Staged
from td3_core.config import CNNConfig, ConvLayer, OptimizerConfig
from verification.state.compare import compare
from verification.state.walk import take

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIG = with_optimizer(TD3Config.tiny(), OptimizerConfig("Adam", {"lr": 1e-3}, SCHEDULES["StepLR"]))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A checkpoint of a trained agent."""
    learn(TD3(CONFIG, seed=1), 3).save_checkpoint(tmp_path / "agent.pth")
    return tmp_path / "agent.pth"


def used(config: TD3Config = CONFIG) -> TD3:
    """A trained agent with leftovers of every kind."""
    agent = learn(TD3(config, seed=2), 2)
    agent.select_action(observation(config, 1), explore=True)
    agent.policy_noise = 0.3
    agent.critic(torch.zeros(1, agent.critic.q1[0].in_features - 2), torch.zeros(1, 2))[0].sum().backward()
    return agent


def refused(agent: TD3, path: Path) -> list[str]:
    """The lines of the error that loading raises, having asserted that it changed nothing at all."""
    before, generators, saved = take({"agent": agent}), global_generators(), path.read_bytes()
    gradients = [parameter.grad for parameter in agent.critic.parameters()]
    with pytest.raises(CheckpointError) as error:
        agent.load_checkpoint(path)
    assert compare(before, take({"agent": agent})) == []
    assert [parameter.grad for parameter in agent.critic.parameters()] == gradients
    assert global_generators() == generators
    assert path.read_bytes() == saved
    message = str(error.value)
    assert message.startswith(str(path))
    return [line.strip() for line in message.splitlines()[1:]]


def rewritten(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    contents = torch.load(path, weights_only=True)
    change(contents)
    write_checkpoint(path, contents)


def _del(contents: dict[str, Any], *keys: Any) -> None:
    for key in keys[:-1]:
        contents = contents[key]
    del contents[keys[-1]]


def _set(contents: dict[str, Any], value: Any, *keys: Any) -> None:
    for key in keys[:-1]:
        contents = contents[key]
    contents[keys[-1]] = value


CRITIC, MOMENTS = "critic_cnn_state_dict", "actor_cnn_optimizer_state_dict"
SCHEDULE = "critic_scheduler_state_dict"
MODES = "training_modes"

PIECES = sorted(state.capture(TD3(CONFIG, seed=0)))

DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    **{
        f"no {key}": (lambda c, key=key: _del(c, key), f"{key}: missing from the checkpoint")
        for key in PIECES
    },
    "more": (
        lambda c: _set(c, 1, "actor_cn_state_dict"),
        "actor_cn_state_dict: unexpected in the checkpoint",
    ),
    "config": (lambda c: _set(c, 9, "config", "tau"), "config: TD3Config.tau = 9 is not allowed: it must be"),
    "config key": (lambda c: _del(c, "config", "tau"), "config: TD3Config: missing key 'tau'"),
    "hyper-parameter": (lambda c: _set(c, 0.1, "tau"), "tau: 0.1 in the checkpoint, and 0.005 in its config"),
    "hyper-parameter type": (
        lambda c: _set(c, 2.0, "policy_freq"),
        "policy_freq: 2.0 in the checkpoint, and 2",
    ),
    "use_dict_buffer": (
        lambda c: _set(c, False, "use_dict_buffer"),
        "use_dict_buffer: False in the checkpoint",
    ),
    "count": (lambda c: _set(c, -1, "total_it"), "total_it: -1 in the checkpoint, must be a count"),
    "count type": (lambda c: _set(c, 3.0, "total_it"), "total_it: 3.0 in the checkpoint, must be a count"),
    "no network": (lambda c: _set(c, None, CRITIC), f"{CRITIC}: None in the checkpoint"),
    "network kind": (lambda c: _set(c, [], CRITIC), f"{CRITIC}: must be a dict, not list"),
    "no parameter": (lambda c: _del(c, CRITIC, "conv0.bias"), f"{CRITIC}['conv0.bias']: missing"),
    "more parameters": (lambda c: _set(c, 1, CRITIC, "conv9.bias"), f"{CRITIC}['conv9.bias']: unexpected"),
    "parameter shape": (
        lambda c: _set(c, torch.zeros(5), CRITIC, "conv0.bias"),
        f"{CRITIC}['conv0.bias']: (5,) torch.float32 in the checkpoint, (4,) torch.float32 in the agent",
    ),
    "parameter dtype": (
        lambda c: _set(c, torch.zeros(4, dtype=torch.float64), CRITIC, "conv0.bias"),
        f"{CRITIC}['conv0.bias']: (4,) torch.float64 in the checkpoint",
    ),
    "no tensor": (
        lambda c: _set(c, [0.0] * 4, CRITIC, "conv0.bias"),
        f"{CRITIC}['conv0.bias']: must be a tensor",
    ),
    "no optimizer": (lambda c: _set(c, None, MOMENTS), f"{MOMENTS}: must hold state and param_groups"),
    "no entry": (lambda c: _del(c, MOMENTS, "state", 3), f"{MOMENTS}.state[3]: missing from the checkpoint"),
    "more entries": (lambda c: _set(c, {}, MOMENTS, "state", 99), f"{MOMENTS}.state[99]: unexpected"),
    "no moment": (
        lambda c: _del(c, MOMENTS, "state", 0, "exp_avg"),
        f"{MOMENTS}.state[0]['exp_avg'] (conv0.weight): missing",
    ),
    "no step": (
        lambda c: _del(c, MOMENTS, "state", 0, "step"),
        f"{MOMENTS}.state[0]['step'] (conv0.weight): mis",
    ),
    "more moments": (
        lambda c: _set(c, torch.zeros(1), MOMENTS, "state", 0, "momentum_buffer"),
        f"{MOMENTS}.state[0]['momentum_buffer'] (conv0.weight): unexpected",
    ),
    "moment shape": (
        lambda c: _set(c, torch.zeros(4), MOMENTS, "state", 0, "exp_avg"),
        f"{MOMENTS}.state[0]['exp_avg'] (conv0.weight): (4,) torch.float32 in the checkpoint, (4, 3, 3, 3)",
    ),
    "moment dtype": (
        lambda c: _set(c, torch.zeros(4, 3, 3, 3).bfloat16(), MOMENTS, "state", 0, "exp_avg"),
        f"{MOMENTS}.state[0]['exp_avg'] (conv0.weight): (4, 3, 3, 3) torch.bfloat16 in the checkpoint",
    ),
    "step kind": (
        lambda c: _set(c, 3, MOMENTS, "state", 0, "step"),
        f"{MOMENTS}.state[0]['step'] (conv0.weight): must be a tensor, not int",
    ),
    "groups": (
        lambda c: _set(c, [], MOMENTS, "param_groups"),
        f"{MOMENTS}.param_groups: must hold exactly one",
    ),
    "no lr": (
        lambda c: _del(c, MOMENTS, "param_groups", 0, "lr"),
        f"{MOMENTS}.param_groups[0]['lr']: missing",
    ),
    "lr kind": (
        lambda c: _set(c, "fast", MOMENTS, "param_groups", 0, "lr"),
        f"{MOMENTS}.param_groups[0]['lr']: 'fast' in the checkpoint",
    ),
    "betas kind": (
        lambda c: _set(c, [0.9, 0.999], MOMENTS, "param_groups", 0, "betas"),
        f"{MOMENTS}.param_groups[0]['betas']: [0.9, 0.999] in the checkpoint",
    ),
    "params": (
        lambda c: _set(c, [0, 2, 1, 3, 4, 5], MOMENTS, "param_groups", 0, "params"),
        f"{MOMENTS}.param_groups[0]['params']: must be the numbers of 6 parameters",
    ),
    "no schedule": (lambda c: _set(c, None, SCHEDULE), f"{SCHEDULE}: missing from the checkpoint"),
    "schedule attribute": (lambda c: _del(c, SCHEDULE, "last_epoch"), f"{SCHEDULE}['last_epoch']: missing"),
    "schedule value": (
        lambda c: _set(c, None, SCHEDULE, "gamma"),
        f"{SCHEDULE}['gamma']: None in the checkpoint",
    ),
    "generator": (
        lambda c: _set(c, torch.zeros(3, dtype=torch.uint8), "replay_generator_state"),
        "replay_generator_state: not the state of a torch generator",
    ),
    "mode": (
        lambda c: _set(c, 1, MODES, "actor", "0"),
        f"{MODES}['actor']['0']: must be True or False, not 1",
    ),
    "no mode": (
        lambda c: _del(c, MODES, "actor", "0"),
        f"{MODES}['actor']['0']: missing from the checkpoint",
    ),
    "no modes": (lambda c: _set(c, 1, MODES), f"{MODES}: must be a dict of dicts"),
    "flag": (
        lambda c: _set(c, True, "requires_grad", "actor", "9.weight"),
        "requires_grad['actor']['9.weight']: unexpected in the checkpoint",
    ),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES.keys())
def test_one_wrong_piece_is_refused_by_name(
    path: Path, damage: Callable[[dict[str, Any]], Any], message: str
) -> None:
    rewritten(path, damage)
    problems = refused(used(), path)
    assert len(problems) == 1, problems
    assert problems[0].startswith(message)
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(path)
    assert message in str(error.value)


def test_every_mismatch_is_listed(path: Path) -> None:
    chosen = [
        "no total_it",
        "no parameter",
        "parameter shape",
        "no entry",
        "moment dtype",
        "schedule value",
        "flag",
    ]

    def damage(contents: dict[str, Any]) -> None:
        for name in chosen:
            DAMAGES[name][0](contents) if name != "no parameter" else _del(contents, CRITIC, "conv1.bias")

    rewritten(path, damage)
    problems = refused(used(), path)
    assert len(problems) == len(chosen)
    for name in chosen:
        message = DAMAGES[name][1].replace("conv0", "conv1") if name == "no parameter" else DAMAGES[name][1]
        assert any(line.startswith(message) for line in problems)


WIDE = CNNConfig((ConvLayer(6, 3, stride=2), ConvLayer(4, 3)), features=8)
OTHERS: dict[str, tuple[TD3Config, list[str]]] = {
    "hidden": (
        TD3Config.tiny(actor_hidden=(9,)),
        [
            "config.actor_hidden: (16,) in the checkpoint, (9,) in the agent",
            "actor_state_dict['0.weight']: (16, 13) torch.float32 in the checkpoint, (9, 13)",
            "actor_target_state_dict['2.weight']: (2, 16) torch.float32 in the checkpoint, (2, 9)",
            "actor_optimizer_state_dict.state[0]['exp_avg'] (0.weight): (16, 13)",
        ],
    ),
    "deeper": (
        TD3Config.tiny(critic_hidden=(16, 16)),
        [
            "config.critic_hidden: (16,) in the checkpoint, (16, 16) in the agent",
            "critic_state_dict['q1.4.weight']: missing from the checkpoint",
        ],
    ),
    "cnn": (
        TD3Config.tiny(critic_cnn=WIDE),
        ["config.critic_cnn: ", "critic_cnn_target_state_dict['conv0.weight']: (4, 3, 3, 3)"],
    ),
    "vector": (
        TD3Config.tiny("vector"),
        [
            "config.image_shape: (3, 12, 12) in the checkpoint, None in the agent",
            "actor_cnn_state_dict: the agent has no such network",
            "actor_cnn_target_state_dict: the agent has no such network",
            "critic_cnn_optimizer_state_dict: the agent has no such optimizer",
        ],
    ),
    "image": (TD3Config.tiny("image"), ["config.vector_size: 5 in the checkpoint, 0 in the agent"]),
    "floats": (
        TD3Config.tiny(image_dtype="float32"),
        ["config.image_dtype: 'uint8' in the checkpoint, 'float32'"],
    ),
    "action": (TD3Config.tiny(action_size=3), ["config.action_size: 2 in the checkpoint, 3 in the agent"]),
    "optimizer": (
        with_optimizer(TD3Config.tiny(), OPTIMIZERS["SGD-momentum"]),
        ["config.critic_cnn_optimizer: 'Adam with StepLR' in the checkpoint, 'SGD' in the agent"],
    ),
    "schedule": (
        with_optimizer(TD3Config.tiny(), OptimizerConfig(schedule=SCHEDULES["LinearLR"])),
        ["config.actor_optimizer: 'Adam with StepLR' in the checkpoint, 'Adam with LinearLR' in the agent"],
    ),
}


@pytest.mark.parametrize(("config", "messages"), OTHERS.values(), ids=OTHERS.keys())
def test_another_agent_is_refused(path: Path, config: TD3Config, messages: list[str]) -> None:
    problems = refused(used(config), path)
    for message in messages:
        assert any(line.startswith(message) for line in problems), problems


def test_an_agent_without_images_refuses_to_grow_cnns(tmp_path: Path) -> None:
    learn(TD3(TD3Config.tiny("vector"), seed=1), 2).save_checkpoint(tmp_path / "agent.pth")
    problems = refused(used(TD3Config.tiny()), tmp_path / "agent.pth")
    assert "critic_cnn_state_dict: None in the checkpoint" in problems
    assert "config.critic_cnn_optimizer: None in the checkpoint, 'Adam' in the agent" in problems


def failing_once(correct: Callable[..., Any], failure: BaseException) -> Callable[..., Any]:
    """``correct``, but its third call in this thread raises once it is done.

    A thread that another test has left behind may call it, too.
    """
    calls: list[None] = []
    here = threading.get_ident()

    def call(*arguments: Any, **options: Any) -> Any:
        result = correct(*arguments, **options)
        if threading.get_ident() != here:
            return result
        calls.append(None)
        if len(calls) == 3:
            raise failure
        return result

    return call


@pytest.mark.parametrize("failure", [RuntimeError("no memory"), KeyboardInterrupt()])
def test_a_failure_leaves_the_agent_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    agent = learn(TD3(CONFIG, seed=2), 2)
    before = take({"agent": agent})
    monkeypatch.setattr(Staged, "load", failing_once(Staged.load, failure))
    expected = CheckpointError if isinstance(failure, RuntimeError) else KeyboardInterrupt
    with pytest.raises(expected):
        agent.load_checkpoint(path)
    assert compare(before, take({"agent": agent})) == []


@pytest.mark.parametrize(("owner", "method"), [(torch.Tensor, "copy_"), (Staged, "adopt_into")])
def test_an_interrupted_load_is_finished_first(
    path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, method: str
) -> None:
    agent, other = learn(TD3(CONFIG, seed=2), 2), TD3(CONFIG, seed=3)
    other.load_checkpoint(path)
    with monkeypatch.context() as patch:
        patch.setattr(owner, method, failing_once(getattr(owner, method), KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            agent.load_checkpoint(path)
    assert compare(take({"agent": other}), take({"agent": agent})) == []
    agent.save_checkpoint(path)


# -- files that are no checkpoints ---------------------------------------------------------------------------


def test_unreadable_files_are_refused_in_one_sentence(path: Path, tmp_path: Path) -> None:
    empty, garbage, archive, other = (tmp_path / name for name in ("empty", "garbage", "archive", "other"))
    empty.touch()
    garbage.write_bytes(b"weights" * 100)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme", "nothing here")
    torch.save({"model": torch.zeros(2)}, other)
    cases = {
        tmp_path / "missing": "missing cannot be read: No such file or directory",
        tmp_path: "cannot be read: Is a directory",
        empty: "empty is empty",
        garbage: "garbage is not a checkpoint: the end of it is missing or something follows it",
        archive: "archive is not a checkpoint: it holds the record",
        other: "other is not a checkpoint of TD3: it has no format_version",
    }
    agent = used()
    before = take({"agent": agent})
    for file_path, message in cases.items():
        for read in (agent.load_checkpoint, read_checkpoint):
            with pytest.raises(CheckpointError) as error:
                read(file_path)
            assert message in str(error.value)
            assert "weights_only" not in str(error.value)
    assert compare(before, take({"agent": agent})) == []


def test_a_file_cut_anywhere_is_refused(path: Path) -> None:
    data, agent = path.read_bytes(), used()
    before = take({"agent": agent})
    for length in [*range(1, len(data), len(data) // 40), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(CheckpointError, match="is not a checkpoint: the end of it is missing"):
            agent.load_checkpoint(path)
    assert compare(before, take({"agent": agent})) == []


class Payload:
    def __reduce__(self) -> Any:
        return os.mkdir, ("executed",)


def test_code_in_a_file_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format_version": 1, "config": Payload()}, tmp_path / "agent.pth")
    with pytest.raises(CheckpointError, match=r"holds more than plain data \(posix.mkdir\)"):
        read_checkpoint(tmp_path / "agent.pth")
    assert not (tmp_path / "executed").exists()


# -- writing -------------------------------------------------------------------------------------------------


def test_missing_folders_are_made(tmp_path: Path) -> None:
    TD3(CONFIG, seed=1).save_checkpoint(str(tmp_path / "a" / "b" / "agent.pth"))
    assert read_checkpoint(tmp_path / "a" / "b" / "agent.pth")["total_it"] == 0


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_save_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def half(contents: Any, file: Any) -> None:
        file.write(b"half")
        raise failure

    saved = path.read_bytes()
    monkeypatch.setattr(torch, "save", half)
    expected = CheckpointError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as error:
        used().save_checkpoint(path)
    if expected is CheckpointError:
        assert str(error.value) == f"{path} cannot be written: No space left on device"
    assert path.read_bytes() == saved
    assert [file.name for file in path.parent.iterdir()] == ["agent.pth"]


def test_where_nothing_can_be_written_the_error_says_so(path: Path, tmp_path: Path) -> None:
    agent = TD3(CONFIG, seed=1)
    (tmp_path / "folder").mkdir()
    with pytest.raises(CheckpointError, match="folder cannot be written: Is a directory"):
        agent.save_checkpoint(tmp_path / "folder")
    with pytest.raises(
        CheckpointError, match=r"agent.pth/inside cannot be written: (File exists|Not a directory)"
    ):
        agent.save_checkpoint(path / "inside")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["agent.pth", "folder"]


def test_the_file_reaches_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (events.append("fsync"), fsync(descriptor))[1])
    monkeypatch.setattr(os, "replace", lambda old, new: (events.append("replace"), rename(old, new))[1])
    learn(TD3(CONFIG, seed=1), 1).save_checkpoint(tmp_path / "agent.pth")
    assert events == ["fsync", "replace", "fsync"]


def test_batches_do_not_matter_to_a_refusal(path: Path) -> None:
    """A refused load leaves the next steps as they would have been, too."""
    agent, other = used(), used()
    rewritten(path, DAMAGES["no moment"][0])
    with pytest.raises(CheckpointError):
        agent.load_checkpoint(path)
    for number in range(3):
        agent.update(batch(CONFIG, number))
        other.update(batch(CONFIG, number))
    assert compare(take({"agent": agent}), take({"agent": other})) == []

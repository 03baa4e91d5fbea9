# SPDX-License-Identifier: MIT
"""Checkpoints that lack pieces, those of the original report first, are recognised and can be salvaged."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest
import torch
from td3_agents import differences, learn

from td3_core import TD3, CheckpointError, PartialCheckpointWarning, TD3Config, read_checkpoint
from td3_core.checkpoint.format import parse_checkpoint, write_checkpoint
from td3_core.training.command import main
from verification.state.compare import compare
from verification.state.walk import take

if TYPE_CHECKING:
    from pathlib import Path

CNNS = ("actor_cnn", "critic_cnn")
PENDULUM = TD3Config.tiny("vector", vector_size=3, action_size=1)


def of_the_report(agent: TD3, *, broken: bool) -> dict[str, Any]:
    """A checkpoint as the report's ``save_checkpoint`` wrote it; the broken one had no CNNs."""
    names = ["actor", "critic", *(() if broken or agent.actor_cnn is None else CNNS)]
    contents: dict[str, Any] = {f"{name}_state_dict": getattr(agent, name).state_dict() for name in names}
    contents |= {
        f"{name}_optimizer_state_dict": getattr(agent, f"{name}_optimizer").state_dict() for name in names
    }
    hyper_parameters = ("max_action", "discount", "tau", "policy_freq")
    return contents | {"total_it": agent.total_it} | {name: getattr(agent, name) for name in hyper_parameters}


@pytest.mark.parametrize("broken", [True, False], ids=["broken", "fixed"])
def test_the_report_s_files_are_recognised_and_told_what_they_lack(tmp_path: Path, broken: bool) -> None:
    agent = learn(TD3(TD3Config.tiny(), seed=1), 3)
    torch.save(of_the_report(agent, broken=broken), tmp_path / "old.pth")
    receiver = learn(TD3(TD3Config.tiny(), seed=2), 2)
    before = take({"agent": receiver})
    for read in (read_checkpoint, receiver.load_checkpoint):
        with pytest.raises(CheckpointError) as error:
            read(tmp_path / "old.pth")
        message = str(error.value)
        assert message.startswith(f"{tmp_path / 'old.pth'} is a checkpoint from before there was a format.")
        lacks = message.partition("It lacks ")[2].partition(";")[0].split(", ")
        assert {"actor_target_state_dict", "policy_noise", "target_noise_generator_state"} <= set(lacks)
        assert ("critic_cnn_state_dict" in lacks) is broken
        assert "critic_state_dict" not in lacks
        assert "allow_partial=True" in message
    assert compare(before, take({"agent": receiver})) == []


def test_what_there_is_is_loaded_and_the_rest_starts_fresh(tmp_path: Path) -> None:
    agent = learn(TD3(TD3Config.tiny(tau=0.1), seed=1), 3)
    torch.save(of_the_report(agent, broken=True), tmp_path / "old.pth")
    receiver, fresh = TD3(TD3Config.tiny(), seed=2), TD3(TD3Config.tiny(), seed=2)
    with pytest.warns(PartialCheckpointWarning, match="old.pth lacks pieces, which start fresh: ") as told:
        receiver.load_checkpoint(tmp_path / "old.pth", allow_partial=True)
    pieces = str(told[0].message).partition("fresh: ")[2].split(", ")
    assert "actor_target_state_dict (a copy of actor_state_dict)" in pieces
    assert "critic_cnn_state_dict" in pieces
    assert "actor_state_dict" not in pieces
    assert "critic_optimizer_state_dict" not in pieces
    differing = {line.split(" ")[0] for line in differences(agent, receiver)}
    assert not [path for path in differing if path.startswith(("agent.actor[", "agent.critic.q"))]
    assert not [path for path in differing if path.startswith("agent.critic_optimizer.state")]
    assert torch.equal(receiver.actor_target[0].weight, agent.actor[0].weight)
    assert fresh.critic_cnn is not None
    assert receiver.critic_cnn is not None
    assert torch.equal(receiver.critic_cnn.conv0.weight, fresh.critic_cnn.conv0.weight)
    assert (receiver.total_it, receiver.tau, receiver.config.tau) == (3, 0.1, 0.1)
    learn(receiver, 2)


def test_a_piece_that_does_not_fit_is_refused_even_so(tmp_path: Path) -> None:
    contents = of_the_report(learn(TD3(TD3Config.tiny("vector"), seed=1), 3), broken=False)
    torch.save(contents, tmp_path / "old.pth")
    receiver = TD3(TD3Config.tiny("vector", critic_hidden=(9,)), seed=2)
    before = take({"agent": receiver})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PartialCheckpointWarning)
        with pytest.raises(CheckpointError, match=r"critic_state_dict\['q1.0.weight'\]: \(16, 7\)"):
            receiver.load_checkpoint(tmp_path / "old.pth", allow_partial=True)
    assert compare(before, take({"agent": receiver})) == []


def test_a_file_without_any_network_has_nothing_to_load(tmp_path: Path) -> None:
    torch.save({"total_it": 3}, tmp_path / "old.pth")
    with pytest.raises(CheckpointError, match="holds no network of TD3"):
        TD3(TD3Config.tiny(), seed=2).load_checkpoint(tmp_path / "old.pth", allow_partial=True)


def test_a_complete_file_loads_in_full_and_without_a_warning(tmp_path: Path) -> None:
    agent = learn(TD3(TD3Config.tiny(), seed=1), 3)
    agent.save_checkpoint(tmp_path / "agent.pth")
    receiver = TD3(TD3Config.tiny(), seed=2)
    receiver.load_checkpoint(tmp_path / "agent.pth", allow_partial=True)
    assert differences(agent, receiver) == []


def test_a_file_of_this_format_may_lack_pieces_too(tmp_path: Path) -> None:
    agent = learn(TD3(TD3Config.tiny("vector"), seed=1), 3)
    agent.save_checkpoint(tmp_path / "agent.pth")
    contents = parse_checkpoint(tmp_path / "agent.pth")
    del contents["replay_generator_state"]
    write_checkpoint(tmp_path / "agent.pth", contents)
    with pytest.warns(PartialCheckpointWarning, match="start fresh: replay_generator_state$"):
        TD3(TD3Config.tiny("vector"), seed=2).load_checkpoint(tmp_path / "agent.pth", allow_partial=True)


def test_the_command_salvages_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agent = learn(TD3(PENDULUM, seed=1), 3)
    torch.save(of_the_report(agent, broken=False), tmp_path / "old.pth")
    command = ["Pendulum-v1", "--preset", "tiny", "--steps", "4", "--resume", str(tmp_path / "old.pth")]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    with pytest.raises(SystemExit) as ended:
        main([*command, "--allow-partial"])
    assert not ended.value.code
    printed = capsys.readouterr().out
    assert "Partial: " in printed
    assert "actor_target_state_dict (a copy of actor_state_dict)" in printed
    assert read_checkpoint(tmp_path / "td3_4.pth")["total_it"] == 3


def test_allow_partial_needs_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["Pendulum-v1", "--steps", "4", "--allow-partial"])
    assert ended.value.code == 2
    assert "give one with --resume" in capsys.readouterr().err

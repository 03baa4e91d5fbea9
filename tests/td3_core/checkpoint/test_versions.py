# SPDX-License-Identifier: MIT
"""What torch changed from version to version neither gets into a checkpoint nor keeps one from being read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from td3_agents import OPTIMIZERS, SCHEDULES, differences, learn, with_optimizer

from td3_core import TD3, TD3Config
from td3_core.checkpoint.contents import capture
from td3_core.checkpoint.format import parse_checkpoint, write_checkpoint
from td3_core.config import OptimizerConfig

if TYPE_CHECKING:
    from pathlib import Path

#: What some of the versions from 2.4 to 2.15 keep in a state, and others do not.
ONLY_SOME = {"decoupled_weight_decay", "verbose", "_is_initial", "_get_lr_called_within_step"}


def trained(optimizer: OptimizerConfig, seed: int = 1) -> TD3:
    return learn(TD3(with_optimizer(TD3Config.tiny("vector"), optimizer), seed=seed), 3)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_option_that_only_some_versions_have_is_saved(name: str) -> None:
    (group,) = capture(trained(OPTIMIZERS[name]))["critic_optimizer_state_dict"]["param_groups"]
    assert "lr" in group
    assert not ONLY_SOME & set(group)


@pytest.mark.parametrize("name", SCHEDULES)
def test_no_state_of_a_schedule_that_only_some_versions_have_is_saved(name: str) -> None:
    optimizer = OptimizerConfig("SGD", {"lr": 1e-3, "momentum": 0.9}, SCHEDULES[name])
    state = capture(trained(optimizer))["critic_scheduler_state_dict"]
    assert "last_epoch" in state
    assert not ONLY_SOME & set(state)


@pytest.fixture
def contents(tmp_path: Path) -> dict[str, Any]:
    """A checkpoint of an agent with AdamW, as it is parsed."""
    trained(OPTIMIZERS["AdamW"]).save_checkpoint(tmp_path / "saved.pth")
    return parse_checkpoint(tmp_path / "saved.pth")


def loaded(contents: dict[str, Any], folder: Path) -> TD3:
    write_checkpoint(folder / "edited.pth", contents)
    agent = trained(OPTIMIZERS["AdamW"], seed=2)
    agent.load_checkpoint(folder / "edited.pth")
    return agent


def test_options_come_back_in_the_order_of_the_version_that_reads(
    contents: dict[str, Any], tmp_path: Path
) -> None:
    (group,) = contents["critic_optimizer_state_dict"]["param_groups"]
    contents["critic_optimizer_state_dict"]["param_groups"] = [dict(reversed(group.items()))]
    agent = loaded(contents, tmp_path)
    assert list(agent.critic_optimizer.param_groups[0]) == list(
        trained(OPTIMIZERS["AdamW"]).critic_optimizer.param_groups[0]
    )
    assert differences(agent, trained(OPTIMIZERS["AdamW"])) == []


def test_a_step_of_another_dtype_is_kept(contents: dict[str, Any], tmp_path: Path) -> None:
    for entry in contents["critic_optimizer_state_dict"]["state"].values():
        entry["step"] = entry["step"].double()
    steps = [entry["step"] for entry in loaded(contents, tmp_path).critic_optimizer.state.values()]
    assert steps
    assert all(step.dtype == torch.float64 and step == 3 for step in steps)


def test_nothing_depends_on_what_torch_load_does_by_default(
    contents: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torch, "load")
    assert differences(loaded(contents, tmp_path), trained(OPTIMIZERS["AdamW"])) == []

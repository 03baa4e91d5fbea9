# SPDX-License-Identifier: MIT
"""The fast ways to train, channels_last and fused optimizers, survive a checkpoint bit for bit."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from td3_agents import (
    OBSERVATIONS,
    batch,
    differences,
    learn,
    observation,
    with_normalization,
    with_optimizer,
)

from td3_core import TD3, PartialCheckpointWarning, TD3Config
from td3_core.checkpoint.contents import NETWORKS, capture
from td3_core.checkpoint.format import parse_checkpoint, write_checkpoint
from td3_core.config import OptimizerConfig
from td3_core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

FUSED = {
    "Adam": OptimizerConfig("Adam", {"lr": 1e-3, "fused": True}),
    "Adam-amsgrad": OptimizerConfig("Adam", {"lr": 1e-3, "fused": True, "amsgrad": True}),
    "AdamW": OptimizerConfig("AdamW", {"lr": 1e-3, "fused": True}),
    "SGD": OptimizerConfig("SGD", {"lr": 1e-3, "fused": True}),
    "SGD-momentum": OptimizerConfig("SGD", {"lr": 1e-3, "fused": True, "momentum": 0.9}),
}
FAST = with_optimizer(TD3Config.tiny(channels_last=True), FUSED["Adam"])
SLOW = with_optimizer(TD3Config.tiny(), OptimizerConfig("Adam", {"lr": 1e-3}))


def bits(agent: TD3) -> list[bytes]:
    """Every weight of every network."""
    networks = (getattr(agent, name) for name in NETWORKS)
    return [
        value.contiguous().numpy().tobytes()
        for network in networks
        if network is not None
        for value in network.state_dict().values()
    ]


def is_channels_last(tensor: torch.Tensor) -> bool:
    """Whether it lies so, and not also as usual."""
    return tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()


def test_networks_and_moments_lie_in_channels_last() -> None:
    agent = learn(TD3(FAST, seed=1), 2)
    for name in ("actor_cnn", "critic_cnn", "actor_cnn_target", "critic_cnn_target"):
        assert is_channels_last(getattr(agent, name).conv1.weight), name
    assert agent.actor_cnn_optimizer is not None
    assert agent.actor_cnn is not None
    moments = agent.actor_cnn_optimizer.state[agent.actor_cnn.conv1.weight]
    assert is_channels_last(moments["exp_avg"])
    assert is_channels_last(moments["exp_avg_sq"])


@pytest.mark.parametrize("optimizer", FUSED)
@pytest.mark.parametrize("kind", OBSERVATIONS)
def test_a_fast_agent_resumes_bit_for_bit(kind: str, optimizer: str, tmp_path: Path) -> None:
    fast = with_optimizer(TD3Config.tiny(kind, channels_last=kind != "vector"), FUSED[optimizer])
    slow = with_optimizer(TD3Config.tiny(kind), replace(FUSED[optimizer], options={"lr": 1e-2}))
    for config, other in ((fast, slow), (slow, fast)):
        agent = learn(TD3(config, seed=1), 3)
        agent.save_checkpoint(tmp_path / "agent.pth")
        for receiver in (TD3(config, seed=2), TD3(other, seed=2), learn(TD3(other, seed=2), 3)):
            receiver.load_checkpoint(tmp_path / "agent.pth")
            assert differences(agent, receiver) == []
            learn(receiver, 3, first=3)
            assert differences(learn(again(agent), 3, first=3), receiver) == []


def again(agent: TD3) -> TD3:
    """The uninterrupted run up to here, trained anew, so that it can go on more than once."""
    return learn(TD3(agent.config, seed=1), agent.total_it)


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_torch_s_own_reader_sees_the_memory_format(normalization: str | None, tmp_path: Path) -> None:
    agent = learn(TD3(with_normalization(FAST, normalization), seed=1), 3)
    agent.save_checkpoint(tmp_path / "agent.pth")
    contents = torch.load(tmp_path / "agent.pth", weights_only=True)
    own = capture(agent)
    for name in ("actor_cnn", "critic_cnn_target"):
        for key, tensor in own[f"{name}_state_dict"].items():
            saved = contents[f"{name}_state_dict"][key]
            assert saved.stride() == tensor.stride(), key
            assert torch.equal(saved, tensor)
    torch.save(contents["critic_cnn_state_dict"], tmp_path / "plain.pth")
    loaded = torch.load(tmp_path / "plain.pth", weights_only=True)
    assert is_channels_last(loaded["conv1.weight"])
    receiver = TD3(agent.config, seed=2)
    receiver.load_checkpoint(tmp_path / "agent.pth")
    assert differences(agent, receiver) == []


def test_the_format_changes_how_images_are_added_up_and_nothing_else() -> None:
    config = replace(SLOW, channels_last=True)
    one, other = TD3(SLOW, seed=1), TD3(config, seed=1)
    assert bits(one) == bits(other)
    seen = observation(SLOW, 1)
    torch.testing.assert_close(torch.tensor(one.select_action(seen)), torch.tensor(other.select_action(seen)))
    learn(one, 4)
    learn(other, 4)
    for mine, its in zip(one.critic.parameters(), other.critic.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_images_prepared_once_give_what_each_network_would_make_of_them(
    channels_last: bool, dtype: str
) -> None:
    """The same bits as where every CNN scales and lays out for itself, as all versions before did."""
    config = replace(FAST, channels_last=channels_last, image_dtype=dtype)
    agent, other = TD3(config, seed=1), TD3(config, seed=1)
    other._prepared = lambda given: given  # type: ignore[method-assign]
    for number in range(4):
        agent.update(batch(config, number))
        other.update(batch(config, number))
    assert bits(agent) == bits(other)


def test_images_that_lie_otherwise_stay_so_without_channels_last() -> None:
    agent, other = TD3(SLOW, seed=1), TD3(SLOW, seed=1)
    other._prepared = lambda given: given  # type: ignore[method-assign]
    given = batch(SLOW, 0)

    def turned(seen: Any) -> Any:
        return {**seen, "image": seen["image"].contiguous(memory_format=torch.channels_last)}

    given = given._replace(
        observation=turned(given.observation), next_observation=turned(given.next_observation)
    )
    agent.update(given)
    other.update(given)
    assert bits(agent) == bits(other)


@pytest.mark.parametrize("lost", ["config", "actor_cnn_optimizer_state_dict", "actor_cnn_state_dict"])
@pytest.mark.parametrize("fast", [True, False], ids=["fast to slow", "slow to fast"])
def test_moments_lie_as_weights_do_when_pieces_are_missing(lost: str, fast: bool, tmp_path: Path) -> None:
    """A fused optimizer goes through both in the order of memory, and would mix up their elements."""
    saved, own = (FAST, SLOW) if fast else (SLOW, FAST)
    contents = dict(capture(learn(TD3(saved, seed=1), 3)))
    del contents[lost]
    write_checkpoint(tmp_path / "a.pth", contents)
    agent = learn(TD3(own, seed=2), 2)
    with pytest.warns(PartialCheckpointWarning) if lost != "config" else nullcontext():
        agent.load_checkpoint(tmp_path / "a.pth", allow_partial=True)
    assert agent.actor_cnn is not None
    assert agent.actor_cnn_optimizer is not None
    for parameter in agent.actor_cnn.parameters():
        for key, moment in agent.actor_cnn_optimizer.state[parameter].items():
            assert key == "step" or moment.stride() == parameter.stride()
    if lost == "config":
        assert is_channels_last(agent.actor_cnn.conv1.weight) is agent.config.channels_last


def test_a_config_of_version_2_has_no_channels_last(tmp_path: Path) -> None:
    old = SLOW.to_dict()
    del old["channels_last"]
    assert TD3Config.from_dict(old) == SLOW
    agent = learn(TD3(SLOW, seed=1), 2)
    contents = capture(agent) | {"config": old}
    write_checkpoint(tmp_path / "a.pth", contents)
    assert "channels_last" not in parse_checkpoint(tmp_path / "a.pth")["config"]
    receiver = TD3(FAST, seed=2)
    receiver.load_checkpoint(tmp_path / "a.pth")
    assert differences(agent, receiver) == []


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("vector", {"channels_last": True}, "must be False where image_shape is None"),
        ("image", {"channels_last": 1}, "must be True or False"),
        ("image", {"channels_last": None}, "must be True or False"),
    ],
)
def test_where_it_makes_no_sense_it_is_refused(kind: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TD3Config.tiny(kind, **changes)


def test_group_norm_is_refused_because_torch_would_crash() -> None:
    with pytest.raises(ConfigError, match=r"must be False where actor_cnn.normalization is 'group'"):
        with_normalization(FAST, "group")

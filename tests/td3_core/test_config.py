# SPDX-License-Identifier: MIT
"""Configs are plain data, compare and hash by value, and refuse what an agent cannot be built from."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from td3_agents import OBSERVATIONS, OPTIMIZERS, SCHEDULES, with_normalization, with_optimizer

from td3_core import TD3Config
from td3_core.config import CNNConfig, ConvLayer, OptimizerConfig, ScheduleConfig
from td3_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

CNN = CNNConfig((ConvLayer(4, 3),), features=8)


def described(config: TD3Config) -> str:
    """The repr, which unlike ``==`` tells 1, 1.0 and True apart, and lists from tuples."""
    return repr(config)


@pytest.mark.parametrize("kind", OBSERVATIONS)
def test_configs_survive_json(kind: str) -> None:
    config = TD3Config.tiny(kind, action_size=3, discount=0.5)
    restored = TD3Config.from_dict(json.loads(json.dumps(config.to_dict())))
    assert restored == config
    assert hash(restored) == hash(config)
    assert described(restored) == described(config)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=str)
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=str)
def test_optimizers_and_schedules_survive_json(optimizer: OptimizerConfig, schedule: ScheduleConfig) -> None:
    if schedule.name in ("CyclicLR", "OneCycleLR") and not {"betas", "momentum"} & set(optimizer.options):
        schedule = ScheduleConfig(schedule.name, {**schedule.options, "cycle_momentum": False})
    config = with_optimizer(TD3Config.tiny("vector"), replace(optimizer, schedule=schedule))
    assert described(TD3Config.from_dict(json.loads(json.dumps(config.to_dict())))) == described(config)


def test_configs_pickle_and_are_frozen() -> None:
    config = with_normalization(TD3Config.tiny(), "batch")
    assert pickle.loads(pickle.dumps(config)) == config
    with pytest.raises(FrozenInstanceError):
        config.discount = 0.5


def test_configs_differ_by_any_value() -> None:
    config = TD3Config.tiny()
    assert config != replace(config, noise_clip=0.4)
    assert config != with_optimizer(config, OptimizerConfig("Adam", {"lr": 2e-3}))
    assert len({config, TD3Config.tiny(), replace(config, tau=0.1)}) == 2


def test_values_become_plain_python() -> None:
    config = TD3Config.tiny(
        "vector",
        action_size=np.int64(3),
        max_action=np.float32(2.0),
        discount=1,
        actor_hidden=[8, np.int32(4)],
        actor_optimizer=OptimizerConfig("Adam", {"lr": np.float64(0.5), "betas": [0.5, 0.9]}),
    )
    kinds = [type(config.action_size), type(config.max_action), type(config.discount)]
    assert kinds == [int, float, float]
    assert config.actor_hidden == (8, 4)
    assert type(config.actor_hidden[1]) is int
    assert dict(config.actor_optimizer.options) == {"betas": (0.5, 0.9), "lr": 0.5}
    assert type(config.actor_optimizer.options["lr"]) is float
    json.dumps(config.to_dict())


def test_dict_observations_are_those_with_image_and_vector() -> None:
    kinds = {kind: TD3Config.tiny(kind).use_dict_buffer for kind in OBSERVATIONS}
    assert kinds == {"dict": True, "image": False, "vector": False}


def test_nature_preset_is_the_cnn_of_the_nature_paper() -> None:
    config = TD3Config.nature(action_size=1)
    assert config.image_shape == (4, 84, 84)
    assert config.vector_size == 53
    assert config.action_size == 1
    assert config.critic_cnn is not None
    assert [(c.out_channels, c.kernel_size, c.stride) for c in config.critic_cnn.layers] == [
        (32, 8, 4),
        (64, 4, 2),
        (64, 3, 1),
    ]
    assert config.critic_cnn.features == 512


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "discount": (lambda: TD3Config.tiny(discount=1.5), "TD3Config.discount = 1.5 .* a number from 0 to 1"),
    "discount text": (lambda: TD3Config.tiny(discount="0.9"), "TD3Config.discount = '0.9'"),
    "tau": (lambda: TD3Config.tiny(tau=-0.1), "TD3Config.tau = -0.1 .* a number from 0 to 1"),
    "policy_noise": (lambda: TD3Config.tiny(policy_noise=-1), "TD3Config.policy_noise = -1 .* at least 0"),
    "noise_clip": (lambda: TD3Config.tiny(noise_clip=float("nan")), "TD3Config.noise_clip = nan .* finite"),
    "exploration_noise": (lambda: TD3Config.tiny(exploration_noise=None), "exploration_noise = None"),
    "max_action": (lambda: TD3Config.tiny(max_action=0), "TD3Config.max_action = 0 .* above 0"),
    "max_action inf": (lambda: TD3Config.tiny(max_action=float("inf")), "max_action = inf .* finite"),
    "policy_freq": (lambda: TD3Config.tiny(policy_freq=0), "TD3Config.policy_freq = 0 .* at least 1"),
    "policy_freq float": (lambda: TD3Config.tiny(policy_freq=2.0), "TD3Config.policy_freq = 2.0 .* integer"),
    "action_size": (lambda: TD3Config.tiny(action_size=0), "TD3Config.action_size = 0 .* at least 1"),
    "action_size bool": (lambda: TD3Config.tiny(action_size=True), "TD3Config.action_size = True"),
    "hidden": (lambda: TD3Config.tiny(actor_hidden=(4, 0)), r"TD3Config.actor_hidden = \(4, 0\) .* positive"),
    "hidden kind": (lambda: TD3Config.tiny(critic_hidden=4), "TD3Config.critic_hidden = 4 .* tuple"),
    "image_shape": (lambda: TD3Config.tiny(image_shape=(12, 12)), r"image_shape = \(12, 12\) .* 3 positive"),
    "image_dtype": (
        lambda: TD3Config.tiny(image_dtype="uint"),
        "TD3Config.image_dtype = 'uint' .* one of 'uint8', 'float32'; did you mean 'uint8'",
    ),
    "nothing observed": (lambda: TD3Config(action_size=1), "vector_size = 0 .* nothing is observed"),
    "cnn without image": (
        lambda: TD3Config.tiny("vector", actor_cnn=CNN),
        "TD3Config.actor_cnn = .* None where image_shape is None",
    ),
    "cnn optimizer without image": (
        lambda: TD3Config.tiny("vector", critic_cnn_optimizer=OptimizerConfig()),
        "TD3Config.critic_cnn_optimizer = .* None where image_shape is None",
    ),
    "image without cnn": (lambda: TD3Config.tiny("image", critic_cnn=None), "critic_cnn = None .* CNNConfig"),
    "image without optimizer": (
        lambda: TD3Config.tiny("image", actor_cnn_optimizer=None),
        "TD3Config.actor_cnn_optimizer = None .* instance of OptimizerConfig where images are observed",
    ),
    "no optimizer": (lambda: TD3Config.tiny(actor_optimizer=None), "TD3Config.actor_optimizer = None"),
    "kernel": (
        lambda: TD3Config.tiny(actor_cnn=CNNConfig((ConvLayer(4, 7), ConvLayer(4, 7)), 8)),
        r"CNNConfig.layers\[1\] = .* 6x6 pixels reach it",
    ),
    "observation kind": (lambda: TD3Config.tiny("pixels"), "observation = 'pixels' .* 'dict', 'image'"),
    "no layers": (lambda: CNNConfig((), 8), r"CNNConfig.layers = \(\) .* at least one ConvLayer"),
    "features": (lambda: CNNConfig((ConvLayer(1, 1),), 0), "CNNConfig.features = 0"),
    "activation": (lambda: replace(CNN, activation="rellu"), "activation = 'rellu' .* did you mean 'relu'"),
    "normalization": (lambda: replace(CNN, normalization="bach"), "normalization = 'bach' .* mean 'batch'"),
    "stride": (lambda: ConvLayer(1, 1, stride=0), "ConvLayer.stride = 0 .* at least 1"),
    "padding": (lambda: ConvLayer(1, 1, padding=-1), "ConvLayer.padding = -1 .* at least 0"),
    "optimizer": (lambda: OptimizerConfig("adam"), "OptimizerConfig.name = 'adam' .* did you mean 'Adam'"),
    "option": (
        lambda: OptimizerConfig("SGD", {"amsgrad": True}),
        r"options\['amsgrad'\] .* not an option of SGD",
    ),
    "typo": (lambda: OptimizerConfig("Adam", {"weight_decy": 1}), "did you mean 'weight_decay'"),
    "lr": (
        lambda: OptimizerConfig("Adam", {"lr": -1.0}),
        "OptimizerConfig.options = {'lr': -1.0}: Adam: .*-1.0",
    ),
    "nesterov": (lambda: OptimizerConfig("SGD", {"lr": 0.1, "nesterov": True}), "options = .*SGD: Nesterov"),
    "not plain": (lambda: OptimizerConfig("Adam", {"lr": object()}), "option 'lr' = .* is not plain data"),
    "schedule name": (lambda: ScheduleConfig("StepLr"), "ScheduleConfig.name = 'StepLr' .* mean 'StepLR'"),
    "schedule option": (
        lambda: ScheduleConfig("StepLR", {"step": 1}),
        r"options\['step'\] = 1 .* 'step_size'",
    ),
    "schedule value": (
        lambda: OptimizerConfig(schedule=ScheduleConfig("StepLR", {"step_size": 0})),
        "ScheduleConfig.options = {'step_size': 0}: StepLR over Adam",
    ),
    "schedule kind": (lambda: OptimizerConfig(schedule="StepLR"), "OptimizerConfig.schedule = 'StepLR'"),
    "needs momentum": (
        lambda: OptimizerConfig("RMSprop", {"nesterov": True}),
        r"options\['nesterov'\] = True is not an option of RMSprop",
    ),
}


@pytest.mark.parametrize(("build", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refusals_name_field_value_and_what_is_allowed(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build()


def test_from_dict_names_unknown_and_missing_keys() -> None:
    data = TD3Config.tiny().to_dict()
    data["discont"] = data.pop("discount")
    data["actor_cnn"] = {**data["actor_cnn"], "layers": []}
    with pytest.raises(
        ConfigError, match=r"unknown key 'discont'; did you mean 'discount'.*missing key 'discount'"
    ):
        TD3Config.from_dict(data)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("actor_cnn", "features"), "CNNConfig: missing key 'features'"),
        (("actor_cnn", "layers", 0, "stride"), "ConvLayer: missing key 'stride'"),
        (("critic_optimizer", "options"), "OptimizerConfig: missing key 'options'"),
        (("critic_optimizer", "schedule", "name"), "ScheduleConfig: missing key 'name'"),
    ],
)
def test_from_dict_names_missing_keys_of_parts(path: tuple[Any, ...], message: str) -> None:
    config = with_optimizer(TD3Config.tiny(), replace(OPTIMIZERS["Adam"], schedule=SCHEDULES["StepLR"]))
    data: Any = config.to_dict()
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    with pytest.raises(ConfigError, match=message):
        TD3Config.from_dict(data)


def test_from_dict_refuses_what_is_no_mapping() -> None:
    with pytest.raises(ConfigError, match="TD3Config must be given as a mapping"):
        TD3Config.from_dict([1])

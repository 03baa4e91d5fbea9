# SPDX-License-Identifier: MIT
"""Every preset fits every kind of environment that it promises to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from td3_core import TD3
from td3_core.config import OptimizerConfig
from td3_core.errors import ConfigError
from td3_core.presets import config_for, is_config_for
from td3_core.training.environments import spaces_of

IMAGE = spaces.Box(0, 255, (3, 42, 42), np.uint8)
VECTOR = spaces.Box(-1, 1, (6,), np.float32)
KINDS = {"image": IMAGE, "vector": VECTOR, "dict": spaces.Dict(image=IMAGE, vector=VECTOR)}


class Spaces(gym.Env[Any, Any]):
    """Nothing but spaces."""

    def __init__(self, observations: Any) -> None:
        self.observation_space = observations
        self.action_space = spaces.Box(-1, 1, (3,), np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("preset", ["small", "tiny", "nature"])
def test_agents_have_the_spaces_of_the_environment(kind: str, preset: str) -> None:
    env = Spaces(KINDS[kind])
    if (kind, preset) == ("vector", "nature"):
        with pytest.raises(
            ConfigError, match="preset 'nature' needs images, and 'Spaces' observes only a vector"
        ):
            config_for(env, preset)
        return
    config = config_for(env, preset)
    assert {name: getattr(config, name) for name in spaces_of(env)} == spaces_of(env)
    assert config.use_dict_buffer == (kind == "dict")
    action = TD3(config, seed=0).select_action(env.observation_space.sample())
    assert action.shape == (3,)


@pytest.mark.parametrize("preset", ["small", "tiny", "nature"])
def test_a_preset_is_known_again_as_it_is_and_as_it_was(preset: str) -> None:
    env = Spaces(KINDS["dict"])
    today = config_for(env, preset)
    plain = OptimizerConfig("Adam", {"lr": 1e-3 if preset == "tiny" else 3e-4})
    names = ("actor_optimizer", "critic_optimizer", "actor_cnn_optimizer", "critic_cnn_optimizer")
    before = replace(today, channels_last=False, **dict.fromkeys(names, plain))
    assert is_config_for(today, env, preset)
    assert is_config_for(before, env, preset)
    assert (today == before) is (preset == "tiny")
    assert not is_config_for(replace(before, tau=0.1), env, preset)
    assert not is_config_for(
        replace(before, actor_optimizer=replace(plain, options={"lr": 1.0})), env, preset
    )
    assert not is_config_for(before, env, "small" if preset == "tiny" else "tiny")


def test_unknown_presets_are_refused() -> None:
    with pytest.raises(ConfigError, match="there is no preset 'huge'; choose one of small, tiny, nature"):
        config_for(Spaces(VECTOR), "huge")

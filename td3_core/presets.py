# SPDX-License-Identifier: MIT
"""Agents of three sizes for an environment, so that training needs no configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from td3_core.config import CNNConfig, ConvLayer, OptimizerConfig, TD3Config
from td3_core.errors import ConfigError
from td3_core.training.environments import name_of, spaces_of

if TYPE_CHECKING:
    from td3_core.training.environments import Env

PRESETS = ("small", "tiny", "nature")


def config_for(env: Env, preset: str = "small") -> TD3Config:
    """The agent of size ``preset`` for the spaces of ``env``, an environment of `make_env`.

    Args:
        env: The environment that decides shapes and sizes of observations and actions.
        preset: ``"small"`` trains at a usable speed on one CPU core; ``"tiny"`` is for trying things out;
            ``"nature"`` has the CNN of Mnih et al. (2015) and needs images of 36 x 36 pixels or more.

    Raises:
        ConfigError: There is no such preset, or its networks do not fit the observations.
    """
    fields = spaces_of(env)
    has_image = fields["image_shape"] is not None
    if preset == "small":
        return TD3Config(**fields, **_small(has_image=has_image))
    if preset == "tiny":
        kind = "vector" if not has_image else "dict" if fields["vector_size"] else "image"
        return TD3Config.tiny(kind, **fields)
    if preset == "nature":
        if not has_image:
            raise ConfigError(
                f"preset 'nature' needs images, and {name_of(env)!r} observes only a vector; use 'small'"
            )
        return TD3Config.nature(**fields)
    raise ConfigError(f"there is no preset {preset!r}; choose one of {', '.join(PRESETS)}")


def is_config_for(config: TD3Config, env: Env, preset: str) -> bool:
    """Whether ``config`` is the preset, or what it was before presets were laid out for speed."""
    today = config_for(env, preset)
    plain: dict[str, Any] = {
        name: OptimizerConfig("Adam", {"lr": 3e-4})
        for name in ("actor_optimizer", "critic_optimizer", "actor_cnn_optimizer", "critic_cnn_optimizer")
        if (getattr(today, name) or OptimizerConfig()).options.get("fused")
    }
    return config in (today, replace(today, channels_last=False, **plain))


def _small(*, has_image: bool) -> dict[str, Any]:
    optimizer = OptimizerConfig("Adam", {"lr": 3e-4, "fused": True})
    names = ["actor_optimizer", "critic_optimizer"]
    networks: dict[str, Any] = {"actor_hidden": (256, 256), "critic_hidden": (256, 256)}
    if has_image:
        layers = (ConvLayer(16, 8, stride=4), ConvLayer(32, 3, stride=2))
        cnn = CNNConfig(layers, features=64)
        networks |= {"channels_last": True, "actor_cnn": cnn, "critic_cnn": cnn}
        networks |= {"actor_hidden": (64, 64), "critic_hidden": (64, 64)}
        names += ["actor_cnn_optimizer", "critic_cnn_optimizer"]
    return networks | dict.fromkeys(names, optimizer)

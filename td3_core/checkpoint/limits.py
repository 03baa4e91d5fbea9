# SPDX-License-Identifier: MIT
"""Refuses a checkpoint whose config describes larger networks than it holds, before they are built."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from td3_core.config import CNNConfig, TD3Config, image_sizes
from td3_core.errors import CheckpointError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

#: What may be built beyond what is there, so that a small agent is told by name which pieces it lacks.
FREE_WEIGHTS, FREE_LAYERS = 1_000_000, 100


def refuse_oversized(
    config: TD3Config, contents: Mapping[str, Any], *, source: str | os.PathLike[str]
) -> None:
    """Raise CheckpointError where building ``config`` would take more than its networks in ``contents``."""
    for name, (layers, weights) in _sizes(config).items():
        saved = contents.get(f"{name}_state_dict")
        entries = saved.values() if isinstance(saved, dict) else ()
        held = sum(entry.numel() for entry in entries if isinstance(entry, torch.Tensor))
        if weights > held + FREE_WEIGHTS or layers > len(entries) + FREE_LAYERS:
            raise CheckpointError(
                f"{source}: config describes a network {name} of {layers} layers and {weights} weights, and "
                f"{name}_state_dict holds {len(entries)} tensors with {held}"
            )


def _sizes(config: TD3Config) -> dict[str, tuple[int, int]]:
    """The number of layers of each online network and, at least, of its weights."""
    actor_features = critic_features = config.vector_size
    sizes = {}
    if config.image_shape is not None and config.actor_cnn is not None and config.critic_cnn is not None:
        sizes["actor_cnn"] = _cnn(config.actor_cnn, config.image_shape)
        sizes["critic_cnn"] = _cnn(config.critic_cnn, config.image_shape)
        actor_features += config.actor_cnn.features
        critic_features += config.critic_cnn.features
    actor = (actor_features, *config.actor_hidden, config.action_size)
    critic = (critic_features + config.action_size, *config.critic_hidden, 1)
    sizes["actor"] = len(actor) - 1, _dense(actor)
    sizes["critic"] = len(critic) - 1, 2 * _dense(critic)
    return sizes


def _dense(sizes: tuple[int, ...]) -> int:
    return sum(before * after for before, after in pairwise(sizes))


def _cnn(cnn: CNNConfig, image_shape: tuple[int, int, int]) -> tuple[int, int]:
    channels, weights = image_shape[0], 0
    for layer in cnn.layers:
        weights += channels * layer.out_channels * layer.kernel_size**2
        channels = layer.out_channels
    weights += math.prod(image_sizes(cnn, image_shape)[-1]) * cnn.features
    return len(cnn.layers) + 1, weights

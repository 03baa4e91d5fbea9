# SPDX-License-Identifier: MIT
"""The tensors of networks as a config describes them, compared with those of a file before any is built."""

from __future__ import annotations

import math
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import torch

from td3_core.checkpoint.contents import NETWORKS
from td3_core.config import image_sizes
from td3_core.errors import CheckpointError
from td3_core.quoting import LISTED, listed, quoted

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from td3_core.config import CNNConfig, TD3Config

#: Name, shape and dtype of one tensor of a network.
Described = tuple[str, tuple[int, ...], torch.dtype]


def refuse_other_networks(
    config: TD3Config, contents: Mapping[str, Any], *, source: str | os.PathLike[str]
) -> None:
    """Raise CheckpointError unless ``contents`` hold exactly the tensors of the networks of ``config``.

    What is built afterwards is no larger than what was read.
    """
    problems = []
    for name in NETWORKS:
        key = f"{name}_state_dict"
        described = tensors_of(config, name.removesuffix("_target"))
        if key not in contents:
            problems.append(f"{key}: missing from the checkpoint")
        elif described is None:
            problems += [] if contents[key] is None else [f"{key}: the agent has no such network"]
        else:
            problems += network_mismatches(key, contents[key], described)
    if problems:
        raise CheckpointError(
            f"{source} does not hold the networks of its config:\n  " + listed(problems, "\n  ")
        )


def tensors_of(config: TD3Config, network: str) -> Iterator[Described] | None:
    """The entries of the ``state_dict`` of an online network, one by one; None if there is none."""
    cnns = {"actor_cnn": config.actor_cnn, "critic_cnn": config.critic_cnn}
    if network in cnns:
        cnn = cnns[network]
        return None if cnn is None or config.image_shape is None else _cnn(cnn, config.image_shape)
    cnn = cnns[f"{network}_cnn"]
    features = config.vector_size + (0 if cnn is None else cnn.features)
    if network == "actor":
        return _dense("", (features, *config.actor_hidden, config.action_size))
    return _critics((features + config.action_size, *config.critic_hidden, 1))


def network_mismatches(where: str, saved: Any, described: Iterable[Described]) -> list[str]:
    """What differs between a saved ``state_dict`` and what is described: as much as a message lists."""
    if saved is None:
        return [f"{where}: None in the checkpoint"]
    if not isinstance(saved, dict):
        return [f"{where}: must be a dict, not {type(saved).__name__}"]
    problems: list[str] = []
    known: set[str] = set()
    for name, shape, dtype in described:
        if len(problems) >= LISTED:
            return problems
        known.add(name)
        value = saved.get(name)
        if name not in saved:
            problems.append(f"{where}[{name!r}]: missing from the checkpoint")
        elif not isinstance(value, torch.Tensor):
            problems.append(f"{where}[{name!r}]: must be a tensor, not {type(value).__name__}")
        elif tuple(value.shape) != shape or value.dtype != dtype:
            problems.append(
                f"{where}[{name!r}]: {quoted(tuple(value.shape))} {value.dtype} in the checkpoint, "
                f"{quoted(shape)} {dtype} in the agent"
            )
    unexpected = islice((name for name in saved if name not in known), LISTED)
    return problems + [f"{where}[{quoted(name)}]: unexpected in the checkpoint" for name in unexpected]


def _dense(prefix: str, widths: tuple[int, ...]) -> Iterator[Described]:
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        yield from _layer(f"{prefix}{2 * index}", (outputs, inputs))


def _critics(widths: tuple[int, ...]) -> Iterator[Described]:
    yield from _dense("q1.", widths)
    yield from _dense("q2.", widths)


def _cnn(cnn: CNNConfig, image_shape: tuple[int, int, int]) -> Iterator[Described]:
    channels, shape = image_shape[0], image_shape
    for index, (layer, shape) in enumerate(zip(cnn.layers, image_sizes(cnn, image_shape), strict=True)):
        kernel = (layer.kernel_size, layer.kernel_size)
        yield from _layer(f"conv{index}", (layer.out_channels, channels, *kernel))
        channels = layer.out_channels
        if cnn.normalization is not None:
            normalized = shape if cnn.normalization == "layer" else (channels,)
            yield from _normalization(f"norm{index}", normalized, counts=cnn.normalization == "batch")
    yield from _layer("linear", (cnn.features, math.prod(shape)))


def _layer(name: str, shape: tuple[int, ...]) -> Iterator[Described]:
    yield f"{name}.weight", shape, torch.float32
    yield f"{name}.bias", shape[:1], torch.float32


def _normalization(name: str, shape: tuple[int, ...], *, counts: bool) -> Iterator[Described]:
    yield f"{name}.weight", shape, torch.float32
    yield f"{name}.bias", shape, torch.float32
    if counts:
        yield f"{name}.running_mean", shape, torch.float32
        yield f"{name}.running_var", shape, torch.float32
        yield f"{name}.num_batches_tracked", (), torch.int64

# SPDX-License-Identifier: MIT
"""The networks of TD3: a CNN in front of images, an actor, and a pair of critics."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from typing import TYPE_CHECKING, TypeVar, overload

import torch
from torch import Tensor, nn

from td3_core.config import ACTIVATIONS, image_sizes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from td3_core.config import CNNConfig
    from td3_core.replay import Observation

ModuleT = TypeVar("ModuleT", bound=nn.Module)


class CNN(nn.Sequential):
    """Images to features: convolutions, each with optional normalisation, then a linear layer.

    Takes ``(batch, channels, height, width)`` images. Those of dtype uint8 are scaled to [0, 1], floating
    ones are used as they are. Returns ``(batch, features)``.

    Attributes:
        depends_on_mode: Whether features in training mode are others than in evaluation mode.
    """

    def __init__(self, config: CNNConfig, image_shape: tuple[int, int, int]) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        activation = ACTIVATIONS[config.activation]
        channels = image_shape[0]
        shapes = image_sizes(config, image_shape)
        for index, (layer, shape) in enumerate(zip(config.layers, shapes, strict=True)):
            layers[f"conv{index}"] = nn.Conv2d(
                channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding
            )
            if config.normalization is not None:
                layers[f"norm{index}"] = _normalization(config.normalization, shape)
            layers[f"act{index}"] = activation()
            channels = layer.out_channels
        layers["flatten"] = nn.Flatten()
        layers["linear"] = nn.Linear(math.prod(shapes[-1]), config.features)
        layers["act"] = activation()
        super().__init__(layers)
        self.depends_on_mode: bool = config.normalization == "batch"

    def forward(self, images: Tensor) -> Tensor:
        """Features of ``images``."""
        features: Tensor = super().forward(_scaled(images))  # type: ignore[no-untyped-call]
        return features


def _scaled(images: Tensor) -> Tensor:
    return images.to(torch.float32).div_(255) if images.dtype == torch.uint8 else images


def _normalization(name: str, shape: tuple[int, int, int]) -> nn.Module:
    if name == "batch":
        return nn.BatchNorm2d(shape[0])
    if name == "layer":
        return nn.LayerNorm(shape)
    return nn.GroupNorm(math.gcd(shape[0], 4), shape[0])


class Actor(nn.Sequential):
    """Features ``(batch, n)`` to actions ``(batch, action_size)`` in [-max_action, max_action]."""

    def __init__(self, features: int, action_size: int, hidden: tuple[int, ...], max_action: float) -> None:
        super().__init__(*_mlp(features, hidden, action_size), nn.Tanh())
        self.max_action = max_action

    def forward(self, features: Tensor) -> Tensor:
        """Actions for ``features``."""
        actions: Tensor = self.max_action * super().forward(features)  # type: ignore[no-untyped-call]
        return actions


class QNetwork(nn.Sequential):
    """Features ``(batch, n)`` and actions ``(batch, action_size)`` to values ``(batch, 1)``."""

    def __init__(self, features: int, action_size: int, hidden: tuple[int, ...]) -> None:
        super().__init__(*_mlp(features + action_size, hidden, 1))

    def forward(self, features: Tensor, actions: Tensor) -> Tensor:  # type: ignore[override]
        """Values of ``actions``."""
        values: Tensor = super().forward(torch.cat([features, actions], dim=1))  # type: ignore[no-untyped-call]
        return values


class Critic(nn.Module):
    """Two independent critics, ``q1`` and ``q2``; the actor is trained on ``q1`` alone."""

    def __init__(self, features: int, action_size: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.q1: QNetwork = QNetwork(features, action_size, hidden)
        self.q2: QNetwork = QNetwork(features, action_size, hidden)

    def forward(self, features: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The values of ``actions``, ``(batch, 1)`` each, by both critics."""
        return self.q1(features, actions), self.q2(features, actions)


def features_of(cnn: CNN | None, observation: Observation) -> Tensor:
    """What actor and critic see of a batch: the CNN's features of the image, the vector, or both joined."""
    if isinstance(observation, Mapping):
        assert cnn is not None, "an agent that observes images has CNNs"
        return torch.cat([cnn(observation["image"]), observation["vector"]], dim=1)
    return observation if cnn is None else cnn(observation)


def prepared(observation: Observation, *, channels_last: bool) -> Observation:
    """A batch of observations with what every CNN would do with its images done once for all of them.

    With ``channels_last`` the images are in that memory format, else they stay as they lie.
    """
    images = observation["image"] if isinstance(observation, Mapping) else observation
    if channels_last:  # before they are scaled, which makes four bytes of one
        images = images.contiguous(memory_format=torch.channels_last)
    images = _scaled(images)
    return {**observation, "image": images} if isinstance(observation, Mapping) else images


def _mlp(inputs: int, hidden: tuple[int, ...], outputs: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return [*layers, nn.Linear(inputs, outputs)]


@overload
def target_of(network: None) -> None: ...
@overload
def target_of(network: ModuleT) -> ModuleT: ...
def target_of(network: ModuleT | None) -> ModuleT | None:
    """A copy of ``network`` that no optimizer trains, in evaluation mode."""
    return None if network is None else deepcopy(network).requires_grad_(False).eval()


def evaluating(cnn: CNN | None) -> AbstractContextManager[None]:
    """Let a CNN compute as in evaluation mode for a while; each module has its own mode again afterwards."""
    return nullcontext() if cnn is None or not cnn.depends_on_mode else _evaluating(cnn)


@contextmanager
def _evaluating(cnn: CNN) -> Iterator[None]:
    modules = list(cnn.modules())
    modes = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode

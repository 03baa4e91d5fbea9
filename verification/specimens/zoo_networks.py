# SPDX-License-Identifier: MIT
"""Networks built from drawn descriptions: convolutional stacks of every kind, and MLPs."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from verification.strategies.building import lay_out

if TYPE_CHECKING:
    from verification.strategies import CNN, AgentConfig, Conv

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "silu": nn.SiLU,
}


class ConvNet(nn.Sequential):
    """Images ``(batch, channels, height, width)`` from 0 to 1, to features ``(batch, features)``."""

    def __init__(self, cnn: CNN, image_shape: tuple[int, ...]) -> None:
        super().__init__()
        channels, *size = image_shape
        for layer in cnn.layers:
            size = [_output(layer, pixels) for pixels in size]
            options = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "groups")}
            self.append(nn.Conv2d(channels, layer.out_channels, layer.kernel_size, **options))
            channels = layer.out_channels
            if cnn.normalization is not None:
                self.append(_normalization(cnn.normalization, (channels, *size)))
            self.append(_ACTIVATIONS[cnn.activation]())
            if layer.pool is not None:
                self.append(nn.MaxPool2d(2) if layer.pool == "max" else nn.AvgPool2d(2))
                size = [pixels // 2 for pixels in size]
        self.append(nn.Flatten())
        self.append(nn.Linear(channels * math.prod(size), cnn.features))
        self.append(_ACTIVATIONS[cnn.activation]())


class MLP(nn.Sequential):
    """Linear layers with ReLU between them."""

    def __init__(self, inputs: int, hidden: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        for width in hidden:
            self.extend([nn.Linear(inputs, width), nn.ReLU()])
            inputs = width
        self.append(nn.Linear(inputs, outputs))


class Actor(nn.Module):
    """Features to actions from -1 to 1."""

    def __init__(self, features: int, config: AgentConfig) -> None:
        super().__init__()
        self.mlp: MLP = MLP(features, config.actor_hidden, config.action_space.shape[0])
        if config.treatment.unused:
            self.unused: nn.Parameter = nn.Parameter(torch.ones(3))

    def forward(self, features: Tensor) -> Tensor:
        """Actions for ``features``."""
        return torch.tanh(self.mlp(features))


class Critic(nn.Module):
    """Features and actions to values ``(batch, 1)``."""

    def __init__(self, features: int, config: AgentConfig) -> None:
        super().__init__()
        self.mlp: MLP = MLP(features + config.action_space.shape[0], config.critic_hidden, 1)

    def forward(self, features: Tensor, actions: Tensor) -> Tensor:
        """Values of ``actions``."""
        values: Tensor = self.mlp(torch.cat([features, actions], dim=1))
        return values


def build_networks(config: AgentConfig) -> nn.ModuleDict:
    """``actor`` and ``critic``, with ``actor_cnn`` and ``critic_cnn`` where there are images.

    All that :class:`Treatment` describes is done to them; what actor and critic share is one module.
    """
    treatment, observed = config.treatment, config.observed
    features = math.prod(observed["vector"].shape) if "vector" in observed else 0
    networks = nn.ModuleDict()
    widths = {"actor": features, "critic": features}
    if config.actor_cnn is not None and config.critic_cnn is not None:
        shape = observed["image"].shape
        networks["actor_cnn"] = actor_cnn = ConvNet(config.actor_cnn, shape)
        networks["critic_cnn"] = critic_cnn = ConvNet(config.critic_cnn, shape)
        if treatment.shared == "cnn":
            networks["critic_cnn"] = actor_cnn
        elif treatment.shared == "first_layer":
            critic_cnn[0] = actor_cnn[0]
        widths = {
            "actor": features + config.actor_cnn.features,
            "critic": features + config.critic_cnn.features,
        }
    networks["actor"] = Actor(widths["actor"], config)
    networks["critic"] = Critic(widths["critic"], config)
    networks.to(getattr(torch, treatment.dtype))
    lay_out(networks, treatment.memory)
    if treatment.frozen:
        first = networks["critic_cnn"] if "critic_cnn" in networks else networks["critic"]
        next(first.parameters()).requires_grad_(False)
    return networks


def target_of(networks: nn.ModuleDict) -> nn.ModuleDict:
    """A copy that no optimizer trains, in evaluation mode; what is shared in one is shared in the other."""
    return copy.deepcopy(networks).requires_grad_(False).eval()


def _output(layer: Conv, pixels: int) -> int:
    kernel = 1 + layer.dilation * (layer.kernel_size - 1)
    return (pixels + 2 * layer.padding - kernel) // layer.stride + 1


def _normalization(name: str, shape: tuple[int, ...]) -> nn.Module:
    match name:
        case "batch":
            return nn.BatchNorm2d(shape[0])
        case "cumulative_batch":
            return nn.BatchNorm2d(shape[0], momentum=None)
        case "layer":
            return nn.LayerNorm(shape)
        case _:
            return nn.GroupNorm(math.gcd(shape[0], 2), shape[0])

# SPDX-License-Identifier: MIT
"""What an agent is: observations, architecture, optimizers and hyper-parameters, as validated plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from td3_core.errors import ConfigError
from td3_core.optimizers import OptimizerConfig, ScheduleConfig
from td3_core.quoting import quoted
from td3_core.validation import checked_fields, choice, flag, integer, number, plain, refusal, sizes

__all__ = ["CNNConfig", "ConfigError", "ConvLayer", "OptimizerConfig", "ScheduleConfig", "TD3Config"]

ACTIVATIONS: dict[str, type[torch.nn.Module]] = {
    "relu": torch.nn.ReLU,
    "elu": torch.nn.ELU,
    "gelu": torch.nn.GELU,
    "leaky_relu": torch.nn.LeakyReLU,
    "silu": torch.nn.SiLU,
    "tanh": torch.nn.Tanh,
}
NORMALIZATIONS = (None, "batch", "layer", "group")

#: Fields of TD3Config that describe what a trained agent does, not what it is built of.
HYPER_PARAMETERS = (
    "max_action",
    "discount",
    "tau",
    "policy_noise",
    "noise_clip",
    "policy_freq",
    "exploration_noise",
)


@dataclass(frozen=True)
class ConvLayer:
    """One convolution with a square kernel: channels out; kernel, stride and zero padding in pixels."""

    out_channels: int
    kernel_size: int
    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        integer(self, "out_channels", minimum=1)
        integer(self, "kernel_size", minimum=1)
        integer(self, "stride", minimum=1)
        integer(self, "padding", minimum=0)

    def output_size(self, size: int) -> int:
        """Pixels out along an axis with ``size`` pixels in; below 1 if the kernel does not fit."""
        return (size + 2 * self.padding - self.kernel_size) // self.stride + 1


@dataclass(frozen=True)
class CNNConfig:
    """A convolutional stack with a linear layer to ``features`` values behind it.

    ``normalization`` follows each convolution: ``"batch"``, ``"layer"`` (over channels and pixels),
    ``"group"`` (as many groups as divide the channels, at most 4), or ``None``. ``activation`` follows
    each convolution and the linear layer.
    """

    layers: tuple[ConvLayer, ...]
    features: int
    activation: str = "relu"
    normalization: str | None = None

    def __post_init__(self) -> None:
        layers: Any = self.layers
        if (
            not isinstance(layers, list | tuple)
            or not layers
            or not all(type(one) is ConvLayer for one in layers)
        ):
            raise refusal(self, "layers", self.layers, "a tuple of at least one ConvLayer")
        object.__setattr__(self, "layers", tuple(layers))
        integer(self, "features", minimum=1)
        choice(self, "activation", ACTIVATIONS)
        choice(self, "normalization", NORMALIZATIONS)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CNNConfig:
        """The inverse of :meth:`TD3Config.to_dict` for this part. Raises ConfigError."""
        values = checked_fields(cls, data)
        layers = values.pop("layers")
        if not isinstance(layers, list | tuple):
            raise ConfigError(f"CNNConfig.layers must be given as a list of layers, not {quoted(layers)}")
        built = tuple(ConvLayer(**checked_fields(ConvLayer, layer)) for layer in layers)
        return cls(layers=built, **values)


@dataclass(frozen=True, kw_only=True)
class TD3Config:
    """Everything that decides how a TD3 agent is built and trained, apart from its seed.

    Attributes:
        image_shape: (channels, height, width) of an observed image; ``None`` where none is observed.
        image_dtype: ``"uint8"`` images are scaled to [0, 1]; ``"float32"`` images are used as they are.
        channels_last: Whether images and the CNNs' weights have torch's channels_last memory format, which is
            faster on most CPUs and GPUs and rounds differently; ``False`` without images.
        vector_size: Length of an observed vector of float32; 0 where none is observed.
        action_size: Length of an action.
        max_action: Actions lie in [-max_action, max_action].
        actor_cnn: Network between the image and the actor; ``None`` without images.
        critic_cnn: Network between the image and both critics; ``None`` without images.
        actor_hidden: Widths of the actor's hidden layers.
        critic_hidden: Widths of the hidden layers of each of the two critics.
        actor_optimizer: Optimizer of the actor.
        critic_optimizer: Optimizer of the critics.
        actor_cnn_optimizer: Optimizer of ``actor_cnn``; ``None`` without images.
        critic_cnn_optimizer: Optimizer of ``critic_cnn``; ``None`` without images.
        discount: Weight of the next value in a target value, 0 to 1.
        tau: Weight of the online network in an update of its target network, 0 to 1.
        policy_noise: Standard deviation of the noise on target actions, in units of ``max_action``.
        noise_clip: Bound of that noise, in units of ``max_action``.
        policy_freq: Critic updates per actor update.
        exploration_noise: Standard deviation of the noise on explored actions, in units of ``max_action``.

    The defaults are those of Fujimoto, van Hoof and Meger (2018). Raises ConfigError.
    """

    image_shape: tuple[int, int, int] | None = None
    image_dtype: str = "uint8"
    channels_last: bool = False
    vector_size: int = 0
    action_size: int
    max_action: float = 1.0
    actor_cnn: CNNConfig | None = None
    critic_cnn: CNNConfig | None = None
    actor_hidden: tuple[int, ...] = (400, 300)
    critic_hidden: tuple[int, ...] = (400, 300)
    actor_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    critic_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    actor_cnn_optimizer: OptimizerConfig | None = None
    critic_cnn_optimizer: OptimizerConfig | None = None
    discount: float = 0.99
    tau: float = 0.005
    policy_noise: float = 0.2
    noise_clip: float = 0.5
    policy_freq: int = 2
    exploration_noise: float = 0.1

    def __post_init__(self) -> None:
        integer(self, "vector_size", minimum=0)
        integer(self, "action_size", minimum=1)
        integer(self, "policy_freq", minimum=1)
        number(self, "max_action", minimum=0, above=True)
        number(self, "discount", minimum=0, maximum=1)
        number(self, "tau", minimum=0, maximum=1)
        for name in ("policy_noise", "noise_clip", "exploration_noise"):
            number(self, name, minimum=0)
        for name in ("actor_hidden", "critic_hidden"):
            sizes(self, name)
        for name in ("actor_optimizer", "critic_optimizer"):
            if not isinstance(getattr(self, name), OptimizerConfig):
                raise refusal(self, name, getattr(self, name), "an OptimizerConfig")
        choice(self, "image_dtype", ("uint8", "float32"))
        flag(self, "channels_last")
        if self.image_shape is not None:
            sizes(self, "image_shape", length=3)
        elif self.vector_size == 0:
            raise refusal(self, "vector_size", 0, "at least 1 where image_shape is None: nothing is observed")
        elif self.channels_last:
            raise refusal(self, "channels_last", True, "False where image_shape is None")
        self._check_images()

    def _check_images(self) -> None:
        kinds: dict[str, type[Any]] = {"actor_cnn": CNNConfig, "critic_cnn": CNNConfig}
        kinds |= {"actor_cnn_optimizer": OptimizerConfig, "critic_cnn_optimizer": OptimizerConfig}
        for name, kind in kinds.items():
            value = getattr(self, name)
            if self.image_shape is None:
                if value is not None:
                    raise refusal(self, name, value, "None where image_shape is None")
            elif not isinstance(value, kind):
                raise refusal(self, name, value, f"an instance of {kind.__name__} where images are observed")
            elif isinstance(value, CNNConfig):
                image_sizes(value, self.image_shape)
                if self.channels_last and value.normalization == "group":
                    # torch 2.13 crashes in the backward pass of GroupNorm behind a frozen convolution.
                    allowed = f"False where {name}.normalization is 'group'"
                    raise refusal(self, "channels_last", True, allowed)

    @property
    def use_dict_buffer(self) -> bool:
        """Whether image and vector are both observed, so that observations are dicts of them."""
        return self.image_shape is not None and self.vector_size > 0

    def to_dict(self) -> dict[str, Any]:
        """This config as dicts, lists, strings, numbers, booleans and ``None``, for JSON or a checkpoint."""
        result: dict[str, Any] = plain(self)
        return result

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TD3Config:
        """The inverse of :meth:`to_dict`. Raises ConfigError, also for unknown and missing keys, by name.

        ``channels_last`` may be missing, as in configs from before there was this field.
        """
        if isinstance(data, Mapping):
            data = {"channels_last": False, **data}
        values = checked_fields(cls, data)
        for name in ("actor_cnn", "critic_cnn"):
            if values[name] is not None:
                values[name] = CNNConfig.from_dict(values[name])
        for name in ("actor_optimizer", "critic_optimizer", "actor_cnn_optimizer", "critic_cnn_optimizer"):
            if values[name] is not None:
                values[name] = OptimizerConfig.from_dict(values[name])
        return cls(**values)

    @classmethod
    def tiny(cls, observation: str = "dict", **overrides: Any) -> TD3Config:
        """An agent for tests that trains in milliseconds; ``observation`` is dict, image or vector."""
        if observation not in ("dict", "image", "vector"):
            raise ConfigError(
                f"observation = {quoted(observation)} is not allowed: it must be 'dict', 'image' or 'vector'"
            )
        values: dict[str, Any] = {"action_size": 2, "actor_hidden": (16,), "critic_hidden": (16,)}
        if observation != "vector":
            cnn = CNNConfig((ConvLayer(4, 3, stride=2), ConvLayer(4, 3)), features=8)
            values |= {"image_shape": (3, 12, 12), "actor_cnn": cnn, "critic_cnn": cnn}
            values |= {"actor_cnn_optimizer": OptimizerConfig(), "critic_cnn_optimizer": OptimizerConfig()}
        if observation != "image":
            values["vector_size"] = 5
        return cls(**{**values, **overrides})

    @classmethod
    def nature(cls, **overrides: Any) -> TD3Config:
        """Four stacked 84x84 images through the CNN of Mnih et al. (2015), and a vector of 53 values.

        Laid out and optimized in the way that is fastest.
        """
        layers = (ConvLayer(32, 8, stride=4), ConvLayer(64, 4, stride=2), ConvLayer(64, 3))
        cnn = CNNConfig(layers, features=512)
        values: dict[str, Any] = {"image_shape": (4, 84, 84), "vector_size": 53, "action_size": 3}
        values["channels_last"] = True
        values |= {
            "actor_cnn": cnn,
            "critic_cnn": cnn,
            "actor_hidden": (256, 256),
            "critic_hidden": (256, 256),
        }
        optimizer = OptimizerConfig("Adam", {"lr": 3e-4, "fused": True})
        for name in ("actor_optimizer", "critic_optimizer", "actor_cnn_optimizer", "critic_cnn_optimizer"):
            values[name] = optimizer
        return cls(**{**values, **overrides})


def image_sizes(cnn: CNNConfig, image_shape: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    """(channels, height, width) behind each convolution. Raises ConfigError where a kernel does not fit."""
    shape, shapes = image_shape, []
    for index, layer in enumerate(cnn.layers):
        height, width = layer.output_size(shape[1]), layer.output_size(shape[2])
        if height < 1 or width < 1:
            raise ConfigError(
                f"CNNConfig.layers[{index}] = {layer!r} is not allowed: its kernel must fit into the padded "
                f"image, and {shape[1]}x{shape[2]} pixels reach it"
            )
        shape = (layer.out_channels, height, width)
        shapes.append(shape)
    return shapes

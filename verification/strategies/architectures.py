# SPDX-License-Identifier: MIT
"""Network architectures: convolutional stacks that fit their image by construction, and MLPs."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from verification.strategies import bounds
from verification.strategies.config import CNN, Conv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gymnasium.spaces import Box
    from hypothesis.strategies import DrawFn, SearchStrategy

ACTIVATIONS = ("relu", "tanh", "elu", "gelu", "leaky_relu", "silu")
NORMALIZATIONS = (None, "batch", "layer", "group", "cumulative_batch")
DILATIONS = (1, 2)
CONV_GROUPS = (1, 2, 3)
POOLINGS = (None, "max", "avg")

# A layer leaves at least 2x2 pixels: normalised over a single pixel every value would be constant, the
# gradients before it zero, and a lost CNN invisible.
_SMALLEST_OUTPUT = 2
# Larger images are strided down to about this many pixels, so that the linear layer behind stays small.
_LARGEST_OUTPUT = 12


def cnns(
    image_space: Box,
    *,
    conv_depths: Sequence[int] = (1, 2),
    conv_channels: Sequence[int] = range(2, 7),
    features: Sequence[int] = range(4, 9),
    activations: Sequence[str] = ACTIVATIONS,
    normalizations: Sequence[str | None] = NORMALIZATIONS,
    dilations: Sequence[int] = DILATIONS,
    conv_groups: Sequence[int] = CONV_GROUPS,
    poolings: Sequence[str | None] = POOLINGS,
) -> SearchStrategy[CNN]:
    """Draw convolutional stacks that accept the images of ``image_space``.

    Every layer fits what the layer before it leaves; at least 2x2 pixels remain. Layers before a group
    normalisation have an even number of channels, so that two groups divide them.

    Args:
        image_space: A ``Box`` of shape ``(channels, height, width)``, at least 2x2 pixels.
        conv_depths: Allowed numbers of convolutions.
        conv_channels: Allowed numbers of output channels of a convolution.
        features: Allowed numbers of values that the linear layer behind the convolutions returns.
        activations: Names of activations: ``relu``, ``tanh``, ``elu``, ``gelu``, ``leaky_relu``, ``silu``.
        normalizations: ``batch``, ``layer``, ``group``, ``cumulative_batch``, or ``None`` for none.
        dilations: Allowed distances of a kernel's pixels; 1 where the image is too small for another.
        conv_groups: Allowed numbers of groups of a convolution; 1 where it does not divide the channels.
        poolings: ``max``, ``avg``, or ``None`` for none; none where fewer than 4x4 pixels are left.

    Raises:
        TypeError: A bound is a single value instead of a sequence.
        ValueError: A bound is empty or holds a value that is not allowed, or the space holds no images.

    Example:
        >>> cnns(Box(0, 255, (3, 8, 8), np.uint8), normalizations=(None, "batch"))
    """
    shape = image_space.shape
    if len(shape) != 3 or min(shape[1:]) < _SMALLEST_OUTPUT:
        raise ValueError(
            f"image_space has shape {shape}; it must be (channels, height, width), at least 2x2 pixels"
        )
    channels = bounds.integers("conv_channels", conv_channels, minimum=1)
    kinds = bounds.choices("normalizations", normalizations, allowed=NORMALIZATIONS)
    if "group" in kinds and not any(number % 2 == 0 for number in channels):
        raise ValueError(f"conv_channels is {channels}; normalization 'group' needs an even number in it")
    return _cnns(
        channels_in=shape[0],
        size=min(shape[1:]),
        depths=bounds.integers("conv_depths", conv_depths, minimum=1),
        channels=channels,
        features=bounds.integers("features", features, minimum=1),
        activations=bounds.choices("activations", activations, allowed=ACTIVATIONS),
        normalizations=kinds,
        extras=_extras(
            dilations=bounds.integers("dilations", dilations, minimum=1),
            conv_groups=bounds.integers("conv_groups", conv_groups, minimum=1),
            poolings=bounds.choices("poolings", poolings, allowed=POOLINGS),
        ),
    )


@bounds.cached
def hidden_layers(
    *, hidden_depths: Sequence[int] = (1, 2), hidden_sizes: Sequence[int] = range(4, 9)
) -> SearchStrategy[tuple[int, ...]]:
    """Draw the widths of the hidden layers of an MLP, first layer first.

    Args:
        hidden_depths: Allowed numbers of hidden layers.
        hidden_sizes: Allowed widths of a hidden layer.

    Raises:
        TypeError: A bound is a single value instead of a sequence.
        ValueError: A bound is empty or holds a value that is not allowed.

    Example:
        >>> hidden_layers(hidden_depths=(2,), hidden_sizes=(256,))
    """
    depths = bounds.integers("hidden_depths", hidden_depths, minimum=1)
    width = st.sampled_from(bounds.integers("hidden_sizes", hidden_sizes, minimum=1))
    return _hidden_layers(depths, width)


@st.composite
def _hidden_layers(draw: DrawFn, depths: tuple[int, ...], width: SearchStrategy[int]) -> tuple[int, ...]:
    depth = draw(st.sampled_from(depths))
    # All networks draw equally many layers, used or not, so that what is drawn behind them stays the same
    # while Hypothesis changes their depth. The same goes for convolutions.
    return tuple(draw(width) for _ in range(max(depths)))[:depth]


@st.composite
def _cnns(
    draw: DrawFn,
    *,
    channels_in: int,
    size: int,
    depths: tuple[int, ...],
    channels: tuple[int, ...],
    features: tuple[int, ...],
    activations: tuple[str, ...],
    normalizations: tuple[str | None, ...],
    extras: SearchStrategy[tuple[int, int, str | None]],
) -> CNN:
    normalization = draw(st.sampled_from(normalizations))
    if normalization == "group":
        channels = tuple(number for number in channels if number % 2 == 0)
    depth = draw(st.sampled_from(depths))
    unusual = draw(extras)  # once for all layers, so that one layer is enough to show what is unusual
    layers = []
    for _ in range(max(depths)):
        layer = _with_extras(draw(_convs(size, channels)), (channels_in, size), unusual)
        channels_in, size = layer.out_channels, _output(layer, size)
        layers.append(layer)
    return CNN(
        layers=tuple(layers[:depth]),
        features=draw(st.sampled_from(features)),
        activation=draw(st.sampled_from(activations)),
        normalization=normalization,
    )


@st.composite
def _convs(draw: DrawFn, size: int, channels: tuple[int, ...]) -> Conv:
    """One convolution of an image whose shorter side has ``size`` pixels (at least 2)."""
    slowest = 1 + (size - 1) // _LARGEST_OUTPUT
    padding = draw(st.integers(0, 1))
    padded = size + 2 * padding
    # A stride of at most padded - kernel leaves two pixels; one of at most kernel skips no pixel.
    kernel = draw(st.integers(max(padding + 1, slowest), min(max(4, slowest), padded - slowest)))
    stride = draw(st.integers(slowest, min(kernel, padded - kernel)))
    return Conv(draw(st.sampled_from(channels)), kernel, stride, padding)


@functools.lru_cache(maxsize=64)
def _extras(
    dilations: tuple[int, ...], conv_groups: tuple[int, ...], poolings: tuple[str | None, ...]
) -> SearchStrategy[tuple[int, int, str | None]]:
    return st.tuples(st.sampled_from(dilations), st.sampled_from(conv_groups), st.sampled_from(poolings))


def _with_extras(layer: Conv, image: tuple[int, int], extras: tuple[int, int, str | None]) -> Conv:
    """The layer with what of this fits the image; drawn in any case, like everything in a config."""
    (channels_in, size), (dilation, groups, pool) = image, extras
    if not channels_in % groups and not layer.out_channels % groups:
        layer = replace(layer, groups=groups)
    if _output(replace(layer, dilation=dilation), size) >= _SMALLEST_OUTPUT:
        layer = replace(layer, dilation=dilation)
    if pool and _output(replace(layer, pool=pool), size) >= _SMALLEST_OUTPUT:
        layer = replace(layer, pool=pool)
    return layer


def _output(layer: Conv, size: int) -> int:
    """Pixels out along an axis with ``size`` pixels in."""
    kernel = 1 + layer.dilation * (layer.kernel_size - 1)
    pixels = (size + 2 * layer.padding - kernel) // layer.stride + 1
    return pixels // 2 if layer.pool else pixels

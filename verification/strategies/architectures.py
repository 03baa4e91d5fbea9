# SPDX-License-Identifier: MIT
"""Network architectures: convolutional stacks that fit their image by construction, and MLPs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from verification.strategies import bounds
from verification.strategies.config import CNN, Conv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gymnasium.spaces import Box
    from hypothesis.strategies import DrawFn, SearchStrategy

ACTIVATIONS = ("relu", "tanh")
NORMALIZATIONS = (None, "batch", "layer", "group")

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
) -> SearchStrategy[CNN]:
    """Draw convolutional stacks that accept the images of ``image_space``.

    Every layer fits what the layer before it leaves; at least 2x2 pixels remain. Layers before a group
    normalisation have an even number of channels, so that two groups divide them.

    Args:
        image_space: A ``Box`` of shape ``(channels, height, width)``, at least 2x2 pixels.
        conv_depths: Allowed numbers of convolutions.
        conv_channels: Allowed numbers of output channels of a convolution.
        features: Allowed numbers of values that the linear layer behind the convolutions returns.
        activations: Names of activations, ``relu`` and ``tanh``.
        normalizations: ``batch``, ``layer``, ``group``, or ``None`` for none.

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
        size=min(shape[1:]),
        depths=bounds.integers("conv_depths", conv_depths, minimum=1),
        channels=channels,
        features=bounds.integers("features", features, minimum=1),
        activations=bounds.choices("activations", activations, allowed=ACTIVATIONS),
        normalizations=kinds,
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
    size: int,
    depths: tuple[int, ...],
    channels: tuple[int, ...],
    features: tuple[int, ...],
    activations: tuple[str, ...],
    normalizations: tuple[str | None, ...],
) -> CNN:
    normalization = draw(st.sampled_from(normalizations))
    if normalization == "group":
        channels = tuple(number for number in channels if number % 2 == 0)
    depth = draw(st.sampled_from(depths))
    layers = []
    for _ in range(max(depths)):
        layer = draw(_convs(size, channels))
        size = (size + 2 * layer.padding - layer.kernel_size) // layer.stride + 1
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

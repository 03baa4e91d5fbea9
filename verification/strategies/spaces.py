# SPDX-License-Identifier: MIT
"""Observation and action spaces, small enough that one training step takes milliseconds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from hypothesis import strategies as st

from verification.strategies import bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

OBSERVATION_KINDS = ("vector", "image", "dict")
IMAGE_DTYPES = ("uint8", "float32")

# Symmetric limits of the values of a vector; most libraries treat an unbounded space in a way of its own.
_VECTOR_LIMITS = (1.0, 5.0, math.inf)


@bounds.cached
def observation_spaces(
    *,
    observation_kinds: Sequence[str] = OBSERVATION_KINDS,
    vector_sizes: Sequence[int] = range(1, 6),
    image_sizes: Sequence[int] = range(6, 13),
    image_channels: Sequence[int] = (1, 2, 3),
    image_dtypes: Sequence[str] = IMAGE_DTYPES,
) -> SearchStrategy[spaces.Space[Any]]:
    """Draw Gymnasium observation spaces of three kinds.

    - ``vector``: a float32 ``Box`` of shape ``(size,)``, bounded or not;
    - ``image``: a ``Box`` of shape ``(channels, height, width)``, uint8 from 0 to 255 or float32 from 0 to 1;
    - ``dict``: a ``Dict`` with both, under the keys ``image`` and ``vector``.

    Args:
        observation_kinds: The kinds to draw from.
        vector_sizes: Allowed numbers of values of a vector.
        image_sizes: Allowed heights and widths in pixels, at least 2; images need not be square.
        image_channels: Allowed numbers of channels.
        image_dtypes: Allowed types of a pixel, ``uint8`` and ``float32``.

    Raises:
        TypeError: A bound is a single value instead of a sequence.
        ValueError: A bound is empty or holds a value that is not allowed.

    Example:
        >>> observation_spaces(observation_kinds=("image",), image_sizes=(8,), image_channels=(3,))
    """
    kinds = bounds.choices("observation_kinds", observation_kinds, allowed=OBSERVATION_KINDS)
    return _observation_spaces(
        kinds=st.sampled_from(kinds),
        vector_sizes=st.sampled_from(bounds.integers("vector_sizes", vector_sizes, minimum=1)),
        channels=st.sampled_from(bounds.integers("image_channels", image_channels, minimum=1)),
        sides=st.sampled_from(bounds.integers("image_sizes", image_sizes, minimum=2)),
        dtypes=st.sampled_from(bounds.choices("image_dtypes", image_dtypes, allowed=IMAGE_DTYPES)),
    )


@bounds.cached
def action_spaces(
    *, action_sizes: Sequence[int] = (1, 2, 3), max_actions: Sequence[float] = (1.0, 2.0, 0.5)
) -> SearchStrategy[spaces.Box]:
    """Draw float32 ``Box`` action spaces from ``-max_action`` to ``max_action``.

    Args:
        action_sizes: Allowed numbers of action dimensions.
        max_actions: Allowed bounds of an action, the same in every dimension of a space.

    Raises:
        TypeError: A bound is a single value instead of a sequence.
        ValueError: A bound is empty or holds a value that is not allowed.

    Example:
        >>> action_spaces(action_sizes=(2,), max_actions=(1.0,))
    """
    limits = tuple(max_actions)
    if not limits or not all(0.0 < limit < math.inf for limit in limits):
        raise ValueError(f"max_actions is {limits!r}; it must hold positive, finite numbers")
    sizes = bounds.integers("action_sizes", action_sizes, minimum=1)
    return _action_spaces(st.sampled_from(sizes), st.sampled_from(limits))


@st.composite
def _observation_spaces(
    draw: DrawFn,
    *,
    kinds: SearchStrategy[str],
    vector_sizes: SearchStrategy[int],
    channels: SearchStrategy[int],
    sides: SearchStrategy[int],
    dtypes: SearchStrategy[str],
) -> spaces.Space[Any]:
    # Both parts are drawn, used or not, so that what is drawn behind them stays the same while Hypothesis
    # changes the kind.
    kind = draw(kinds)
    vector = _vector_space(draw(vector_sizes), draw(st.sampled_from(_VECTOR_LIMITS)))
    image = _image_space((draw(channels), draw(sides), draw(sides)), draw(dtypes))
    if kind == "dict":
        return spaces.Dict({"image": image, "vector": vector})
    return image if kind == "image" else vector


@st.composite
def _action_spaces(draw: DrawFn, sizes: SearchStrategy[int], limits: SearchStrategy[float]) -> spaces.Box:
    return _vector_space(draw(sizes), draw(limits))


def _vector_space(size: int, limit: float) -> spaces.Box:
    return spaces.Box(-limit, limit, (size,), np.float32)


def _image_space(shape: tuple[int, int, int], dtype: str) -> spaces.Box:
    if dtype == "uint8":
        return spaces.Box(0, 255, shape, np.uint8)
    return spaces.Box(0.0, 1.0, shape, np.float32)

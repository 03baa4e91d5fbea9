# SPDX-License-Identifier: MIT
"""Arrays of a space: noise from a drawn seed, with a few drawn elements on the edge of what is allowed.

Drawing every element by itself would be slow, and mostly zeros: equal images and dead units have no
gradients, and what has no gradient hides bugs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from gymnasium import spaces
from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

# A bound this far out stands for none: training on such values would overflow within a few steps.
_UNBOUNDED = 1e6
# How far from zero, or from the only bound there is, the values of an unbounded element go.
_REACH = 3.0
# Three arrays, places in them and edge values, each modulo how many there are: making a strategy for every
# array would cost more than drawing from it. Edge value 0 leaves the array as it is.
_PLACES = st.tuples(*[st.tuples(st.integers(0, 7), st.integers(0, 2**12 - 1), st.integers(0, 30))] * 3)

#: An array, and its edge values: ``edges[i]`` holds one for each element of the space, because bounds may
#: differ by element.
Filled: TypeAlias = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def observations(space: spaces.Space[Any]) -> SearchStrategy[Any]:
    """Draw one observation: an array of a ``Box`` space, or a dict of arrays of a ``Dict`` space.

    Every value is finite and within its bounds. Some elements lie exactly on a bound (black and white
    pixels), or are 0.0, -0.0 or the smallest subnormal of either sign. A missing bound counts as 3, so
    that values stay of the size that networks are trained on.

    Args:
        space: A ``Box`` of floats or integers, or a ``Dict`` of such spaces.

    Raises:
        ValueError: The space is of another kind.

    Example:
        >>> observations(gymnasium.spaces.Box(0, 255, (3, 8, 8), np.uint8))
    """
    return _observations(source(space))


@dataclass(frozen=True)
class Noise:
    """A generator, and whether arrays are filled with values between the bounds or with edge values."""

    rng: np.random.Generator
    edges: bool


#: The simplest noise has seed 0 and lies between the bounds.
NOISES = st.builds(Noise, st.integers(0, 2**16 - 1).map(np.random.default_rng), st.booleans())


class BoxSource:
    """Fills arrays of a ``Box``: uniform noise between its bounds, or its edge values."""

    def __init__(self, box: spaces.Box) -> None:
        low: np.ndarray[Any, Any] = box.low
        high: np.ndarray[Any, Any] = box.high
        edges: tuple[float, ...] = (0,)
        if low.dtype.kind == "f":
            low, high = _window(low, high)
            tiny = float(np.finfo(low.dtype).smallest_subnormal)
            edges = (0.0, -0.0, tiny, -tiny)
        elif low.dtype.kind not in "iu":
            raise ValueError(f"cannot draw values of {box!r}; its dtype must be of floats or integers")
        self._low, self._high = low, high
        self._edges = np.stack([low, high, *(self._clipped(np.full_like(low, edge)) for edge in edges)])

    def fill(self, noise: Noise, *, batch: tuple[int, ...], filled: list[Filled]) -> Any:
        """An array of shape ``batch + box.shape``; ``filled`` gets it, too, with its edge values."""
        shape = (*batch, *self._low.shape)
        if noise.edges:
            values = np.choose(noise.rng.integers(len(self._edges), size=shape), list(self._edges))
        elif self._low.dtype.kind == "f":
            between = self._low + (self._high - self._low) * noise.rng.random(shape)
            values = self._clipped(between.astype(self._low.dtype))
        else:
            values = noise.rng.integers(self._low, self._high, shape, self._low.dtype, endpoint=True)
        array = np.asarray(values)  # a space without dimensions gives a scalar
        filled.append((array, self._edges))
        return array

    def _clipped(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        # Not np.clip, which may turn -0.0 into a bound of 0.0.
        return np.where(array < self._low, self._low, np.where(array > self._high, self._high, array))


class DictSource:
    """Fills a dict of arrays, in the order of its space."""

    def __init__(self, space: spaces.Dict) -> None:
        self._sources = {key: source(part) for key, part in space.spaces.items()}

    def fill(self, noise: Noise, *, batch: tuple[int, ...], filled: list[Filled]) -> Any:
        """A dict of arrays, each of shape ``batch + its space's shape``; ``filled`` gets them, too."""
        return {key: part.fill(noise, batch=batch, filled=filled) for key, part in self._sources.items()}


def source(space: spaces.Space[Any]) -> BoxSource | DictSource:
    """What fills arrays of ``space``.

    Raises:
        ValueError: The space is neither a ``Box`` nor a ``Dict`` of them.
    """
    if isinstance(space, spaces.Box):
        return BoxSource(space)
    if isinstance(space, spaces.Dict):
        return DictSource(space)
    raise ValueError(f"cannot draw values of {space!r}; it must be a Box, or a Dict of Box spaces")


def overwrite(draw: DrawFn, filled: list[Filled]) -> None:
    """Put a few drawn edge values at drawn places of drawn arrays, in place."""
    for which, number, edge in draw(_PLACES):
        if edge:
            array, edges = filled[which % len(filled)]
            columns = edges.reshape(len(edges), -1)
            place = number % array.size
            array.flat[place] = columns[(edge - 1) % len(edges), place % columns.shape[1]]


@st.composite
def _observations(draw: DrawFn, values: BoxSource | DictSource) -> Any:
    filled: list[Filled] = []
    observation = values.fill(draw(NOISES), batch=(), filled=filled)
    overwrite(draw, filled)
    return observation


def _window(low: np.ndarray[Any, Any], high: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """``low`` and ``high`` with missing bounds replaced by finite ones."""
    open_below, open_above = low < -_UNBOUNDED, high > _UNBOUNDED
    reach = low.dtype.type(_REACH)
    zero = np.zeros_like(low)
    window_low = np.where(open_below, np.where(open_above, zero, high) - reach, low)
    window_high = np.where(open_above, np.where(open_below, zero, low) + reach, high)
    return window_low, window_high

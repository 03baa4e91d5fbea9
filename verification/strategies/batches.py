# SPDX-License-Identifier: MIT
"""Batches of transitions: the input of one off-policy training step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from verification.strategies import arrays, bounds
from verification.strategies.config import Transitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gymnasium import spaces
    from hypothesis.strategies import DrawFn, SearchStrategy

_REWARD_EDGES = np.array([[0.0], [-0.0], [1.0], [-1.0], [1e3], [-1e3]], np.float32)
_TERMINATED_EDGES = np.array([[0.0], [1.0]], np.float32)


def transition_batches(
    observation_space: spaces.Space[Any],
    action_space: spaces.Box,
    *,
    batch_sizes: Sequence[int] = range(2, 7),
) -> SearchStrategy[Transitions]:
    """Draw batches of transitions between observations of a space.

    Observations and actions are noise within their bounds, with some elements exactly on them (see
    :func:`observations`). Rewards are normal noise with some 0.0, -0.0, ±1 and ±1000; about one transition
    in four is terminal, the first more rarely.

    Args:
        observation_space: A ``Box`` of floats or integers, or a ``Dict`` of such spaces.
        action_space: A ``Box``. Discrete actions are one of integers: ``Box(0, n - 1, (1,), np.int64)``.
        batch_sizes: Allowed numbers of transitions. Batch normalisation needs at least 2.

    Returns:
        A strategy of :class:`Transitions`. Observations have the shape ``(batch, *observation_space.shape)``,
        or are a dict of such arrays; actions ``(batch, *action_space.shape)``; both have their space's dtype.

    Raises:
        TypeError: ``batch_sizes`` is a single number instead of a sequence.
        ValueError: ``batch_sizes`` is empty or has a number below 1, or a space is of another kind.

    Example:
        >>> transition_batches(env.observation_space, env.action_space, batch_sizes=(32,))
    """
    return _transition_batches(
        arrays.source(observation_space),
        arrays.source(action_space),
        bounds.integers("batch_sizes", batch_sizes, minimum=1),
    )


@st.composite
def _transition_batches(
    draw: DrawFn,
    observations: arrays.BoxSource | arrays.DictSource,
    actions: arrays.BoxSource | arrays.DictSource,
    batch_sizes: tuple[int, ...],
) -> Transitions:
    size = draw(st.sampled_from(batch_sizes))
    noise = draw(arrays.NOISES)
    reward = noise.rng.standard_normal((size, 1)).astype(np.float32)
    terminated = (noise.rng.random((size, 1)) < 0.25).astype(np.float32)
    terminated[0] = 0.0  # where every transition is terminal, the targets do not matter
    filled: list[arrays.Filled] = [(reward, _REWARD_EDGES), (terminated, _TERMINATED_EDGES)]
    transitions = Transitions(
        observation=observations.fill(noise, batch=(size,), filled=filled),
        action=actions.fill(noise, batch=(size,), filled=filled),
        reward=reward,
        next_observation=observations.fill(noise, batch=(size,), filled=filled),
        terminated=terminated,
    )
    arrays.overwrite(draw, filled)
    return transitions

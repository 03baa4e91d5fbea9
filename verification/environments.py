# SPDX-License-Identifier: MIT
"""A toy environment for closed-loop checks: any observation space, a few steps per episode."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium as gym
import numpy as np

#: Size of the hidden state that carries the past of an episode into its future.
_HIDDEN = 3
_ACTIONS = (gym.spaces.Box, gym.spaces.Discrete, gym.spaces.MultiDiscrete, gym.spaces.MultiBinary)


class ToyEnv(gym.Env[Any, Any]):
    """An environment whose every number depends on its generator, its past and the actions taken.

    Nothing is to be learned here. A run is meant to go apart, visibly and soon, as soon as one random
    number or one bit of an action differs. All randomness comes from ``np_random``: restoring that
    generator as it was before ``reset`` and taking the same actions repeats the episode bit for bit.

    Episodes last between 2 and ``max_steps`` steps, drawn at reset; half of them terminate, the other
    half are truncated. The environment copies its spaces, because sampling from a space advances a
    generator inside the space, which two environments must not share.

    Args:
        observation_space: A Box of any shape and dtype, or a Dict of such boxes, nested or not.
        action_space: A Box of any shape and dtype, or a Discrete, MultiDiscrete or MultiBinary.
        max_steps: Length of the longest episode, at least 2.

    Raises:
        TypeError: If a space is of another kind.
        ValueError: If ``max_steps`` is below 2.
    """

    def __init__(
        self, observation_space: gym.Space[Any], action_space: gym.Space[Any], *, max_steps: int = 6
    ) -> None:
        if not isinstance(action_space, _ACTIONS):
            kinds = ", ".join(kind.__name__ for kind in _ACTIONS)
            raise TypeError(f"action_space must be one of {kinds}, not {action_space}")
        _require_boxes(observation_space)
        if max_steps < 2:
            raise ValueError(f"max_steps must be at least 2, not {max_steps}")
        self.observation_space: gym.Space[Any] = copy.deepcopy(observation_space)
        self.action_space: gym.Space[Any] = copy.deepcopy(action_space)
        self.max_steps = max_steps
        self._hidden = np.zeros(_HIDDEN)
        self._step = 0
        self._length = 0
        self._ends_by_truncation = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Draw the length and the end of an episode and its first observation."""
        super().reset(seed=seed, options=options)
        self._hidden = self.np_random.random(_HIDDEN)
        self._step = 0
        self._length = int(self.np_random.integers(2, self.max_steps + 1))
        self._ends_by_truncation = bool(self.np_random.integers(2))
        return self._observe(self.observation_space), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Mix the action into the hidden state; observation and reward follow from that and from chance."""
        push = np.sin(np.arange(1, np.size(action) + 1) * np.ravel(action).astype(np.float64))
        kick = self.np_random.random(_HIDDEN)
        self._hidden = np.sin(3.0 * self._hidden + push.sum() + kick)
        self._step += 1
        ended = self._step >= self._length
        reward = float(self._hidden.mean() + push.mean())
        terminated, truncated = ended and not self._ends_by_truncation, ended and self._ends_by_truncation
        return self._observe(self.observation_space), reward, terminated, truncated, {}

    def capture(self) -> dict[str, Any]:
        """The episode in progress as plain data."""
        return {
            "generator": self.np_random.bit_generator.state,
            "seed": self.np_random_seed,
            "hidden": self._hidden.tolist(),
            "step": self._step,
            "length": self._length,
            "ends_by_truncation": self._ends_by_truncation,
        }

    def restore(self, contents: dict[str, Any]) -> None:
        """Go on with the episode that was captured."""
        self.np_random.bit_generator.state = contents["generator"]
        self._np_random_seed = contents["seed"]
        self._hidden = np.array(contents["hidden"])
        self._step = contents["step"]
        self._length = contents["length"]
        self._ends_by_truncation = contents["ends_by_truncation"]

    def _observe(self, space: gym.Space[Any]) -> Any:
        if isinstance(space, gym.spaces.Dict):
            return {key: self._observe(subspace) for key, subspace in space.spaces.items()}
        assert isinstance(space, gym.spaces.Box)
        low, high = _finite_bounds(space)
        # The fraction of a sum keeps the values spread evenly, whatever the hidden state is.
        unit = (self.np_random.random(space.shape) + self._hidden.sum()) % 1.0
        if np.issubdtype(space.dtype, np.integer):
            return np.floor(low + unit * (high - low + 1)).clip(low, high).astype(space.dtype)
        # Rounding to a narrower dtype must not step over a bound.
        return (low + unit * (high - low)).astype(space.dtype).clip(space.low, space.high)


def _finite_bounds(space: gym.spaces.Box) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The box's bounds in float64, with a range of two where it has none."""
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    bottom = np.where(np.isfinite(low), low, np.where(np.isfinite(high), high - 2.0, -1.0))
    return bottom, np.where(np.isfinite(high), high, bottom + 2.0)


def _require_boxes(space: gym.Space[Any]) -> None:
    if isinstance(space, gym.spaces.Dict):
        for subspace in space.spaces.values():
            _require_boxes(subspace)
    elif not isinstance(space, gym.spaces.Box):
        raise TypeError(f"observation_space must be a Box or a Dict of boxes, not {space}")

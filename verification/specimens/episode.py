# SPDX-License-Identifier: MIT
"""A running episode of a toy environment, which can be captured in its middle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from verification.environments import ToyEnv

if TYPE_CHECKING:
    import gymnasium as gym
    import numpy as np


class Episode:
    """The environment, the generator of its action space, and the observation to act on next.

    Args:
        observation_space: a float32 Box.
        action_space: a Box.
        seed: of the environment and of its action space.
    """

    def __init__(self, observation_space: gym.spaces.Box, action_space: gym.spaces.Box, seed: int) -> None:
        self.env: ToyEnv = ToyEnv(observation_space, action_space)
        self.env.action_space.seed(seed)
        self.observation: np.ndarray[Any, Any] = self.env.reset(seed=seed)[0]
        self.total_reward: float = 0.0

    def step(self, action: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], float, bool, float | None]:
        """Act once, and begin a new episode where this one ends.

        Returns:
            The observation that followed, the reward, whether the episode terminated, and its total
            reward if it is over.
        """
        following, reward, terminated, truncated, _ = self.env.step(action)
        self.observation = following
        self.total_reward += reward
        total = None
        if terminated or truncated:
            total = self.total_reward
            self.observation = self.env.reset()[0]
            self.total_reward = 0.0
        return following, reward, terminated, total

    def sample(self) -> np.ndarray[Any, Any]:
        """A random action from the action space's own generator."""
        action: np.ndarray[Any, Any] = self.env.action_space.sample()
        return action

    def capture(self) -> dict[str, Any]:
        """The place in the episode, as plain data."""
        return {
            "env": self.env.capture(),
            "action_generator": self.env.action_space.np_random.bit_generator.state,
            "observation": torch.tensor(self.observation),
            "total_reward": self.total_reward,
        }

    def restore(self, contents: dict[str, Any]) -> None:
        """Go on from a captured place."""
        self.env.restore(contents["env"])
        self.env.action_space.np_random.bit_generator.state = contents["action_generator"]
        self.observation = contents["observation"].numpy().copy()
        self.total_reward = contents["total_reward"]

# SPDX-License-Identifier: MIT
"""One drawn description of an agent, in terms that every actor-critic library shares.

Adapters translate an :class:`AgentConfig` into what their library's constructor takes; what a library
cannot express, its adapter leaves out or forbids through the bounds of ``agent_configs``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import gymnasium as gym
    import numpy as np


@dataclass(frozen=True)
class Conv:
    """One convolution with square kernel: channels out, and kernel, stride and padding in pixels."""

    out_channels: int
    kernel_size: int
    stride: int = 1
    padding: int = 0


@dataclass(frozen=True)
class CNN:
    """A convolutional stack with a linear layer to ``features`` values behind it.

    ``activation`` is ``relu`` or ``tanh``; it follows each convolution, behind its normalisation, and the
    linear layer. ``group`` normalisation uses any number of groups that divides the channels.
    """

    layers: tuple[Conv, ...]
    features: int
    activation: str = "relu"
    normalization: str | None = None  # "batch", "layer", "group" or None


@dataclass(frozen=True)
class OptimizerSpec:
    """A class of ``torch.optim`` by name, with its keyword arguments (``lr`` among them)."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ScheduleSpec:
    """A class of ``torch.optim.lr_scheduler`` by name, with its keyword arguments."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AgentConfig:
    """Spaces, architecture, optimizers and hyper-parameters of a TD3-like agent.

    Images are channel-first, uint8 or float32; a dict observation has the keys ``image`` and
    ``vector``. Where there is no image, the CNNs and their optimizers are ``None``.
    """

    observation_space: gym.Space[Any]
    action_space: gym.spaces.Box
    actor_hidden: tuple[int, ...]
    critic_hidden: tuple[int, ...]
    actor_cnn: CNN | None
    critic_cnn: CNN | None
    actor_optimizer: OptimizerSpec
    critic_optimizer: OptimizerSpec
    actor_cnn_optimizer: OptimizerSpec | None
    critic_cnn_optimizer: OptimizerSpec | None
    schedule: ScheduleSpec | None = None  # every optimizer gets a scheduler of its own
    discount: float = 0.99
    tau: float = 0.005
    policy_noise: float = 0.2
    noise_clip: float = 0.5
    policy_freq: int = 2
    exploration_noise: float = 0.1

    @property
    def observation_kind(self) -> str:
        """``image``, ``vector`` or ``dict``."""
        if hasattr(self.observation_space, "spaces"):
            return "dict"
        return "image" if len(self.observation_space.shape or ()) == 3 else "vector"


@dataclass(frozen=True, eq=False)  # arrays have no single truth value to compare by
class Transitions:
    """A batch of transitions, the input of one off-policy training step; every array is batch-first.

    ``observation`` and ``next_observation`` are arrays, or dicts of arrays for a dict space; ``action``
    is ``(batch, action_size)``; ``reward`` and ``terminated`` are ``(batch, 1)`` float32, the latter 0 or 1.
    """

    observation: Any
    action: np.ndarray[Any, Any]
    reward: np.ndarray[Any, Any]
    next_observation: Any
    terminated: np.ndarray[Any, Any]

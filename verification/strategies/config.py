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
    """One convolution with square kernel: channels out, and kernel, stride, padding and dilation in pixels.

    ``groups`` divides the channels in and out. ``pool`` is ``max`` or ``avg``, over 2x2 pixels behind the
    layer's activation, or ``None``.
    """

    out_channels: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    pool: str | None = None


@dataclass(frozen=True)
class CNN:
    """A convolutional stack with a linear layer to ``features`` values behind it.

    ``activation`` names a function of ``torch.nn.functional``; it follows each convolution, behind its
    normalisation, and the linear layer. ``group`` normalisation uses any number of groups that divides the
    channels; ``cumulative_batch`` is batch normalisation whose running statistics are plain averages
    (``momentum=None``), so that the number of batches counts.
    """

    layers: tuple[Conv, ...]
    features: int
    activation: str = "relu"
    normalization: str | None = None  # "batch", "layer", "group", "cumulative_batch" or None


@dataclass(frozen=True)
class OptimizerSpec:
    """A class of ``torch.optim`` by name, with its keyword arguments (``lr`` among them).

    ``groups`` holds the options in which further parameter groups differ from the first. Parameters are
    dealt out to all groups in turn.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[Mapping[str, Any], ...] = ()


_ADAM = OptimizerSpec("Adam", {"lr": 1e-3})


@dataclass(frozen=True)
class ScheduleSpec:
    """A class of ``torch.optim.lr_scheduler`` by name, with its keyword arguments.

    Schedules that consist of others have :class:`ScheduleSpec` objects under ``schedulers``.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Wave:
    """A factor for ``LambdaLR`` and ``MultiplicativeLR``: ``low``, but 1 in every ``period``-th epoch.

    torch saves the attributes of such an object with the schedule, and writes them back when it loads.
    """

    low: float
    period: int

    def __call__(self, epoch: int) -> float:
        """The factor in an epoch."""
        return self.low if epoch % self.period else 1.0


@dataclass(frozen=True)
class Treatment:
    """What is unusual about an agent's parameters; by default nothing.

    Attributes:
        shared: ``cnn`` if actor and critic have one CNN, ``first_layer`` if their CNNs have the first
            convolution in common.
        frozen: whether the first weight of the critic, or of its CNN, needs no gradient.
        unused: whether the actor has a parameter that never gets a gradient.
        memory: ``channels_last`` for the weights of convolutions; ``transposed`` or ``sliced`` for weights
            of linear layers that are views of a matrix of the other order, or of a larger one.
        dtype: of all parameters: ``float32``, ``float64`` or ``bfloat16``.
    """

    shared: str | None = None
    frozen: bool = False
    unused: bool = False
    memory: str = "contiguous"
    dtype: str = "float32"


@dataclass(frozen=True)
class AgentConfig:
    """Spaces, architecture, optimizers and hyper-parameters of an actor-critic agent with continuous actions.

    It is made for TD3 with separate CNNs. An adapter for DDPG, SAC or another algorithm takes what it needs.
    Images are channel-first, uint8 or float32; a dict observation has the keys ``image`` and
    ``vector``. Where there is no image, the CNNs and their optimizers are ``None``.

    Attributes:
        actor_hidden: widths of the actor's hidden layers, first layer first.
        critic_hidden: the same for each critic.
        schedule: of the learning rate; every optimizer gets a scheduler of its own.
        discount: of the next value, per step.
        tau: the share by which a target moves towards its online network in one update.
        policy_noise: standard deviation of the noise on the target's actions, in units of the largest action.
        noise_clip: the largest such noise, in the same units.
        policy_freq: critic updates for each update of the actor and the targets; 1 for algorithms without
            a delay.
        exploration_noise: standard deviation of the noise on actions while exploring, in the same units.
        frame_stack: how many frames an image is stacked from, oldest first; its channels are theirs together.
        treatment: what is unusual about the parameters.
    """

    observation_space: gym.Space[Any]
    action_space: gym.spaces.Box
    actor_hidden: tuple[int, ...]
    critic_hidden: tuple[int, ...]
    actor_cnn: CNN | None = None
    critic_cnn: CNN | None = None
    actor_optimizer: OptimizerSpec = _ADAM
    critic_optimizer: OptimizerSpec = _ADAM
    actor_cnn_optimizer: OptimizerSpec | None = None
    critic_cnn_optimizer: OptimizerSpec | None = None
    schedule: ScheduleSpec | None = None
    discount: float = 0.99
    tau: float = 0.005
    policy_noise: float = 0.2
    noise_clip: float = 0.5
    policy_freq: int = 2
    exploration_noise: float = 0.1
    frame_stack: int = 1
    treatment: Treatment = Treatment()

    @property
    def observation_kind(self) -> str:
        """``image``, ``vector`` or ``dict``."""
        if hasattr(self.observation_space, "spaces"):
            return "dict"
        return "image" if len(self.observation_space.shape or ()) == 3 else "vector"

    @property
    def observed(self) -> dict[str, gym.spaces.Box]:
        """The space of each part of an observation, under ``image`` and ``vector``."""
        parts = getattr(self.observation_space, "spaces", {self.observation_kind: self.observation_space})
        return dict(parts)


@dataclass(frozen=True, eq=False)  # arrays have no single truth value to compare by
class Transitions:
    """A batch of transitions, the input of one off-policy training step; every array is batch-first.

    ``observation`` and ``next_observation`` are arrays, or dicts of arrays for a dict space; ``action``
    is ``(batch, *action_space.shape)``; ``reward`` and ``terminated`` are ``(batch, 1)`` float32, the latter
    0 or 1.
    """

    observation: Any
    action: np.ndarray[Any, Any]
    reward: np.ndarray[Any, Any]
    next_observation: Any
    terminated: np.ndarray[Any, Any]

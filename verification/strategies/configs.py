# SPDX-License-Identifier: MIT
"""Descriptions of whole agents: spaces, architectures, optimizers, schedules and hyper-parameters."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from hypothesis import event
from hypothesis import strategies as st

from verification.strategies import bounds
from verification.strategies.architectures import ACTIVATIONS, NORMALIZATIONS, cnns, hidden_layers
from verification.strategies.config import CNN, AgentConfig
from verification.strategies.optimizers import OPTIMIZERS, SCHEDULES, optimizer_specs, schedule_specs
from verification.strategies.spaces import IMAGE_DTYPES, OBSERVATION_KINDS, action_spaces, observation_spaces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

    from verification.strategies.config import OptimizerSpec, ScheduleSpec

#: Candidate values of each number, the default of :class:`AgentConfig` first. None switches its
#: ingredient off: a discount of 0 or a tau of 1 would hide that the targets were lost.
NUMBERS: dict[str, tuple[float, ...]] = {
    "discount": (0.99, 0.9, 0.5),
    "tau": (0.005, 0.1, 0.5),
    "policy_noise": (0.2, 0.1, 0.4),
    "noise_clip": (0.5, 0.3, 0.1),
    "exploration_noise": (0.1, 0.2, 0.05),
}
POLICY_FREQS = (1, 2, 3)

_SMALLEST_IMAGE = spaces.Box(0.0, 1.0, (1, 2, 2), np.float32)


@bounds.cached
def agent_configs(
    *,
    observation_kinds: Sequence[str] = OBSERVATION_KINDS,
    vector_sizes: Sequence[int] = range(1, 6),
    image_sizes: Sequence[int] = range(6, 13),
    image_channels: Sequence[int] = (1, 2, 3),
    image_dtypes: Sequence[str] = IMAGE_DTYPES,
    action_sizes: Sequence[int] = (1, 2, 3),
    max_actions: Sequence[float] = (1.0, 2.0, 0.5),
    hidden_depths: Sequence[int] = (1, 2),
    hidden_sizes: Sequence[int] = range(4, 9),
    conv_depths: Sequence[int] = (1, 2),
    conv_channels: Sequence[int] = range(2, 7),
    features: Sequence[int] = range(4, 9),
    activations: Sequence[str] = ACTIVATIONS,
    normalizations: Sequence[str | None] = NORMALIZATIONS,
    equal_cnns: Sequence[bool] = (True, False),
    optimizers: Sequence[str] = OPTIMIZERS,
    equal_optimizers: Sequence[bool] = (True, False),
    schedules: Sequence[str | None] = (None, *SCHEDULES),
    policy_freqs: Sequence[int] = POLICY_FREQS,
) -> SearchStrategy[AgentConfig]:
    """Draw small agents of every kind; all are valid, and simple ones come first when shrinking.

    Every bound is a sequence of allowed values, simplest first. An adapter narrows the bounds to what its
    library can express. Hypothesis statistics count the observation kinds, normalisations, optimizers,
    schedules and policy delays that were drawn.

    Args:
        observation_kinds: ``vector``, ``image`` and ``dict``; see :func:`observation_spaces`.
        vector_sizes: Numbers of values of a vector.
        image_sizes: Heights and widths of an image in pixels, at least 2.
        image_channels: Numbers of channels of an image.
        image_dtypes: ``uint8`` and ``float32``.
        action_sizes: Numbers of action dimensions.
        max_actions: Bounds of an action; see :func:`action_spaces`.
        hidden_depths: Numbers of hidden layers of actor and critic.
        hidden_sizes: Widths of a hidden layer.
        conv_depths: Numbers of convolutions of a CNN; see :func:`cnns`.
        conv_channels: Numbers of output channels of a convolution.
        features: Numbers of values that a CNN returns.
        activations: Names of a CNN's activation, ``relu`` and ``tanh``.
        normalizations: ``batch``, ``layer``, ``group`` and ``None`` for no normalisation in a CNN.
        equal_cnns: Whether actor and critic have the same CNN. A swap of equal CNNs raises no error, so
            they are worth drawing often.
        optimizers: ``Adam``, ``AdamW``, ``SGD`` and ``RMSprop``; see :func:`optimizer_specs`.
        equal_optimizers: Whether all networks have the same optimizer with the same options.
        schedules: ``None`` for none and names of schedules; see :func:`schedule_specs`.
        policy_freqs: Numbers of critic updates for each actor update.

    Raises:
        TypeError: A bound is a single value instead of a sequence.
        ValueError: A bound is empty or holds a value that is not allowed.

    Example:
        >>> agent_configs(observation_kinds=("image",), optimizers=("Adam",), equal_cnns=(True,))
    """

    def cnns_of(image_space: spaces.Box) -> SearchStrategy[CNN]:
        return cnns(
            image_space,
            conv_depths=conv_depths,
            conv_channels=conv_channels,
            features=features,
            activations=activations,
            normalizations=normalizations,
        )

    cnns_of(_SMALLEST_IMAGE)  # checks the bounds now, before anything is drawn
    names = bounds.choices("schedules", schedules, allowed=(None, *SCHEDULES))
    given = [name for name in names if name is not None]
    scheduled = [False, True] if None in names else [True]
    return _agent_configs(
        observations=observation_spaces(
            observation_kinds=observation_kinds,
            vector_sizes=vector_sizes,
            image_sizes=image_sizes,
            image_channels=image_channels,
            image_dtypes=image_dtypes,
        ),
        actions=action_spaces(action_sizes=action_sizes, max_actions=max_actions),
        hidden=hidden_layers(hidden_depths=hidden_depths, hidden_sizes=hidden_sizes),
        cnns_of=cnns_of,
        features=tuple(features),
        equal_cnns=st.sampled_from(bounds.choices("equal_cnns", equal_cnns, allowed=(True, False))),
        optimizers=optimizer_specs(optimizers=optimizers),
        equal_optimizers=st.sampled_from(
            bounds.choices("equal_optimizers", equal_optimizers, allowed=(True, False))
        ),
        scheduled=st.sampled_from(scheduled if given else [False]),
        schedules=schedule_specs(schedules=given or SCHEDULES),
        numbers=st.fixed_dictionaries(
            {
                **{name: st.sampled_from(values) for name, values in NUMBERS.items()},
                "policy_freq": st.sampled_from(bounds.integers("policy_freqs", policy_freqs, minimum=1)),
            }
        ),
    )


@st.composite
def _agent_configs(
    draw: DrawFn,
    *,
    observations: SearchStrategy[spaces.Space[Any]],
    actions: SearchStrategy[spaces.Box],
    hidden: SearchStrategy[tuple[int, ...]],
    cnns_of: Callable[[spaces.Box], SearchStrategy[CNN]],
    features: tuple[int, ...],
    equal_cnns: SearchStrategy[bool],
    optimizers: SearchStrategy[OptimizerSpec],
    equal_optimizers: SearchStrategy[bool],
    scheduled: SearchStrategy[bool],
    schedules: SearchStrategy[ScheduleSpec],
    numbers: SearchStrategy[dict[str, Any]],
) -> AgentConfig:
    # Everything is drawn, used or not. With a fixed number of choices Hypothesis can change one part and keep
    # the others, and none of its attempts ends before the config does.
    observation_space = draw(observations)
    image_space = _image_of(observation_space)
    actor_cnn, other_cnn = (draw(cnns_of(image_space or _SMALLEST_IMAGE)) for _ in range(2))
    critic_cnn = actor_cnn if draw(equal_cnns) else _unlike(actor_cnn, other_cnn, features)
    specs = [draw(optimizers) for _ in range(4)]
    if draw(equal_optimizers):
        specs = specs[:1] * 4
    has_schedule, schedule = draw(scheduled), draw(schedules)
    config = AgentConfig(
        observation_space=observation_space,
        action_space=draw(actions),
        actor_hidden=draw(hidden),
        critic_hidden=draw(hidden),
        actor_cnn=actor_cnn if image_space else None,
        critic_cnn=critic_cnn if image_space else None,
        actor_optimizer=specs[0],
        critic_optimizer=specs[1],
        actor_cnn_optimizer=specs[2] if image_space else None,
        critic_cnn_optimizer=specs[3] if image_space else None,
        schedule=schedule if has_schedule else None,
        **draw(numbers),
    )
    _count(config)
    return config


def _image_of(space: spaces.Space[Any]) -> spaces.Box | None:
    """The image part of an observation space, if it has one."""
    image = space["image"] if isinstance(space, spaces.Dict) else space
    return image if isinstance(image, spaces.Box) and len(image.shape) == 3 else None


def _unlike(cnn: CNN, other: CNN, features: tuple[int, ...]) -> CNN:
    """``other``, made different from ``cnn`` by its number of features where the bounds leave a choice."""
    if other != cnn:
        return other
    return dataclasses.replace(other, features=next((n for n in features if n != cnn.features), cnn.features))


def _count(config: AgentConfig) -> None:
    """Tell Hypothesis statistics what was drawn."""
    event(f"observation kind: {config.observation_kind}")
    event(f"policy_freq: {config.policy_freq}")
    event(f"schedule: {config.schedule.name if config.schedule else None}")
    optimizers = (
        config.actor_optimizer,
        config.critic_optimizer,
        config.actor_cnn_optimizer,
        config.critic_cnn_optimizer,
    )
    for optimizer in optimizers:
        if optimizer is not None:
            event(f"optimizer: {optimizer.name}")
    if config.actor_cnn is not None and config.critic_cnn is not None:
        event(f"CNNs: {'equal' if config.actor_cnn == config.critic_cnn else 'different'}")
        event(f"normalization: {config.actor_cnn.normalization}")

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
from verification.strategies.architectures import (
    ACTIVATIONS,
    CONV_GROUPS,
    DILATIONS,
    NORMALIZATIONS,
    POOLINGS,
    cnns,
    hidden_layers,
)
from verification.strategies.config import CNN, AgentConfig, Treatment
from verification.strategies.optimizers import GROUPS, OPTIMIZERS, optimizer_specs
from verification.strategies.schedules import SCHEDULES, fitting_schedule, schedule_specs
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
FRAME_STACKS = (1, 2, 4)
SHARED_CNNS = (None, "first_layer", "cnn")
MEMORIES = ("contiguous", "channels_last", "transposed", "sliced")
DTYPES = ("float32", "float64", "bfloat16")
#: Bounds for libraries in whose agents parameters are as usual, and in one group for each optimizer:
#: ``agent_configs(**PLAIN_PARAMETERS)``.
PLAIN_PARAMETERS: dict[str, tuple[Any, ...]] = {
    "shared_cnns": (None,),
    "frozen": (False,),
    "unused": (False,),
    "memories": ("contiguous",),
    "dtypes": ("float32",),
    "optimizer_groups": (1,),
}

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
    dilations: Sequence[int] = DILATIONS,
    conv_groups: Sequence[int] = CONV_GROUPS,
    poolings: Sequence[str | None] = POOLINGS,
    frame_stacks: Sequence[int] = FRAME_STACKS,
    equal_cnns: Sequence[bool] = (True, False),
    shared_cnns: Sequence[str | None] = SHARED_CNNS,
    frozen: Sequence[bool] = (False, True),
    unused: Sequence[bool] = (False, True),
    memories: Sequence[str] = MEMORIES,
    dtypes: Sequence[str] = DTYPES,
    optimizers: Sequence[str] = OPTIMIZERS,
    optimizer_groups: Sequence[int] = GROUPS,
    equal_optimizers: Sequence[bool] = (True, False),
    schedules: Sequence[str | None] = (None, *SCHEDULES),
    policy_freqs: Sequence[int] = POLICY_FREQS,
) -> SearchStrategy[AgentConfig]:
    """Draw small agents of every kind; all are valid, and simple ones come first when shrinking.

    Every bound is a sequence of allowed values, simplest first. An adapter narrows the bounds to what its
    library can express, and leaves out the fields that its algorithm does not have. Hypothesis statistics
    count the observation kinds, normalisations, optimizers, schedules and policy delays that were drawn.

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
        activations: Names of a CNN's activation.
        normalizations: ``batch``, ``layer``, ``group``, ``cumulative_batch`` and ``None`` for none.
        dilations: Distances of a kernel's pixels.
        conv_groups: Numbers of groups of a convolution.
        poolings: ``max``, ``avg`` and ``None`` for none.
        frame_stacks: Numbers of frames that an image consists of, each of ``image_channels`` channels.
        equal_cnns: Whether actor and critic have the same CNN. A swap of equal CNNs raises no error, so
            they are worth drawing often.
        shared_cnns: What actor and critic have in common, if they observe images; this and the next four
            are what is unusual about parameters, described by :class:`Treatment`.
        frozen: Whether a layer needs no gradient.
        unused: Whether a parameter never gets a gradient.
        memories: How weights lie in memory.
        dtypes: Types of all parameters.
        optimizers: Names of classes of ``torch.optim``; see :func:`optimizer_specs`.
        optimizer_groups: Numbers of parameter groups of an optimizer.
        equal_optimizers: Whether all networks have the same optimizer with the same options.
        schedules: ``None`` for none and names of schedules; see :func:`schedule_specs`.
        policy_freqs: Numbers of critic updates for each actor update; ``(1,)`` for algorithms without TD3's
            delay.

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
            dilations=dilations,
            conv_groups=conv_groups,
            poolings=poolings,
        )

    cnns_of(_SMALLEST_IMAGE)  # checks the bounds now, before anything is drawn
    names = bounds.choices("schedules", schedules, allowed=(None, *SCHEDULES))
    given = [name for name in names if name is not None]
    # Schedules are of many kinds, no schedule is of one.
    scheduled = [False, True, True, True] if None in names else [True]
    return _agent_configs(
        observations={
            frames: observation_spaces(
                observation_kinds=observation_kinds,
                vector_sizes=vector_sizes,
                image_sizes=image_sizes,
                image_channels=tuple(frames * number for number in image_channels),
                image_dtypes=image_dtypes,
            )
            for frames in bounds.integers("frame_stacks", frame_stacks, minimum=1)
        },
        actions=action_spaces(action_sizes=action_sizes, max_actions=max_actions),
        hidden=hidden_layers(hidden_depths=hidden_depths, hidden_sizes=hidden_sizes),
        cnns_of=cnns_of,
        features=tuple(features),
        equal_cnns=st.sampled_from(bounds.choices("equal_cnns", equal_cnns, allowed=(True, False))),
        treatments=_treatments(
            shared_cnns=bounds.choices("shared_cnns", shared_cnns, allowed=SHARED_CNNS),
            frozen=bounds.choices("frozen", frozen, allowed=(False, True)),
            unused=bounds.choices("unused", unused, allowed=(False, True)),
            memories=bounds.choices("memories", memories, allowed=MEMORIES),
            dtypes=bounds.choices("dtypes", dtypes, allowed=DTYPES),
        ),
        optimizers=optimizer_specs(optimizers=optimizers, optimizer_groups=optimizer_groups),
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
    observations: dict[int, SearchStrategy[spaces.Space[Any]]],
    actions: SearchStrategy[spaces.Box],
    hidden: SearchStrategy[tuple[int, ...]],
    cnns_of: Callable[[spaces.Box], SearchStrategy[CNN]],
    features: tuple[int, ...],
    equal_cnns: SearchStrategy[bool],
    treatments: SearchStrategy[Treatment],
    optimizers: SearchStrategy[OptimizerSpec],
    equal_optimizers: SearchStrategy[bool],
    scheduled: SearchStrategy[bool],
    schedules: SearchStrategy[ScheduleSpec],
    numbers: SearchStrategy[dict[str, Any]],
) -> AgentConfig:
    # Everything is drawn, used or not. With a fixed number of choices Hypothesis can change one part and keep
    # the others, and none of its attempts ends before the config does.
    frame_stack = draw(st.sampled_from(tuple(observations)))
    observation_space = draw(observations[frame_stack])
    image_space = _image_of(observation_space)
    actor_cnn, other_cnn = (draw(cnns_of(image_space or _SMALLEST_IMAGE)) for _ in range(2))
    treatment = draw(treatments)
    if not image_space:
        treatment = dataclasses.replace(treatment, shared=None)
    critic_cnn = actor_cnn if draw(equal_cnns) else _unlike(actor_cnn, other_cnn, features)
    if treatment.shared is not None:
        critic_cnn = actor_cnn
    if treatment.memory == "channels_last" and "group" in {actor_cnn.normalization, critic_cnn.normalization}:
        # torch 2.13 crashes in the backward pass of GroupNorm behind a frozen convolution in this layout.
        treatment = dataclasses.replace(treatment, memory="contiguous")
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
        schedule=fitting_schedule(schedule, specs) if has_schedule else None,
        **draw(numbers),
        frame_stack=frame_stack if image_space else 1,
        treatment=treatment,
    )
    _count(config)
    return config


def _treatments(
    *,
    shared_cnns: tuple[str | None, ...],
    frozen: tuple[bool, ...],
    unused: tuple[bool, ...],
    memories: tuple[str, ...],
    dtypes: tuple[str, ...],
) -> SearchStrategy[Treatment]:
    """Each thing that is unusual once in a few agents: in most of them, the first value of each bound."""
    bounded = {"shared": shared_cnns, "frozen": frozen, "unused": unused, "memory": memories, "dtype": dtypes}
    return st.builds(
        Treatment,
        **{name: st.sampled_from((values[0],) * len(values) + values) for name, values in bounded.items()},
    )


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
    for name, value in vars(config.treatment).items():
        event(f"{name}: {value}")
    optimizers = (
        config.actor_optimizer,
        config.critic_optimizer,
        config.actor_cnn_optimizer,
        config.critic_cnn_optimizer,
    )
    for optimizer in optimizers:
        if optimizer is not None:
            event(f"optimizer: {optimizer.name}")
            event(f"parameter groups: {1 + len(optimizer.groups)}")
    if config.actor_cnn is not None and config.critic_cnn is not None:
        event(f"CNNs: {'equal' if config.actor_cnn == config.critic_cnn else 'different'}")
        event(f"normalization: {config.actor_cnn.normalization}")
        event(f"activation: {config.actor_cnn.activation}")
        event(f"frame stack: {config.frame_stack}")
        for name in ("dilation", "groups", "pool"):
            for value in {getattr(layer, name) for layer in config.actor_cnn.layers}:
                event(f"{name} of a convolution: {value}")

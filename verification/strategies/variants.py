# SPDX-License-Identifier: MIT
"""Variants: the same agent with other hyper-parameters, for the receiver of a checkpoint."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from verification.strategies import bounds
from verification.strategies.configs import NUMBERS, POLICY_FREQS
from verification.strategies.optimizers import optimizer_variant
from verification.strategies.options import CHOICES
from verification.strategies.schedules import schedule_variant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

    from verification.strategies.config import AgentConfig, OptimizerSpec

HYPER_PARAMETERS = (*NUMBERS, "policy_freq", "optimizers", "schedule")
_OPTIMIZER_FIELDS = ("actor_optimizer", "critic_optimizer", "actor_cnn_optimizer", "critic_cnn_optimizer")
# For each optimizer, and for the schedule; drawn whether used or not, like everything in a config.
_CHOICES = st.tuples(*[CHOICES] * 5)


def agent_variants(
    config: AgentConfig,
    *,
    hyper_parameters: Sequence[str] = HYPER_PARAMETERS,
    policy_freqs: Sequence[int] = POLICY_FREQS,
) -> SearchStrategy[AgentConfig]:
    """Draw agents of the same architecture with other hyper-parameters.

    A receiver that was built like the sender hides what loading forgets. Here every value that may differ
    does: each number of ``hyper_parameters``, and each numeric option of every optimizer and of the
    schedule. What decides the layout of an agent's state stays: spaces, networks, classes, flags, whether
    there is momentum. Optimizers that are equal in ``config`` are equal in the variant.

    Args:
        config: The agent to vary, as drawn by :func:`agent_configs`.
        hyper_parameters: What to vary, of ``discount``, ``tau``, ``policy_noise``, ``noise_clip``,
            ``exploration_noise``, ``policy_freq``, ``optimizers`` and ``schedule``; narrow it to what the
            agent's checkpoint stores.
        policy_freqs: Allowed numbers of critic updates for each actor update.

    Raises:
        TypeError: A bound is a single value instead of a sequence.
        ValueError: A bound is empty or holds a value that is not allowed, ``policy_freqs`` leaves no other
            value, or an optimizer or schedule of ``config`` is of a class that is not known here.

    Example:
        >>> agent_variants(config, hyper_parameters=("discount", "tau"))
    """
    vary = bounds.choices("hyper_parameters", hyper_parameters, allowed=HYPER_PARAMETERS)
    candidates = {**NUMBERS, "policy_freq": bounds.integers("policy_freqs", policy_freqs, minimum=1)}
    numbers: dict[str, SearchStrategy[Any]] = {}
    for name, values in candidates.items():
        if name in vary:
            others = [value for value in values if value != getattr(config, name)]
            if not others:
                raise ValueError(f"policy_freqs is {values}; it must hold a value other than the config's")
            numbers[name] = st.sampled_from(others)
    _other_specs(config, vary, ((0,) * 5,) * 5)  # checks the classes now, before anything is drawn
    return _agent_variants(config, vary, st.fixed_dictionaries(numbers))


@st.composite
def _agent_variants(
    draw: DrawFn, config: AgentConfig, vary: tuple[str, ...], numbers: SearchStrategy[dict[str, Any]]
) -> AgentConfig:
    changes = draw(numbers)
    return dataclasses.replace(config, **changes, **_other_specs(config, vary, draw(_CHOICES)))


def _other_specs(
    config: AgentConfig, vary: tuple[str, ...], choices: tuple[tuple[int, ...], ...]
) -> dict[str, Any]:
    """The varied optimizers and schedule, by field."""
    others: dict[str, Any] = {}
    if "schedule" in vary and config.schedule is not None:
        others["schedule"] = schedule_variant(config.schedule, choices[-1])
    if "optimizers" in vary:
        specs: list[OptimizerSpec | None] = [getattr(config, name) for name in _OPTIMIZER_FIELDS]
        for name, spec in zip(_OPTIMIZER_FIELDS, specs, strict=True):
            if spec is not None:
                # Equal optimizers take the choices of the first of them, and so stay equal.
                others[name] = optimizer_variant(spec, choices[specs.index(spec)])
    return others

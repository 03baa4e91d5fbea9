# SPDX-License-Identifier: MIT
"""Variants: the same agent with other hyper-parameters, for the receiver of a checkpoint."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from verification.strategies import bounds
from verification.strategies.configs import NUMBERS, POLICY_FREQS
from verification.strategies.optimizers import optimizer_variants, schedule_variants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

    from verification.strategies.config import AgentConfig, OptimizerSpec

HYPER_PARAMETERS = (*NUMBERS, "policy_freq", "optimizers", "schedule")
_OPTIMIZER_FIELDS = ("actor_optimizer", "critic_optimizer", "actor_cnn_optimizer", "critic_cnn_optimizer")


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
    if "schedule" in vary and config.schedule is not None:
        numbers["schedule"] = schedule_variants(config.schedule)
    specs = []
    if "optimizers" in vary:
        specs = [getattr(config, name) for name in _OPTIMIZER_FIELDS if getattr(config, name) is not None]
    return _agent_variants(config, numbers, [(spec, optimizer_variants(spec)) for spec in _distinct(specs)])


@st.composite
def _agent_variants(
    draw: DrawFn,
    config: AgentConfig,
    numbers: dict[str, SearchStrategy[Any]],
    optimizers: list[tuple[OptimizerSpec, SearchStrategy[OptimizerSpec]]],
) -> AgentConfig:
    changes = draw(st.fixed_dictionaries(numbers))
    for spec, variants in optimizers:
        variant = draw(variants)
        changes |= {name: variant for name in _OPTIMIZER_FIELDS if getattr(config, name) == spec}
    return dataclasses.replace(config, **changes)


def _distinct(specs: list[OptimizerSpec]) -> list[OptimizerSpec]:
    # Not a set: a spec holds a dict, which has no hash.
    return [spec for index, spec in enumerate(specs) if spec not in specs[:index]]

# SPDX-License-Identifier: MIT
"""Optimizers and learning-rate schedules of ``torch.optim``, by name and keyword arguments."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from verification.strategies import bounds
from verification.strategies.config import OptimizerSpec, ScheduleSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class _Options:
    """What an optimizer class accepts: numbers (torch's default first), and flags that are off by default."""

    numbers: Mapping[str, tuple[Any, ...]]
    flags: tuple[str, ...]


_BETAS = ((0.9, 0.999), (0.8, 0.99), (0.5, 0.9))
_EPS = (1e-8, 1e-6, 1e-4)

_OPTIMIZERS: dict[str, _Options] = {
    "Adam": _Options(
        {"lr": (1e-3, 3e-4, 1e-2), "betas": _BETAS, "eps": _EPS, "weight_decay": (0.0, 1e-2, 0.1)},
        ("amsgrad", "maximize"),
    ),
    "AdamW": _Options(
        {"lr": (1e-3, 3e-4, 1e-2), "betas": _BETAS, "eps": _EPS, "weight_decay": (1e-2, 0.1, 0.0)},
        ("amsgrad", "maximize"),
    ),
    "SGD": _Options(
        {
            "lr": (1e-3, 1e-4, 3e-3),
            "momentum": (0.0, 0.9, 0.5),
            "dampening": (0.0, 0.1, 0.5),
            "weight_decay": (0.0, 1e-2, 0.1),
        },
        ("nesterov", "maximize"),
    ),
    "RMSprop": _Options(
        {
            "lr": (1e-2, 1e-3, 3e-4),
            "alpha": (0.99, 0.9, 0.5),
            "eps": _EPS,
            "weight_decay": (0.0, 1e-2, 0.1),
            "momentum": (0.0, 0.9, 0.5),
        },
        ("centered", "maximize"),
    ),
}

# Every schedule changes the learning rate within the first few steps, and none brings it to zero for good.
# Classes that need a function, a metric or an end of training are left out: their arguments are no data.
_SCHEDULES: dict[str, dict[str, tuple[Any, ...]]] = {
    "StepLR": {"step_size": (2, 3, 5), "gamma": (0.5, 0.1, 0.9)},
    "MultiStepLR": {"milestones": ((3,), (2, 5), (1, 4, 6)), "gamma": (0.5, 0.1, 0.9)},
    "ExponentialLR": {"gamma": (0.9, 0.5, 0.99)},
    "ConstantLR": {"factor": (0.5, 0.25, 0.1), "total_iters": (3, 5, 2)},
    "LinearLR": {"start_factor": (0.5, 0.25, 0.1), "total_iters": (4, 7, 3)},
    "PolynomialLR": {"total_iters": (30, 50, 20), "power": (1.0, 2.0, 0.5)},
    "CosineAnnealingLR": {"T_max": (5, 8, 3), "eta_min": (1e-5, 1e-6, 0.0)},
    "CosineAnnealingWarmRestarts": {"T_0": (3, 5, 2), "T_mult": (1, 2, 3)},
}

OPTIMIZERS = tuple(_OPTIMIZERS)
SCHEDULES = tuple(_SCHEDULES)


def optimizer_specs(*, optimizers: Sequence[str] = OPTIMIZERS) -> SearchStrategy[OptimizerSpec]:
    """Draw optimizers with their options and flags.

    ``lr`` is always given; any other option only where it differs from torch's default. Flags that need
    one another come together: ``nesterov`` and ``dampening`` only with ``momentum``, and never both.

    Args:
        optimizers: Names of classes, of ``Adam``, ``AdamW``, ``SGD`` and ``RMSprop``.

    Raises:
        TypeError: ``optimizers`` is a single name instead of a sequence.
        ValueError: ``optimizers`` is empty or has another name.

    Example:
        >>> optimizer_specs(optimizers=("Adam", "AdamW"))
    """
    names = bounds.choices("optimizers", optimizers, allowed=OPTIMIZERS)
    return st.sampled_from(names).flatmap(_optimizer_specs)


def schedule_specs(*, schedules: Sequence[str] = SCHEDULES) -> SearchStrategy[ScheduleSpec]:
    """Draw learning-rate schedules that change something within the next few steps.

    Args:
        schedules: Names of classes of ``torch.optim.lr_scheduler``: ``StepLR``, ``MultiStepLR``,
            ``ExponentialLR``, ``ConstantLR``, ``LinearLR``, ``PolynomialLR``, ``CosineAnnealingLR`` and
            ``CosineAnnealingWarmRestarts``.

    Raises:
        TypeError: ``schedules`` is a single name instead of a sequence.
        ValueError: ``schedules`` is empty or has another name.

    Example:
        >>> schedule_specs(schedules=("MultiStepLR",))
    """
    names = bounds.choices("schedules", schedules, allowed=SCHEDULES)
    return st.sampled_from(names).flatmap(_schedule_specs)


def optimizer_variants(spec: OptimizerSpec) -> SearchStrategy[OptimizerSpec]:
    """Draw the same optimizer with another value for every number, flags and state layout unchanged.

    A momentum of zero stays zero, because a momentum buffer would appear with any other.
    """
    bounds.choices("spec.name", (spec.name,), allowed=OPTIMIZERS)
    others = {}
    for name, values in _OPTIMIZERS[spec.name].numbers.items():
        current = spec.options.get(name, values[0])
        idle = (name == "momentum" and not current) or (name == "dampening" and not _may_dampen(spec.options))
        if not idle:
            others[name] = st.sampled_from([value for value in values if value != current])
    return st.fixed_dictionaries(others).map(
        lambda numbers: OptimizerSpec(spec.name, {**spec.options, **numbers})
    )


def schedule_variants(spec: ScheduleSpec) -> SearchStrategy[ScheduleSpec]:
    """Draw the same schedule with another value for every option."""
    bounds.choices("spec.name", (spec.name,), allowed=SCHEDULES)
    others = {
        name: st.sampled_from([value for value in values if value != spec.options.get(name)])
        for name, values in _SCHEDULES[spec.name].items()
    }
    return st.fixed_dictionaries(others).map(
        lambda options: ScheduleSpec(spec.name, {**spec.options, **options})
    )


@functools.cache
def _optimizer_specs(name: str) -> SearchStrategy[OptimizerSpec]:
    known = _OPTIMIZERS[name]
    return st.builds(
        _optimizer_spec,
        st.just(name),
        st.fixed_dictionaries({option: st.sampled_from(values) for option, values in known.numbers.items()}),
        st.fixed_dictionaries({flag: st.booleans() for flag in known.flags}),
    )


def _optimizer_spec(name: str, numbers: dict[str, Any], flags: dict[str, bool]) -> OptimizerSpec:
    """The optimizer with these options, made compatible with one another and without torch's defaults."""
    known = _OPTIMIZERS[name].numbers
    if flags.get("nesterov") and not numbers["momentum"]:
        numbers["momentum"] = known["momentum"][1]
    if not _may_dampen(numbers | flags):
        numbers.pop("dampening", None)
    options = {
        option: value for option, value in numbers.items() if option == "lr" or value != known[option][0]
    }
    return OptimizerSpec(name, options | {flag: True for flag, on in flags.items() if on})


@functools.cache
def _schedule_specs(name: str) -> SearchStrategy[ScheduleSpec]:
    options = {option: st.sampled_from(values) for option, values in _SCHEDULES[name].items()}
    return st.builds(ScheduleSpec, st.just(name), st.fixed_dictionaries(options))


def _may_dampen(options: Mapping[str, Any]) -> bool:
    """Dampening scales what enters a momentum buffer, and Nesterov's method forbids it."""
    return bool(options.get("momentum")) and not options.get("nesterov")

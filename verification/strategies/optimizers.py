# SPDX-License-Identifier: MIT
"""Optimizers and learning-rate schedules of ``torch.optim``, by name and keyword arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from verification.strategies import bounds
from verification.strategies.config import OptimizerSpec, ScheduleSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy


@dataclass(frozen=True)
class _Options:
    """What an optimizer accepts: three values of each number, torch's default first, and flags to raise."""

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
            "lr": (1e-3, 3e-4, 1e-4),
            "momentum": (0.0, 0.9, 0.5),
            "dampening": (0.0, 0.1, 0.5),
            "weight_decay": (0.0, 1e-2, 0.1),
        },
        ("nesterov",),
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

#: Which of its three values each option takes. All classes take equally many choices, used or not: what is
#: drawn behind an optimizer then stays the same while Hypothesis changes its class.
CHOICES = st.tuples(*[st.integers(0, 2)] * 5)
_FLAGS = st.tuples(st.booleans(), st.booleans())

OPTIMIZERS = tuple(_OPTIMIZERS)
SCHEDULES = tuple(_SCHEDULES)


@bounds.cached
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
    return _optimizer_specs(st.sampled_from(names))


@bounds.cached
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
    return _schedule_specs(st.sampled_from(names))


def optimizer_variant(spec: OptimizerSpec, choices: tuple[int, ...]) -> OptimizerSpec:
    """The same optimizer with another value for every number, flags and state layout unchanged.

    Momentum stays zero or other than zero, because it decides whether there is a momentum buffer.

    Args:
        spec: The optimizer to vary.
        choices: Drawn from :data:`CHOICES`.

    Raises:
        ValueError: ``spec`` is of a class that is not known here.
    """
    bounds.choices("optimizers", (spec.name,), allowed=OPTIMIZERS)
    numbers = _OPTIMIZERS[spec.name].numbers
    others = {option: _other_values(option, values, spec.options) for option, values in numbers.items()}
    return OptimizerSpec(spec.name, {**spec.options, **_chosen(others, choices)})


def schedule_variant(spec: ScheduleSpec, choices: tuple[int, ...]) -> ScheduleSpec:
    """The same schedule with another value for every option; see :func:`optimizer_variant`."""
    bounds.choices("schedules", (spec.name,), allowed=SCHEDULES)
    options = _SCHEDULES[spec.name]
    others = {option: _other_values(option, values, spec.options) for option, values in options.items()}
    return ScheduleSpec(spec.name, {**spec.options, **_chosen(others, choices)})


# These are composites, not mapped strategies: Hypothesis would report the result of a mapped one as a call of
# the private function that made it, and nobody can run that.


@st.composite
def _optimizer_specs(draw: DrawFn, names: SearchStrategy[str]) -> OptimizerSpec:
    """Options that are compatible with one another, without torch's defaults."""
    name = draw(names)
    known = _OPTIMIZERS[name]
    numbers = _chosen(known.numbers, draw(CHOICES))
    raised = {flag: True for flag, on in zip(known.flags, draw(_FLAGS), strict=False) if on}
    if raised.get("nesterov") and not numbers["momentum"]:
        numbers["momentum"] = known.numbers["momentum"][1]
    if not _may_dampen(numbers | raised):
        numbers.pop("dampening", None)
    options = {
        option: value
        for option, value in numbers.items()
        if option == "lr" or value != known.numbers[option][0]
    }
    return OptimizerSpec(name, options | raised)


@st.composite
def _schedule_specs(draw: DrawFn, names: SearchStrategy[str]) -> ScheduleSpec:
    name = draw(names)
    return ScheduleSpec(name, _chosen(_SCHEDULES[name], draw(CHOICES)))


def _chosen(options: Mapping[str, Sequence[Any]], choices: tuple[int, ...]) -> dict[str, Any]:
    """One value of every option that has any."""
    pairs = zip(options.items(), choices, strict=False)
    return {option: values[choice % len(values)] for (option, values), choice in pairs if values}


def _other_values(option: str, values: tuple[Any, ...], options: Mapping[str, Any]) -> list[Any]:
    current = options.get(option, values[0])
    if option == "dampening" and not _may_dampen(options):
        return []
    if option == "momentum":
        return [value for value in values if value != current and bool(value) == bool(current)]
    return [value for value in values if value != current]


def _may_dampen(options: Mapping[str, Any]) -> bool:
    """Dampening scales what enters a momentum buffer, and Nesterov's method forbids it."""
    return bool(options.get("momentum")) and not options.get("nesterov")

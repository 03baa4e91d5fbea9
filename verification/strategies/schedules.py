# SPDX-License-Identifier: MIT
"""Learning-rate schedules of ``torch.optim.lr_scheduler``, by name and keyword arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from verification.strategies import bounds
from verification.strategies.config import ScheduleSpec, Wave
from verification.strategies.options import CHOICES, chosen_values, other_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

    from verification.strategies.config import OptimizerSpec

# Every schedule changes the learning rate within the first few steps, and none brings it to zero for good.
_SCHEDULES: dict[str, dict[str, tuple[Any, ...]]] = {
    "StepLR": {"step_size": (2, 3, 5), "gamma": (0.5, 0.1, 0.9)},
    "MultiStepLR": {"milestones": ((3,), (2, 5), (1, 4, 6)), "gamma": (0.5, 0.1, 0.9)},
    "ExponentialLR": {"gamma": (0.9, 0.5, 0.99)},
    "ConstantLR": {"factor": (0.5, 0.25, 0.1), "total_iters": (3, 5, 2)},
    "LinearLR": {"start_factor": (0.5, 0.25, 0.1), "total_iters": (4, 7, 3)},
    "PolynomialLR": {"total_iters": (30, 50, 20), "power": (1.0, 2.0, 0.5)},
    "CosineAnnealingLR": {"T_max": (5, 8, 3), "eta_min": (1e-5, 1e-6, 0.0)},
    "CosineAnnealingWarmRestarts": {"T_0": (3, 5, 2), "T_mult": (1, 2, 3)},
    "CyclicLR": {
        "base_lr": (1e-4, 3e-4, 1e-5),
        "max_lr": (1e-3, 3e-3, 1e-2),
        "step_size_up": (2, 3, 5),
        "cycle_momentum": (False, True, False),
    },
    # Stepped more often than it was told, it raises.
    "OneCycleLR": {
        "max_lr": (1e-3, 3e-3, 1e-2),
        "total_steps": (10_000, 20_000, 5_000),
        "pct_start": (5e-4, 1e-3, 2e-3),
        "cycle_momentum": (False, True, False),
    },
    "LambdaLR": {"lr_lambda": (Wave(0.5, 2), Wave(0.25, 3), Wave(0.9, 5))},
    "MultiplicativeLR": {"lr_lambda": (Wave(0.9, 2), Wave(0.5, 3), Wave(0.75, 5))},
    "SequentialLR": {
        "schedulers": tuple(
            (
                ScheduleSpec("LinearLR", {"start_factor": factor, "total_iters": 3}),
                ScheduleSpec("ExponentialLR", {"gamma": gamma}),
            )
            for factor, gamma in ((0.5, 0.9), (0.25, 0.5), (0.1, 0.99))
        ),
        "milestones": ((2,), (4,), (1,)),
    },
    "ChainedScheduler": {
        "schedulers": tuple(
            (
                ScheduleSpec("ConstantLR", {"factor": factor, "total_iters": 3}),
                ScheduleSpec("StepLR", {"step_size": size, "gamma": 0.5}),
            )
            for factor, size in ((0.5, 2), (0.25, 3), (0.1, 4))
        ),
    },
    "ReduceLROnPlateau": {
        "factor": (0.5, 0.1, 0.9),
        "patience": (0, 1, 2),
        "threshold": (1e-4, 0.1, 0.5),
        "cooldown": (0, 1, 2),
    },
}

#: Schedules that may move a momentum, and optimizers that have one to be moved.
_CYCLES_MOMENTUM = frozenset({"CyclicLR", "OneCycleLR"})
_HAS_MOMENTUM = frozenset({"Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "SGD"})

SCHEDULES = tuple(_SCHEDULES)
#: Drawn more often, because more can be lost of them than numbers: the state of each of their parts, or a
#: counter of milestones, whose keys are numbers.
_CONTAINERS = ("SequentialLR", "ChainedScheduler", "MultiStepLR")


@bounds.cached
def schedule_specs(*, schedules: Sequence[str] = SCHEDULES) -> SearchStrategy[ScheduleSpec]:
    """Draw learning-rate schedules that change something within the next few steps.

    :func:`build_schedule` builds them. They count in calls of the schedule's ``step()``. ``CyclicLR`` and
    ``OneCycleLR`` may have ``cycle_momentum``, which asks for an optimizer that has a momentum.

    Args:
        schedules: Names of classes of ``torch.optim.lr_scheduler``: ``StepLR``, ``MultiStepLR``,
            ``ExponentialLR``, ``ConstantLR``, ``LinearLR``, ``PolynomialLR``, ``CosineAnnealingLR``,
            ``CosineAnnealingWarmRestarts``, ``CyclicLR``, ``OneCycleLR``, ``LambdaLR``,
            ``MultiplicativeLR``, ``SequentialLR``, ``ChainedScheduler`` and ``ReduceLROnPlateau``.

    Raises:
        TypeError: ``schedules`` is a single name instead of a sequence.
        ValueError: ``schedules`` is empty or has another name.

    Example:
        >>> schedule_specs(schedules=("MultiStepLR",))
    """
    names = bounds.choices("schedules", schedules, allowed=SCHEDULES)
    containers = [name for name in names if name in _CONTAINERS]
    return _schedule_specs(st.sampled_from([*names, *containers * 3]))


def schedule_variant(spec: ScheduleSpec, choices: tuple[int, ...]) -> ScheduleSpec:
    """The same schedule with another value for every option; see :func:`optimizer_variant`."""
    bounds.choices("schedules", (spec.name,), allowed=SCHEDULES)
    options = _SCHEDULES[spec.name]
    others = {option: other_values(option, values, spec.options) for option, values in options.items()}
    return ScheduleSpec(spec.name, {**spec.options, **chosen_values(others, choices)})


def fitting_schedule(spec: ScheduleSpec, optimizers: Sequence[OptimizerSpec]) -> ScheduleSpec:
    """``spec``, without a cycle of momentum where one of the optimizers has none, which torch refuses.

    Args:
        spec: A drawn schedule.
        optimizers: The optimizers that it is for.

    Example:
        >>> fitting_schedule(schedule, [OptimizerSpec("Adagrad", {"lr": 1e-3})])
    """
    if spec.name not in _CYCLES_MOMENTUM or all(one.name in _HAS_MOMENTUM for one in optimizers):
        return spec
    return ScheduleSpec(spec.name, {**spec.options, "cycle_momentum": False})


@st.composite
def _schedule_specs(draw: DrawFn, names: SearchStrategy[str]) -> ScheduleSpec:
    name = draw(names)
    return ScheduleSpec(name, chosen_values(_SCHEDULES[name], draw(CHOICES)))

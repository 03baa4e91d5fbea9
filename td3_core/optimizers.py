# SPDX-License-Identifier: MIT
"""Optimizers and learning rate schedules of torch: described as plain data, built, and stepped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import torch

from td3_core.errors import ConfigError
from td3_core.quoting import quoted, shortened
from td3_core.validation import Options, checked_fields, choice, nearest, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

#: The options an optimizer may be given. ``capturable`` and ``differentiable`` are left out: they bind an
#: optimizer to a device or a graph, which a checkpoint cannot promise. ``fused`` is faster, and rounds
#: differently.
OPTIMIZER_OPTIONS: dict[str, frozenset[str]] = {
    "Adam": frozenset({"lr", "betas", "eps", "weight_decay", "amsgrad", "maximize", "foreach", "fused"}),
    "AdamW": frozenset({"lr", "betas", "eps", "weight_decay", "amsgrad", "maximize", "foreach", "fused"}),
    "SGD": frozenset(
        {"lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize", "foreach", "fused"}
    ),
    "RMSprop": frozenset(
        {"lr", "alpha", "eps", "weight_decay", "momentum", "centered", "maximize", "foreach"}
    ),
}

#: The schedules that are described by plain data and stepped without a metric, with their options.
SCHEDULE_OPTIONS: dict[str, frozenset[str]] = {
    "ConstantLR": frozenset({"factor", "total_iters"}),
    "CosineAnnealingLR": frozenset({"T_max", "eta_min"}),
    "CosineAnnealingWarmRestarts": frozenset({"T_0", "T_mult", "eta_min"}),
    "CyclicLR": frozenset(
        {"base_lr", "max_lr", "step_size_up", "step_size_down", "mode", "gamma", "scale_mode"}
        | {"cycle_momentum", "base_momentum", "max_momentum"}
    ),
    "ExponentialLR": frozenset({"gamma"}),
    "LinearLR": frozenset({"start_factor", "end_factor", "total_iters"}),
    "MultiStepLR": frozenset({"milestones", "gamma"}),
    "OneCycleLR": frozenset(
        {"max_lr", "total_steps", "epochs", "steps_per_epoch", "pct_start", "anneal_strategy"}
        | {"cycle_momentum", "base_momentum", "max_momentum", "div_factor", "final_div_factor", "three_phase"}
    ),
    "PolynomialLR": frozenset({"total_iters", "power"}),
    "StepLR": frozenset({"step_size", "gamma"}),
}


@dataclass(frozen=True)
class ScheduleConfig:
    """A schedule of ``torch.optim.lr_scheduler`` by name, with its keyword arguments as plain data."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        choice(self, "name", SCHEDULE_OPTIONS)
        _take_options(self, SCHEDULE_OPTIONS[self.name])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ScheduleConfig:
        """The inverse of :meth:`TD3Config.to_dict` for this part. Raises ConfigError."""
        return cls(**checked_fields(cls, data))


@dataclass(frozen=True)
class OptimizerConfig:
    """An optimizer of ``torch.optim`` by name, its keyword arguments, ``lr`` among them, and its schedule."""

    name: str = "Adam"
    options: Mapping[str, Any] = field(default_factory=lambda: {"lr": 1e-3})
    schedule: ScheduleConfig | None = None

    def __post_init__(self) -> None:
        choice(self, "name", OPTIMIZER_OPTIONS)
        _take_options(self, OPTIMIZER_OPTIONS[self.name])
        if not isinstance(self.schedule, ScheduleConfig | None):
            raise refusal(self, "schedule", self.schedule, "a ScheduleConfig or None")
        # Only torch knows which values it takes, so a first step is tried on a parameter of no consequence.
        parameter = torch.nn.Parameter(torch.zeros(1, device="cpu"))
        try:
            optimizer = _optimizer(self.name, self.options, [parameter])
        except Exception as error:
            raise ConfigError(
                f"OptimizerConfig.options = {quoted(self.options)}: {self.name}: {shortened(error)}"
            ) from error
        if self.schedule is not None:
            try:
                scheduler = _scheduler(self.schedule, optimizer)
                optimizer.step()
                scheduler.step()
            except Exception as error:
                raise ConfigError(
                    f"ScheduleConfig.options = {quoted(self.schedule.options)}: {self.schedule.name} over "
                    f"{self.name}: {shortened(error)}"
                ) from error

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> OptimizerConfig:
        """The inverse of :meth:`TD3Config.to_dict` for this part. Raises ConfigError."""
        values = checked_fields(cls, data)
        schedule = values.pop("schedule")
        return cls(schedule=None if schedule is None else ScheduleConfig.from_dict(schedule), **values)


def _take_options(owner: OptimizerConfig | ScheduleConfig, allowed: frozenset[str]) -> None:
    options = Options(owner.options)
    object.__setattr__(owner, "options", options)
    for name, value in options.items():
        if name not in allowed:
            raise ConfigError(
                f"{type(owner).__name__}.options[{quoted(name)}] = {quoted(value)} is not an option of "
                f"{owner.name}: allowed are " + ", ".join(sorted(allowed)) + nearest(name, allowed)
            )


@overload
def build_optimizer(config: OptimizerConfig, network: nn.Module) -> Optimizer: ...
@overload
def build_optimizer(config: OptimizerConfig | None, network: nn.Module | None) -> Optimizer | None: ...
def build_optimizer(config: OptimizerConfig | None, network: nn.Module | None) -> Optimizer | None:
    """The optimizer that ``config`` describes, over all parameters of ``network`` in one group."""
    if config is None or network is None:
        return None
    return _optimizer(config.name, config.options, network.parameters())


def build_scheduler(config: OptimizerConfig | None, optimizer: Optimizer | None) -> LRScheduler | None:
    """The schedule that ``config`` describes, over an optimizer that has not stepped yet."""
    if config is None or config.schedule is None or optimizer is None:
        return None
    return _scheduler(config.schedule, optimizer)


def step(optimizer: Optimizer | None, scheduler: LRScheduler | None) -> None:
    """Step the optimizer, then its schedule, and drop the gradients, so that none is left to matter later."""
    if optimizer is None:
        return
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if scheduler is not None:
        scheduler.step()


def _optimizer(name: str, options: Mapping[str, Any], parameters: Iterable[nn.Parameter]) -> Optimizer:
    optimizer: Optimizer = getattr(torch.optim, name)(list(parameters), **options)
    if "_need_device_dtype_check_for_fused" in vars(optimizer):
        # By which a fused SGD that has stepped would differ from one that was loaded.
        optimizer._need_device_dtype_check_for_fused = False  # type: ignore[attr-defined]  # noqa: SLF001
    return optimizer


def _scheduler(schedule: ScheduleConfig, optimizer: Optimizer) -> LRScheduler:
    scheduler: LRScheduler = getattr(torch.optim.lr_scheduler, schedule.name)(optimizer, **schedule.options)
    return scheduler

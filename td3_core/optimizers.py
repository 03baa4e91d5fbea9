# SPDX-License-Identifier: MIT
"""Optimizers and learning rate schedules of torch, built by name from plain options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The options an optimizer may be given. ``fused``, ``capturable`` and ``differentiable`` are left out:
#: they bind an optimizer to a device or a graph, which a checkpoint cannot promise.
OPTIMIZER_OPTIONS: dict[str, frozenset[str]] = {
    "Adam": frozenset({"lr", "betas", "eps", "weight_decay", "amsgrad", "maximize", "foreach"}),
    "AdamW": frozenset({"lr", "betas", "eps", "weight_decay", "amsgrad", "maximize", "foreach"}),
    "SGD": frozenset({"lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize", "foreach"}),
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


def build_optimizer(
    name: str, options: Mapping[str, Any], parameters: Iterable[torch.nn.Parameter]
) -> torch.optim.Optimizer:
    """The optimizer ``torch.optim.<name>`` over all parameters in one group."""
    optimizer: torch.optim.Optimizer = getattr(torch.optim, name)(list(parameters), **options)
    return optimizer


def build_scheduler(
    name: str, options: Mapping[str, Any], optimizer: torch.optim.Optimizer
) -> torch.optim.lr_scheduler.LRScheduler:
    """The schedule ``torch.optim.lr_scheduler.<name>`` over an optimizer that has not stepped yet."""
    schedule: torch.optim.lr_scheduler.LRScheduler = getattr(torch.optim.lr_scheduler, name)(
        optimizer, **options
    )
    return schedule

# SPDX-License-Identifier: MIT
"""Builds what is drawn: optimizers with their parameter groups, schedules of schedules, memory layouts."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch

    from verification.strategies.config import OptimizerSpec, ScheduleSpec


def build_optimizer(spec: OptimizerSpec, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer that ``spec`` describes, over ``parameters``.

    Args:
        spec: As drawn by :func:`optimizer_specs`, or written by hand with any class of ``torch.optim``.
        parameters: Dealt out to the groups of ``spec`` in turn; a group that gets none is left out.

    Raises:
        AttributeError: ``torch.optim`` has no class of this name.
        ValueError: torch refuses the options, or there are no parameters.

    Example:
        >>> build_optimizer(OptimizerSpec("Adam", {"lr": 1e-3}), network.parameters())
    """
    import torch  # as late as possible: strategies are imported without it

    dealt: list[list[torch.nn.Parameter]] = [[] for _ in range(1 + len(spec.groups))]
    for index, parameter in enumerate(parameters):
        dealt[index % len(dealt)].append(parameter)
    groups = [
        {"params": members, **options}
        for members, options in zip(dealt, ({}, *spec.groups), strict=True)
        if members
    ]
    optimizer: torch.optim.Optimizer = getattr(torch.optim, spec.name)(groups, **spec.options)
    return optimizer


def build_schedule(spec: ScheduleSpec, optimizer: torch.optim.Optimizer) -> Any:
    """The schedule that ``spec`` describes, for ``optimizer``.

    ``ReduceLROnPlateau`` takes a metric with every step, all others none. Two schedules that are built from
    one ``spec`` share nothing.

    Args:
        spec: As drawn by :func:`schedule_specs`, or written by hand.
        optimizer: Whose learning rates it changes, some of them at once.

    Raises:
        AttributeError: ``torch.optim.lr_scheduler`` has no class of this name.
        ValueError: torch refuses the options, such as ``cycle_momentum`` for an optimizer without momentum.

    Example:
        >>> build_schedule(ScheduleSpec("StepLR", {"step_size": 2, "gamma": 0.5}), optimizer)
    """
    from torch.optim import lr_scheduler

    # Loading a schedule writes into what it was given.
    options = copy.deepcopy(dict(spec.options))
    if "schedulers" in options:
        options["schedulers"] = [build_schedule(part, optimizer) for part in options["schedulers"]]
    with warnings.catch_warnings():
        # SequentialLR starts its parts in a way that torch itself warns about.
        warnings.simplefilter("ignore", UserWarning)
        if spec.name == "ChainedScheduler":
            return lr_scheduler.ChainedScheduler(**options)
        return getattr(lr_scheduler, spec.name)(optimizer, **options)


def lay_out(network: torch.nn.Module, memory: str) -> None:
    """Let the weights of ``network`` lie in memory as :attr:`Treatment.memory` says; values stay.

    Parameters stay the same objects, so that optimizers may already hold them.

    Args:
        network: Changed in place, with all modules in it.
        memory: ``channels_last`` for the weights of ``Conv2d``; ``transposed`` or ``sliced`` for those of
            ``Linear``, which become views; anything else leaves all as it is.

    Example:
        >>> lay_out(network, "transposed")
    """
    import torch

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d) and memory == "channels_last":
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if isinstance(module, torch.nn.Linear):
            weight = module.weight.data
            if memory == "transposed":
                module.weight.data = weight.t().contiguous().t()
            elif memory == "sliced":
                wide = weight.new_zeros(weight.shape[0], 2 * weight.shape[1])
                module.weight.data = wide[:, ::2].copy_(weight)

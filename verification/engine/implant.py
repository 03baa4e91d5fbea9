# SPDX-License-Identifier: MIT
"""Writes a drawn state into an optimizer of torch, in place, such that the optimizer can go on from it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import torch

from verification.errors import AdapterError, OverTimeLimit, RefusedState
from verification.program import Implant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from verification.program import Step
    from verification.strategies.moments import OptimizerState

# Averages of gradients, of either sign. A momentum buffer is added to parameters as it is, so that what is
# huge for it is less than for averages that are divided by the root of another.
_SIGNED = frozenset({"exp_avg", "grad_avg", "momentum_buffer", "prev", "ax"})
_DIVIDED = frozenset({"Adam", "AdamW", "Adamax", "NAdam"})
# Averages of squares, roots of which are taken; and a largest absolute value.
_SQUARES = frozenset(
    {"exp_avg_sq", "max_exp_avg_sq", "square_avg", "acc_delta", "sum", "row_var", "col_var", "variance"}
)
_POSITIVE = _SQUARES | {"exp_inf"}
_HUGE, _HUGE_MOMENTUM = 2.0**40, 2.0**6
# Made when the optimizer is built, never by a step.
_NEVER_MISSING = frozenset({"Adagrad"})


@contextlib.contextmanager
def refusable(steps: Sequence[Step]) -> Iterator[None]:
    """Go on behind some steps; what raises then is nobody's mistake if a state was written into optimizers.

    Raises:
        RefusedState: instead of AdapterError.
    """
    try:
        yield
    except OverTimeLimit:
        raise
    except AdapterError as error:
        if any(isinstance(step, Implant) for step in steps):
            raise RefusedState(str(error)) from error
        raise


def implant(optimizer: torch.optim.Optimizer, state: OptimizerState) -> None:
    """Write ``state`` into what the optimizer has created so far; before its first step that is nothing.

    Names, shapes, types and memory of entries stay as the optimizer made them, and values stay such that it
    could have reached them: averages of squares are not negative, and what is huge is not infinite at once.
    Classes that torch does not have are treated by the names of their entries, and no entry goes missing.

    Args:
        optimizer: Changed in place.
        state: As drawn by :func:`verification.strategies.optimizer_states`.

    Example:
        >>> implant(optimizer, OptimizerState(step=2**24 + 2))
    """
    name = type(optimizer).__name__
    known = type(optimizer) is getattr(torch.optim, name, None)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if known and name not in _NEVER_MISSING:
        if state.fresh:
            optimizer.state.clear()
        if state.missing is not None:
            optimizer.state.pop(parameters[state.missing % len(parameters)], None)
    huge = _HUGE if known and name in _DIVIDED else _HUGE_MOMENTUM
    for index, parameter in enumerate(parameters):
        entry: dict[str, Any] = optimizer.state.get(parameter, {})
        if state.step is not None and "step" in entry:
            _set_step(entry, state.step)
        if state.moments is not None:
            for key, value in entry.items():
                if key in _SIGNED | _POSITIVE and isinstance(value, torch.Tensor):
                    _fill(key, value, state.moments, huge, index)


def _set_step(entry: dict[str, Any], step: int) -> None:
    if isinstance(entry["step"], torch.Tensor):
        entry["step"].fill_(step)
    else:
        entry["step"] = step


@torch.no_grad()
def _fill(key: str, value: torch.Tensor, kind: str, huge: float, index: int) -> None:
    if kind == "zero" or (kind == "negative_zero" and key in _POSITIVE):
        value.zero_()
    elif kind == "negative_zero":
        value.fill_(-0.0)
    elif kind == "subnormal":
        smallest = torch.finfo(value.dtype).smallest_normal * torch.finfo(value.dtype).eps
        value.copy_(_ramp(value, index) * 8 * smallest)
    elif key != "grad_avg":  # its square must not exceed square_avg
        value.copy_(_ramp(value, index) * (huge**2 if key in _SQUARES else huge))


def _ramp(value: torch.Tensor, index: int) -> torch.Tensor:
    """Multiples of 1/8 from 1 to 2, other ones for every parameter: what is swapped must show."""
    places = torch.arange(index, index + value.numel(), dtype=torch.float64).reshape(value.shape)
    return 1 + torch.remainder(places, 8) / 8

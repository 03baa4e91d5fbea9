# SPDX-License-Identifier: MIT
"""Optimizers of ``torch.optim``, by name and keyword arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from verification.strategies import bounds
from verification.strategies.config import OptimizerSpec
from verification.strategies.options import CHOICES, chosen_values, may_dampen, other_values

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
_DECAY = (0.0, 1e-2, 0.1)
_ADAM = {"lr": (1e-3, 3e-4, 1e-2), "betas": _BETAS, "eps": _EPS, "weight_decay": _DECAY}

_OPTIMIZERS: dict[str, _Options] = {
    "Adam": _Options(_ADAM, ("amsgrad", "maximize", "foreach")),
    "AdamW": _Options({**_ADAM, "weight_decay": (1e-2, 0.1, 0.0)}, ("amsgrad", "maximize", "foreach")),
    "SGD": _Options(
        {
            "lr": (1e-3, 3e-4, 1e-4),
            "momentum": (0.0, 0.9, 0.5),
            "dampening": (0.0, 0.1, 0.5),
            "weight_decay": _DECAY,
        },
        ("nesterov", "maximize", "foreach"),
    ),
    "RMSprop": _Options(
        {
            "lr": (1e-2, 1e-3, 3e-4),
            "alpha": (0.99, 0.9, 0.5),
            "eps": _EPS,
            "weight_decay": _DECAY,
            "momentum": (0.0, 0.9, 0.5),
        },
        ("centered", "maximize", "foreach"),
    ),
    "NAdam": _Options(
        {**_ADAM, "lr": (2e-3, 3e-4, 1e-2), "momentum_decay": (4e-3, 1e-2, 0.1)},
        ("decoupled_weight_decay", "maximize", "foreach"),
    ),
    "RAdam": _Options(_ADAM, ("decoupled_weight_decay", "maximize", "foreach")),
    "Adamax": _Options({**_ADAM, "lr": (2e-3, 3e-4, 1e-2)}, ("maximize", "foreach")),
    "Adagrad": _Options(
        {
            "lr": (1e-2, 1e-3, 3e-4),
            "lr_decay": (0.0, 1e-2, 0.1),
            "weight_decay": _DECAY,
            "initial_accumulator_value": (0.0, 0.1, 1.0),
            "eps": (1e-10, 1e-8, 1e-6),
        },
        ("maximize", "foreach"),
    ),
    "Adadelta": _Options(
        {"lr": (1.0, 0.5, 0.1), "rho": (0.9, 0.95, 0.5), "eps": (1e-6, 1e-8, 1e-4), "weight_decay": _DECAY},
        ("maximize", "foreach"),
    ),
    "ASGD": _Options(
        {
            "lr": (1e-2, 1e-3, 3e-4),
            "lambd": (1e-4, 1e-3, 1e-2),
            "alpha": (0.75, 0.5, 0.9),
            "t0": (1e6, 1.0, 3.0),
            "weight_decay": _DECAY,
        },
        ("maximize", "foreach"),
    ),
    "Rprop": _Options(
        {
            "lr": (1e-2, 1e-3, 3e-4),
            "etas": ((0.5, 1.2), (0.4, 1.1), (0.7, 1.5)),
            "step_sizes": ((1e-6, 50), (1e-5, 1.0), (1e-4, 0.1)),
        },
        ("maximize", "foreach"),
    ),
    "Adafactor": _Options(
        {
            "lr": (1e-2, 1e-3, 3e-4),
            "beta2_decay": (-0.8, -0.5, -0.9),
            "eps": ((None, 1e-3), (1e-8, 1e-2), (1e-6, 1e-1)),
            "d": (1.0, 1.5, 2.0),
            "weight_decay": _DECAY,
        },
        ("maximize", "foreach"),
    ),
}

_FLAGS = st.tuples(st.booleans(), st.booleans(), st.booleans())
# Of a second parameter group: its learning rate, and its weight decay where the class has one.
_GROUP = st.integers(0, 8)

OPTIMIZERS = tuple(_OPTIMIZERS)
GROUPS = (1, 2)


@bounds.cached
def optimizer_specs(
    *, optimizers: Sequence[str] = OPTIMIZERS, optimizer_groups: Sequence[int] = GROUPS
) -> SearchStrategy[OptimizerSpec]:
    """Draw optimizers with their options, flags and parameter groups; see :func:`build_optimizer`.

    ``lr`` is always given; any other option only where it differs from torch's default. Flags that need
    one another come together: ``nesterov`` and ``dampening`` only with ``momentum``, and never both.

    All classes of ``torch.optim`` that train a network of dense tensors with one call of ``step()`` are
    there. Left out are ``LBFGS``, which calls the loss itself, ``SparseAdam``, which takes sparse gradients
    alone, and ``Muon``, which takes matrices alone; and the flags ``fused``, ``capturable`` and
    ``differentiable``, which bind an optimizer to a memory layout, a device or a graph.

    Args:
        optimizers: Names of classes, of ``Adam``, ``AdamW``, ``SGD``, ``RMSprop``, ``NAdam``, ``RAdam``,
            ``Adamax``, ``Adagrad``, ``Adadelta``, ``ASGD``, ``Rprop`` and ``Adafactor``.
        optimizer_groups: Allowed numbers of parameter groups, 1 or 2.

    Raises:
        TypeError: A bound is a single value instead of a sequence.
        ValueError: A bound is empty or holds a value that is not allowed.

    Example:
        >>> optimizer_specs(optimizers=("Adam", "AdamW"), optimizer_groups=(1,))
    """
    names = bounds.choices("optimizers", optimizers, allowed=OPTIMIZERS)
    groups = bounds.choices("optimizer_groups", optimizer_groups, allowed=GROUPS)
    return _optimizer_specs(st.sampled_from(names), st.sampled_from(groups))


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
    others = {option: other_values(option, values, spec.options) for option, values in numbers.items()}
    chosen = chosen_values(others, choices)
    groups = tuple(
        chosen_values({option: other_values(option, numbers[option], group) for option in group}, choices)
        for group in spec.groups
    )
    return OptimizerSpec(spec.name, {**spec.options, **chosen}, groups)


# These are composites, not mapped strategies: Hypothesis would report the result of a mapped one as a call of
# the private function that made it, and nobody can run that.


@st.composite
def _optimizer_specs(
    draw: DrawFn, names: SearchStrategy[str], group_numbers: SearchStrategy[int]
) -> OptimizerSpec:
    """Options that are compatible with one another, without torch's defaults."""
    name, groups, place = draw(names), draw(group_numbers), draw(_GROUP)
    known = _OPTIMIZERS[name]
    numbers = chosen_values(known.numbers, draw(CHOICES))
    raised = {flag: True for flag, on in zip(known.flags, draw(_FLAGS), strict=False) if on}
    if raised.get("nesterov") and not numbers["momentum"]:
        numbers["momentum"] = known.numbers["momentum"][1]
    if not may_dampen(numbers | raised):
        numbers.pop("dampening", None)
    options = {
        option: value
        for option, value in numbers.items()
        if option == "lr" or value != known.numbers[option][0]
    }
    rate, decay = divmod(place, 3)
    second = {"lr": known.numbers["lr"][1 - rate]}
    if "weight_decay" in known.numbers:
        second["weight_decay"] = known.numbers["weight_decay"][1 - decay]
    return OptimizerSpec(name, options | raised, (second,) * (groups - 1))

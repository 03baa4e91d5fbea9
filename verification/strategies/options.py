# SPDX-License-Identifier: MIT
"""Options of optimizers and schedules: a few values of each, of which a variant takes another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Which of its three values each option takes. All classes take equally many choices, used or not: what is
#: drawn behind an optimizer then stays the same while Hypothesis changes its class.
CHOICES = st.tuples(*[st.integers(0, 2)] * 5)


def chosen_values(options: Mapping[str, Sequence[Any]], choices: tuple[int, ...]) -> dict[str, Any]:
    """One value of every option that has any."""
    pairs = zip(options.items(), choices, strict=False)
    return {option: values[choice % len(values)] for (option, values), choice in pairs if values}


def other_values(option: str, values: tuple[Any, ...], options: Mapping[str, Any]) -> list[Any]:
    """The values of an option that a variant of ``options`` may have; none where it must stay as it is."""
    current = options.get(option, values[0])
    if isinstance(current, bool):
        return []
    if option == "dampening" and not may_dampen(options):
        return []
    if option == "momentum":
        return [value for value in values if value != current and bool(value) == bool(current)]
    return [value for value in values if value != current]


def may_dampen(options: Mapping[str, Any]) -> bool:
    """Dampening scales what enters a momentum buffer, and Nesterov's method forbids it."""
    return bool(options.get("momentum")) and not options.get("nesterov")

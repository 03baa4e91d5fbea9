# SPDX-License-Identifier: MIT
"""States of optimizers that training would take days to reach, or reaches once in a thousand runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from verification.strategies import bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

#: Counts of steps around and above 2**24, from where float32 no longer holds every integer; and none.
STEPS = (2**24 + 2, 2**24 - 1, 2**31 + 256, 0)
MOMENTS = ("zero", "negative_zero", "subnormal", "huge")
# Positions count modulo the number of parameters.
_POSITIONS = 8


@dataclass(frozen=True)
class OptimizerState:
    """What is written into an optimizer's state; see :func:`verification.engine.implant.implant`.

    Attributes:
        step: the count of steps in every entry; ``None`` leaves it.
        moments: ``zero``, ``negative_zero``, ``subnormal`` or ``huge`` averages; ``None`` leaves them.
        missing: the position of a parameter that loses its entry, modulo the number of parameters.
        fresh: whether all entries go, as before the first step.

    Example:
        >>> implant(optimizer, OptimizerState(step=2**24 + 2, moments="subnormal"))
    """

    step: int | None = None
    moments: str | None = None
    missing: int | None = None
    fresh: bool = False

    def __repr__(self) -> str:
        given = {
            name: value for name, value in vars(self).items() if value is not None and value is not False
        }
        return f"OptimizerState({', '.join(f'{name}={value!r}' for name, value in given.items())})"


@bounds.cached
def optimizer_states(
    *, steps: Sequence[int] = STEPS, moments: Sequence[str] = MOMENTS
) -> SearchStrategy[OptimizerState]:
    """Draw states to write into an optimizer: extreme counts and averages, and entries that are missing.

    One in five draws is a count, one is averages, one is both, one lacks an entry, and one lacks all.
    :func:`verification.engine.implant.implant` writes them.

    Args:
        steps: Allowed counts of steps, at least 0.
        moments: Allowed kinds of averages: ``zero``, ``negative_zero``, ``subnormal`` and ``huge``.

    Raises:
        TypeError: A bound is a single value instead of a sequence.
        ValueError: A bound is empty or holds a value that is not allowed.

    Example:
        >>> optimizer_states(steps=(2**24 + 2,), moments=("huge",))
    """
    return _optimizer_states(
        st.sampled_from(bounds.integers("steps", steps, minimum=0)),
        st.sampled_from(bounds.choices("moments", moments, allowed=MOMENTS)),
    )


_KINDS = st.sampled_from(("step", "moments", "step and moments", "missing", "fresh"))


@st.composite
def _optimizer_states(
    draw: DrawFn, steps: SearchStrategy[int], moments: SearchStrategy[str]
) -> OptimizerState:
    # All of it is drawn, used or not; see agent_configs.
    kind, drawn = draw(_KINDS), {"step": draw(steps), "moments": draw(moments)}
    position = draw(st.integers(0, _POSITIONS - 1))
    if kind == "missing":
        return OptimizerState(missing=position)
    if kind == "fresh":
        return OptimizerState(fresh=True)
    chosen: dict[str, Any] = {name: value for name, value in drawn.items() if name in kind}
    return OptimizerState(**chosen)

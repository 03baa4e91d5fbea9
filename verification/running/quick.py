# SPDX-License-Identifier: MIT
"""A first verdict in some seconds: what is cheap to ask, about few examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verification.checks.registry import Check

#: Experiments a check of a quick run. Two are not seldom both of a kind that proves nothing.
QUICK_EXAMPLES = 3


def quickly(checks: Iterable[Check]) -> list[Check]:
    """Those of some checks that cost no more than any."""
    return [check for check in checks if check.cost == 1]

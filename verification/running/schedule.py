# SPDX-License-Identifier: MIT
"""The schedule: each check behind those that go before it, and not at all if one that it needs failed."""

from __future__ import annotations

import graphlib
import heapq
from typing import TYPE_CHECKING

from verification.report.verdicts import blocked_by

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verification.checks.registry import Check
    from verification.report.model import Verdict


class Schedule:
    """Which check may be asked next, given the verdicts so far.

    Args:
        checks: in the order in which they are asked where it is free.
        verdicts: what is known about them already.
    """

    def __init__(self, checks: Iterable[Check], verdicts: dict[str, Verdict] | None = None) -> None:
        self._checks = list(checks)
        self._number = {check.name: number for number, check in enumerate(self._checks)}
        self._verdicts = dict(verdicts or {})
        self._sorter = graphlib.TopologicalSorter(
            {check.name: self._number.keys() & {*check.needs, *check.after} for check in self._checks}
        )
        self._sorter.prepare()
        self._ready: list[int] = []

    def is_active(self) -> bool:
        """Whether a check has still to be asked, or to be done."""
        return self._sorter.is_active()

    def next(self) -> Check | None:
        """The first check before which nothing is left to do; ``None`` if there is none now."""
        for name in self._sorter.get_ready():
            heapq.heappush(self._ready, self._number[name])
        return self._checks[heapq.heappop(self._ready)] if self._ready else None

    def blocked_by(self, check: Check) -> list[str]:
        """The prerequisites of a check that did not pass, in the order of the checks."""
        known = {one.name: self._verdicts[one.name] for one in self._checks if one.name in self._verdicts}
        return blocked_by(check.name, known)

    def done(self, check: Check, verdict: Verdict | None = None) -> None:
        """A check has been asked, with this verdict; without one, it was passed over."""
        if verdict is not None:
            self._verdicts[check.name] = verdict
        self._sorter.done(check.name)

# SPDX-License-Identifier: MIT
"""What failures say was lost, by the objects that held it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from verification.report.model import Verdict

if TYPE_CHECKING:
    from verification.report.model import Report


def lost_state(report: Report) -> dict[str, int]:
    """The state that failures name, by the object that holds it, with the number of leaves."""
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    for result in report.results:
        if result.verdict in {Verdict.FAILED, Verdict.XFAILED}:
            for path in result.paths:
                if path not in seen:
                    seen.add(path)
                    counts[holder(path)] += 1
    return dict(counts)


def holder(path: str) -> str:
    """The named thing a leaf belongs to: two attributes deep, or as deep as an optimizer's state goes."""
    parts = path.replace("[", ".[").split(".")
    return "".join(part if part.startswith("[") else f".{part}" for part in parts[:2]).lstrip(".")

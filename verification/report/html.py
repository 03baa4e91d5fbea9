# SPDX-License-Identifier: MIT
"""The report as one HTML page that needs no other file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jinja2

from verification.report.lost import lost_state
from verification.report.model import TOLD, Verdict

if TYPE_CHECKING:
    from verification.report.model import Report


def html(report: Report) -> str:
    """A table of verdicts, the story of each that has one, and what was lost."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("verification.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    counts = report.counts()
    return environment.get_template("page.html").render(
        report=report,
        counts=[(str(verdict), counts[verdict]) for verdict in Verdict if counts[verdict]],
        told=[result for result in report.results if result.verdict in TOLD],
        blocked=[result for result in report.results if result.verdict is Verdict.BLOCKED],
        lost=lost_state(report),
    )

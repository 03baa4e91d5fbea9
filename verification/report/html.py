# SPDX-License-Identifier: MIT
"""The report as one HTML page that needs no other file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jinja2

from verification.report import entries
from verification.report.model import Verdict
from verification.report.opening import first_screen, opening

if TYPE_CHECKING:
    from verification.report.model import Report


def html(report: Report) -> str:
    """What is lost, each opening into its story; notes, a table of verdicts, and the environment."""
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
        opening=opening(report),
        first_screen=first_screen(report),
        sections=[
            ("Lost", entries.losses(report)),
            ("What else went wrong", entries.findings(report)),
        ],
        before_values=entries.VALUES,
        before_program=entries.PROGRAM,
        examples=entries.EXAMPLES,
        noted=entries.noted(report),
        pointers=[entries.pointer(report, result) for result in report.results],
        counts=[(str(verdict), counts[verdict]) for verdict in Verdict if counts[verdict]],
        environment=entries.environment(report),
    )

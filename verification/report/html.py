# SPDX-License-Identifier: MIT
"""The report as one HTML page that needs no other file and no network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup, escape

from verification.checks.registry import all_checks
from verification.report import entries
from verification.report.model import Result, Verdict
from verification.report.opening import SURVIVING, limits, opening
from verification.report.plot import plot
from verification.report.timeline import timeline
from verification.report.tree import FATES, tree
from verification.report.wording import noted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verification.report.model import Report

#: The widths, in pixels, that pictures are drawn for: a page's, and a telephone's.
WIDTHS = {"wide": 760, "narrow": 330}
# What a reader of checks looks for first.
_ORDER = [
    Verdict.FAILED,
    Verdict.ERROR,
    Verdict.STALE,
    Verdict.INCONCLUSIVE,
    Verdict.XFAILED,
    Verdict.NOT_APPLICABLE,
    Verdict.PASSED,
]


def html(report: Report, *, command: str = "", bugs: Mapping[str, Sequence[str]] | None = None) -> str:
    """What is lost, with pictures of how; notes, the agent's state, the checks, and the environment.

    Args:
        report: what was found.
        command: the start of a command that runs a check of this adapter again.
        bugs: by check, public threads about such bugs, as ``owner/repository#number``.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("verification.report", "page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"code": _code, "words": _words, "thread": _thread, "breakable": _breakable}
    passed = {result.check for result in report.results if result.verdict is Verdict.PASSED}
    counts = report.counts()
    return environment.get_template("page.html").render(
        report=report,
        opening=opening(report),
        survived=[name for check, name in SURVIVING.items() if check in passed],
        losses=entries.losses(report, command),
        findings=entries.findings(report, command),
        before_values=entries.VALUES,
        before_program=entries.PROGRAM,
        examples=entries.EXAMPLES,
        notes=[(noted(note), str(note)) for note in report.notes],
        noted=entries.noted(report),
        state=tree(report),
        fates=FATES,
        widths=WIDTHS,
        timeline=timeline,
        plot=plot,
        checks=_sorted(report),
        pointers={result.check: entries.pointer(report, result) for result in report.results},
        about=all_checks(),
        bugs=bugs or {},
        blocked=entries.not_run(report),
        counts=[(str(verdict), counts[verdict]) for verdict in Verdict if counts[verdict]],
        limits=limits(report),
        environment=entries.environment(report),
    )


def _sorted(report: Report) -> dict[str, list[Result]]:
    """The checks that were run: those that went wrong, and the others."""
    asked = [result for result in report.results if result.verdict in _ORDER]
    asked.sort(key=lambda result: _ORDER.index(result.verdict))
    good = {Verdict.PASSED, Verdict.NOT_APPLICABLE}
    return {
        "wrong": [result for result in asked if result.verdict not in good],
        "right": [result for result in asked if result.verdict in good],
    }


def _code(text: str) -> Markup:
    """Escaped text in which what stands in backticks is code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - it is escaped


def _breakable(name: str) -> Markup:
    """A long name that may go on in the next line behind each of its words."""
    return Markup(str(escape(name)).replace("_", "_<wbr>"))  # noqa: S704 - it is escaped


def _words(text: object) -> str:
    return str(text).replace("_", " ")


def _thread(thread: str) -> str:
    """The address of a public thread."""
    repository, _, number = thread.partition("#")
    return f"https://github.com/{repository}/issues/{number}"

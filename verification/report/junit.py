# SPDX-License-Identifier: MIT
"""The report as JUnit XML, which continuous integration shows as tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from verification.report import entries
from verification.report.model import Verdict
from verification.report.opening import first_screen, opening

if TYPE_CHECKING:
    from verification.report.model import Report, Result

#: How JUnit calls what is no pass.
_ELEMENTS = {
    Verdict.FAILED: "failure",
    Verdict.STALE: "failure",
    Verdict.ERROR: "error",
    Verdict.INCONCLUSIVE: "error",
    Verdict.XFAILED: "skipped",
    Verdict.BLOCKED: "skipped",
    Verdict.NOT_APPLICABLE: "skipped",
}
# What XML 1.0 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    """One suite with a case for every check."""
    kinds = [_ELEMENTS.get(result.verdict, "") for result in report.results]
    suite = ElementTree.Element(
        "testsuite",
        name=_plain(report.adapter),
        tests=str(len(kinds)),
        failures=str(kinds.count("failure")),
        errors=str(kinds.count("error")),
        skipped=str(kinds.count("skipped")),
        time=f"{sum(result.seconds for result in report.results):.3f}",
    )
    for result in report.results:
        suite.append(_case(report, result))
    said = [opening(report), *first_screen(report), *(f"{one}." for one in report.notes)]
    output = ElementTree.SubElement(suite, "system-out")
    output.text = _plain("\n".join(filter(None, said)))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _case(report: Report, result: Result) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase",
        classname=_plain(f"{report.adapter}.{result.level}"),
        name=result.check,
        time=f"{result.seconds:.3f}",
    )
    if result.verdict in _ELEMENTS:
        kind, message = str(result.verdict), _plain(result.sentence)
        outcome = ElementTree.SubElement(case, _ELEMENTS[result.verdict], type=kind, message=message)
        outcome.text = _plain(_told(report, result))
    return case


def _told(report: Report, result: Result) -> str:
    """What the report has on a check, as text."""
    told = [
        entry
        for loss, entry in zip(report.lost, entries.losses(report), strict=True)
        if report.reported_by(loss) is result
    ]
    if not told:
        return "\n".join(filter(None, [result.promise, result.failure or result.sentence, result.program]))
    return "\n\n".join(entry.as_text() for entry in told)


def _plain(text: str) -> str:
    return _FORBIDDEN.sub("?", text)

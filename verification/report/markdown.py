# SPDX-License-Identifier: MIT
"""The report as Markdown, for a pull request or a job's summary."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from verification.report.lost import lost_state
from verification.report.model import TOLD, Verdict

if TYPE_CHECKING:
    from verification.report.model import Report, Result


def markdown(report: Report) -> str:
    """The whole report: a table, a folded story for each verdict that has one, and what was lost."""
    lines = [
        f"## {_text(report.summary())}",
        "",
        "| level | check | verdict | examples |",
        "|---|---|---|---|",
    ]
    for one in report.results:
        examples = f"{one.examples}/{one.drawn}" if one.drawn else ""
        lines.append(f"| {one.level} | `{one.check}` | {_verdict(one.verdict)} | {examples} |")
    for result in report.results:
        if result.verdict in TOLD:
            lines += ["", *_story(result)]
    blocked = [one for one in report.results if one.verdict is Verdict.BLOCKED]
    if blocked:
        lines += ["", "Not asked, because something they build on failed:", ""]
        lines += [f"- `{one.check}` {_text(one.sentence)}" for one in blocked]
    if lost := lost_state(report):
        lines += ["", "Lost or changed by save and load:", ""]
        lines += [f"- `{place}` ({count})" for place, count in lost.items()]
    if report.opaque:
        lines += ["", f"Could not look into: {', '.join(f'`{one}`' for one in report.opaque)}"]
    versions = ", ".join(f"{name} {version}" for name, version in report.environment.items())
    return "\n".join([*lines, "", f"seed {report.seed}; {_text(versions)}", ""])


def _story(result: Result) -> list[str]:
    told = "\n".join(filter(None, ["\n".join(result.differences), result.program]))
    # Longer than any run of backticks in a value, so that no value ends the block.
    fence = "`" * max([3, *(1 + len(run) for run in re.findall("`+", told))])
    block = [fence, told, fence] if told else []
    again = [f"`verify replay {result.replay}`"] if result.replay else []
    return [
        f"<details><summary>{result.check}: {_verdict(result.verdict)}</summary>",
        "",
        f"Promise: {_text(result.promise)}",
        "",
        f"{_text(result.sentence[:1].upper() + result.sentence[1:])}.",
        "",
        *block,
        "",
        *again,
        "</details>",
    ]


def _verdict(verdict: Verdict) -> str:
    return str(verdict).replace("_", " ")


def _text(text: str) -> str:
    """Text that Markdown and HTML leave as it is."""
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}")
    return text

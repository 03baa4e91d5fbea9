# SPDX-License-Identifier: MIT
"""The report as Markdown, for a pull request or a job's summary."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from verification.report import entries
from verification.report.opening import first_screen, opening

if TYPE_CHECKING:
    from verification.report.entries import Entry
    from verification.report.model import Report, Result, Verdict


def markdown(report: Report) -> str:
    """The whole report: what is lost, each folded; notes, a table of verdicts, and the environment."""
    lines = [f"## {_text(opening(report))}"]
    for sentence in first_screen(report):
        lines += ["", _text(sentence)]
    for heading, found in (
        ("Lost", entries.losses(report)),
        ("What else went wrong", entries.findings(report)),
    ):
        if found:
            lines += ["", f"### {heading}"]
        for entry in found:
            lines += ["", *_folded(entry)]
    if report.notes:
        lines += ["", f"<details><summary>{_text(entries.noted(report))}</summary>", ""]
        lines += [f"- {_text(str(note))}" for note in report.notes]
        lines += ["", "</details>"]
    lines += ["", "### Checks", "", _text(report.summary())]
    lines += ["", "| level | check | verdict | examples |", "|---|---|---|---|"]
    lines += [_row(report, result) for result in report.results]
    return "\n".join([*lines, "", entries.EXAMPLES, "", _text(entries.environment(report)), ""])


def _row(report: Report, result: Result) -> str:
    pointer = entries.pointer(report, result)
    verdict = f"{_verdict(result.verdict)}{f': {_text(pointer)}' if pointer else ''}"
    examples = f"{result.examples}/{result.drawn}" if result.drawn else ""
    return f"| {result.level} | `{result.check}` | {verdict} | {examples} |"


def _folded(entry: Entry) -> list[str]:
    lines = [f"<details><summary>{_text(entry.title)} ({_verdict(entry.verdict)})</summary>", ""]
    lines += [f"- {word}: {_text(sentence)}" for word, sentence in entry.facts]
    lines += ["", entries.VALUES, "", *_block("\n".join(entry.values))] if entry.values else []
    if entry.program:
        lines += ["", entries.PROGRAM, "", *_block(entry.program)]
    lines += ["", *(f"- {word}: `{command}`" for word, command in entry.commands)] if entry.commands else []
    return [*lines, "", "</details>"]


def _block(text: str) -> list[str]:
    # Longer than any run of backticks in a value, so that no value ends the block.
    fence = "`" * max([3, *(1 + len(run) for run in re.findall("`+", text))])
    return [fence, text, fence]


def _verdict(verdict: Verdict) -> str:
    return str(verdict).replace("_", " ")


def _text(text: str) -> str:
    """Text on one line that Markdown and HTML leave as it is."""
    text = " ".join(text.split())
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}")
    return text

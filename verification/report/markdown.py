# SPDX-License-Identifier: MIT
"""The report as Markdown, short enough for a pull request or a job's summary: the story first."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from verification.report import entries
from verification.report.model import Verdict
from verification.report.opening import first_screen, opening

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verification.report.entries import Entry
    from verification.report.model import Report

#: A report has fewer lines than this, whatever it tells.
LINES = 60
# Entries of each list at most, and characters of a line.
_ENTRIES = 20
_WIDTH = 500


def markdown(report: Report) -> str:
    """What is lost, the worst of it with its story; notes, the checks that did not pass, the environment.

    As many of the others are listed as fit.
    """
    most = next(most for most in range(_ENTRIES, -1, -1) if most == 0 or len(_lines(report, most)) < LINES)
    return "\n".join([*_lines(report, most), ""])


def _lines(report: Report, most: int) -> list[str]:
    """All lines, with at most so many entries in each list."""
    lines = [f"## {_text(opening(report))}"]
    for sentence in first_screen(report):
        lines += ["", _text(sentence)]
    story = True
    for heading, found in (
        ("Lost", entries.losses(report)),
        ("What else went wrong", entries.findings(report)),
    ):
        if found:
            lines += ["", f"### {heading}", "", *(_story(found[0]) if story else [])]
            lines += _some([_line(entry) for entry in found[int(story) :]], most)
            story = False
    if report.notes:
        notes = "; ".join(_some([str(note) for note in report.notes], most, mark=""))
        lines += ["", _text(f"{entries.noted(report)}: {notes}")]
    lines += ["", f"Checks of {_text(report.summary())}.", *_some(_not_passed(report), most, before=[""])]
    return [*lines, "", _text(entries.environment(report))]


def _not_passed(report: Report) -> list[str]:
    """The checks without a pass, a line for each verdict, and for each cause that blocks some."""
    groups: dict[str, list[str]] = {}
    for result in report.results:
        if result.verdict is not Verdict.PASSED:
            why = result.sentence if result.verdict is Verdict.BLOCKED else _verdict(result.verdict)
            groups.setdefault(why, []).append(f"`{result.check}`")
    return [f"{_text(why)}: {', '.join(checks)}" for why, checks in groups.items()]


def _story(entry: Entry) -> list[str]:
    """A line that is opened already into what is known."""
    # Up to the empty line this is HTML, in which Markdown means nothing.
    lines = [f"<details open><summary>{escape(_titled(entry))}</summary>", ""]
    lines += [f"- {word}: {_text(sentence)}" for word, sentence in entry.facts]
    lines += ["", *_block(entry.values)] if entry.values else []
    lines += ["", *(f"- {word}: `{command}`" for word, command in entry.commands)] if entry.commands else []
    return [*lines, "", "</details>", ""]


def _line(entry: Entry) -> str:
    again = next((f"; `{command}`" for word, command in entry.commands if word == "Again"), "")
    return f"{_text(_titled(entry))}{again}"


def _titled(entry: Entry) -> str:
    # A loss that no check has reported has no other verdict.
    untold = entry.verdict is Verdict.NOT_APPLICABLE
    title = _cut(" ".join(entry.title.split()))
    return f"{title} ({'promised by no check' if untold else _verdict(entry.verdict)})"


def _some(lines: list[str], most: int, *, mark: str = "- ", before: Iterable[str] = ()) -> list[str]:
    """The first lines, and how many there are besides."""
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return [*before, *(f"{mark}{line}" for line in (*lines[:most], *more))] if lines else []


def _block(lines: Iterable[str]) -> list[str]:
    shown = [_cut(" ".join(line.split())) for line in lines]
    # Longer than any run of backticks in a value, so that no value ends the block.
    fence = "`" * max([3, *(1 + len(run) for line in shown for run in re.findall("`+", line))])
    return [fence, *shown, fence]


def _verdict(verdict: Verdict) -> str:
    return str(verdict).replace("_", " ")


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _text(text: str) -> str:
    """Text on one line that Markdown and HTML leave as it is, but for names in backticks, which are code."""
    parts = _cut(" ".join(text.split())).split("`")
    if len(parts) % 2 == 0 or "" in parts[1::2]:  # a backtick without another one
        return _escaped("`".join(parts))
    return "`".join(part if index % 2 else _escaped(part) for index, part in enumerate(parts))


def _escaped(text: str) -> str:
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}")
    return text

# SPDX-License-Identifier: MIT
"""Brings a file of expected failures up to date with a report, and leaves alone what people wrote in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import tomlkit

from verification.expected_failures.entries import TABLE, load_expected
from verification.processes.whole_files import write_whole
from verification.report.model import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from verification.expected_failures.entries import Expectation
    from verification.report.model import Report, Result

_TITLE = (
    "Failures that are known and accepted, each with its reason. `verify baseline update` adds new ones and",
    "removes those that are gone; what people write here stays.",
)


@dataclass
class Changes:
    """What was done to a file.

    Attributes:
        added: failures that were not expected, with the reason that was written.
        kept: entries as they were.
        changed: entries that no longer excused their failure, with what was taken out of them.
        removed: entries whose check passes.
        left: what no entry can excuse.
    """

    added: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    removed: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def update(file: Path, report: Report) -> Changes:
    """Write the file so that the next check with it finds nothing unexpected, if it finds the same.

    Args:
        file: the file; made if it does not exist.
        report: of a check with the entries of this file, if it existed.

    Raises:
        UsageError: if the file cannot be read.
    """
    expected = load_expected(file) if file.exists() else {}
    document = tomlkit.parse(file.read_text(encoding="utf-8")) if file.exists() else _new()
    table: Any = document[TABLE]
    changes = Changes()
    judged = {result.check: result for result in report.results}
    for name, entry in expected.items():
        if name not in judged:
            changes.kept[name] = entry.why
        else:
            _revise(table, entry, judged[name], changes)
    for result in report.results:
        if result.check in expected:
            continue
        if result.verdict is Verdict.FAILED:
            reason = result.sentence + (f" ({result.paths[0]})" if result.paths else "")
            table[result.check] = {"kind": "bug", "reason": reason}
            changes.added[result.check] = reason
        elif result.verdict is Verdict.STALE:
            changes.left[result.check] = "the adapter declares it, and it passes: remove it there"
    for result in report.results:
        if result.verdict in {Verdict.ERROR, Verdict.INCONCLUSIVE}:
            changes.left[result.check] = f"{result.verdict}: {result.sentence}"
    write_whole(file, tomlkit.dumps(document))
    return changes


def _revise(table: Any, entry: Expectation, result: Result, changes: Changes) -> None:
    """Revise one entry in the light of its check's verdict."""
    name = result.check
    if result.verdict is Verdict.STALE or (result.verdict is Verdict.PASSED and entry.expired):
        del table[name]
        changes.removed[name] = f"it passes; it was expected to fail: {entry.why}"
    elif result.verdict is Verdict.FAILED:
        dropped = [key for key, limits in (("expires", entry.expired), ("torch", entry.elsewhere)) if limits]
        for key in dropped:
            del table[name][key]
        changes.changed[name] = f"{' and '.join(dropped)} was taken out, because {entry.void}"
    else:
        changes.kept[name] = entry.why


def _new() -> tomlkit.TOMLDocument:
    document = tomlkit.document()
    for line in _TITLE:
        document.add(tomlkit.comment(line))
    document.add(tomlkit.nl())
    document.add(TABLE, tomlkit.table(is_super_table=False))
    return document

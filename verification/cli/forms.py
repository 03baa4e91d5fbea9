# SPDX-License-Identifier: MIT
"""The forms of a report: which are asked for, and where they go."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from verification.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from rich.console import Console

    from verification.report.model import Report


class Format(enum.StrEnum):
    """A report's form."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    JUNIT = "junit"
    MD = "md"
    SARIF = "sarif"


def formats_in(text: str) -> set[Format]:
    """The forms that are named, with commas between them.

    Raises:
        UsageError: for an unknown name, with the nearest known one, and for none at all.
    """
    formats = set()
    for name in filter(None, (part.strip() for part in text.split(","))):
        try:
            formats.add(Format(name))
        except ValueError:
            known = [str(one) for one in Format]
            raise UsageError(
                f"there is no report {name!r}; {nearest(name, known)}forms are {', '.join(known)}"
            ) from None
    if not formats:
        raise UsageError(f"--report names no form; forms are {', '.join(map(str, Format))}")
    return formats


def make_folder(folder: Path) -> None:
    """Make the folder for reports before the run, rather than fail behind it.

    Raises:
        UsageError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--output is {folder}, where no folder can be made: {error.strerror}") from None


def show(
    report: Report, formats: Collection[Format], output: Path, console: Console, *, target: str = ""
) -> None:
    """Print a report, and write it and what proves its losses into files, in the forms that are asked for.

    Args:
        report: what was found.
        formats: in which forms.
        output: the folder for files, which exists.
        console: where to print.
        target: what names the adapter, whose lines SARIF names.
    """
    from verification.processes.whole_files import write_whole
    from verification.report.proofs import file_name, write_proofs
    from verification.report.text import render

    if Format.TEXT in formats:
        render(report, console, command=report.command)
    files = [form for form in Format if form in formats and form is not Format.TEXT]
    for form in files:
        file = output / f"{file_name(report.adapter)}.{'xml' if form is Format.JUNIT else form}"
        write_whole(file, _written(report, form, target), errors="backslashreplace")
        console.print(f"report: {file}", highlight=False, soft_wrap=True)
    for proof in write_proofs(report, output) if files else ():
        console.print(f"proof: {proof}", highlight=False, soft_wrap=True)


def _written(report: Report, form: Format, target: str) -> str:
    """A report in one of the forms that go into a file."""
    match form:
        case Format.HTML:
            from verification.mutants.threads import threads_by_check
            from verification.report.html import html

            return html(report, command=report.command, bugs=threads_by_check())
        case Format.JUNIT:
            from verification.report.junit import junit

            return junit(report)
        case Format.MD:
            from verification.report.markdown import markdown

            return markdown(report)
        case Format.SARIF:
            from verification.adapters.find import load_adapter
            from verification.report.sarif import sarif
            from verification.report.source_places import places_of

            return sarif(report, places_of(load_adapter(target)))
    from verification.report.as_json import as_json

    return as_json(report)

# SPDX-License-Identifier: MIT
"""Failures that are kept: each failing program, in a file of its own, until it passes."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verification.counterexamples import program_json
from verification.counterexamples.source import NoSource, Source
from verification.errors import UsageError, nearest
from verification.processes.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import PathLike

    from verification.checks.registry import Check
    from verification.program import Program

#: Where the command keeps failures, below the current folder.
FOLDER = Path(".verify", "failures")
_SUFFIX = ".failure"
#: Of what is in a file: 2 has the program as JSON behind the first line. 1 had a pickle, which can run code.
_FORMAT = 2


@dataclass(frozen=True)
class StoredFailure:
    """A failing program and what is known about it.

    Attributes:
        id: follows from target, check and program.
        target: the adapter, by the name that ``verify check`` takes.
        check: the name of the check that failed.
        sentence: how.
        when: when it was last seen, with the time zone, in ISO 8601.
        file: where it is.
        names: what the program may name; see :func:`verification.counterexamples.program_json.loads`.
    """

    id: str
    target: str
    check: str
    sentence: str
    when: str
    file: Path
    names: frozenset[str] = frozenset()

    def program(self) -> Program:
        """The program.

        Raises:
            UnknownName: if it names what a program of its adapter does not.
            UsageError: if it can no longer be read, because a class in it has changed, for example.
        """
        try:
            return program_in(self.file, self.names)
        except program_json.UnknownName:
            raise
        except Exception as error:
            raise UsageError(
                f"the failure kept as {self.id} can no longer be read ({type(error).__name__}: {error})"
            ) from None


class FailureStore:
    """A folder of failures, each a file with two lines of JSON: what is known about it, and its program.

    Somebody else may have filled the folder. So a program is read only if all that it names occurs in some
    that are drawn for the adapter; see :mod:`verification.counterexamples.program_json`.

    Args:
        folder: where the files are; made when the first failure is kept.
        target: the adapter whose failures are kept, by the name that ``verify check`` takes.
    """

    def __init__(self, folder: str | PathLike[str], target: str) -> None:
        self.folder: Path = Path(folder)
        self.target = target
        self.names: frozenset[str] = frozenset()  # that programs of the adapter have

    def keep(self, check: Check, program: Program, sentence: str) -> str:
        """Keep a failing program; return its ID, or nothing if that is impossible."""
        try:
            written = program_json.dumps(program)
            program_json.loads(written, program_json.names_in(program))
        except Exception:
            return ""
        key = "\0".join([self.target, check.name, _text(program, written)])
        name = hashlib.blake2b(key.encode(), digest_size=4).hexdigest()
        when = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        file = self.folder / f"{name}{_SUFFIX}"
        failure = StoredFailure(name, self.target, check.name, sentence, when, file)
        header = {"format": _FORMAT, **dataclasses.asdict(failure)}
        del header["file"], header["names"]
        try:
            write_whole(self.folder / ".gitignore", "*\n")
            write_whole(file, f"{json.dumps(header)}\n{written}\n")
        except OSError:
            return ""
        return name

    def of(self, check: Check) -> list[StoredFailure]:
        """The failures of a check of this adapter."""
        return [one for one in self._own(read(self.folder)[0]) if one.check == check.name]

    def clean(self, names: Callable[[], frozenset[str]]) -> list[str]:
        """Remove files that cannot be read; return a sentence for each.

        Args:
            names: finds out what programs of the adapter name; called if any are kept.
        """
        stored, sentences = read(self.folder)
        own = self._own(stored)
        self.names = names() if own else self.names
        for one in self._own(own):
            try:
                one.program()
            except program_json.UnknownName as error:
                sentences.append(f"the failure kept as {one.id} was not run again: {error}")
            except UsageError as error:
                if one.file.exists():  # or another run has just removed it
                    forget(one)
                    sentences.append(f"{error}; it was dropped")
        return sentences

    def _own(self, stored: Iterable[StoredFailure]) -> list[StoredFailure]:
        """Those of this adapter, which may name what its programs do."""
        return [dataclasses.replace(one, names=self.names) for one in stored if one.target == self.target]


def read(folder: Path) -> tuple[list[StoredFailure], list[str]]:
    """All failures in a folder, the newest first; what is no failure is removed, with a sentence for each."""
    stored: list[StoredFailure] = []
    sentences: list[str] = []
    for file in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            with file.open("rb") as opened:
                header = {"format": 1, **json.loads(opened.readline()), "file": file}
            if header.pop("format") != _FORMAT:
                raise ValueError("another version has written it")
            stored.append(StoredFailure(**header))
        except FileNotFoundError:  # another process has just removed it
            continue
        except (OSError, ValueError, TypeError):
            file.unlink(missing_ok=True)
            sentences.append(f"{file} is not a failure that this version can read; it was dropped")
    return sorted(stored, key=lambda one: one.when, reverse=True), sentences


def program_in(file: Path, names: frozenset[str] | None = None) -> Program:
    """The program in the file of a failure, written by this version or an earlier one.

    Args:
        file: the file.
        names: those that may occur in it; by default any.

    Raises:
        Exception: of any kind, if it cannot be read.
    """
    _, _, written = file.read_bytes().partition(b"\n")
    program = program_json.loads(written.decode(), names)
    return dataclasses.replace(program)  # with the fields that programs have got since it was kept


def find(folder: Path, name: str) -> StoredFailure:
    """The failure with an ID.

    Raises:
        UsageError: if there is none, with the nearest.
    """
    stored = {one.id: one for one in read(folder)[0]}
    if name not in stored:
        raise UsageError(
            f"there is no failure {name!r} in {folder}; {nearest(name, stored)}`verify replay` lists them"
        )
    return stored[name]


def forget(failure: StoredFailure) -> None:
    """Remove a failure."""
    failure.file.unlink(missing_ok=True)


def _text(program: Program, written: str) -> str:
    """What stands for a program in its ID: its source, because equal programs may share other objects."""
    try:
        return Source().of(program)
    except NoSource:
        return written

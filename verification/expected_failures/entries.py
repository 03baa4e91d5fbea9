# SPDX-License-Identifier: MIT
"""Expected failures: what is known to be broken, each entry with its reason and its limits."""

from __future__ import annotations

import contextlib
import datetime
import enum
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from verification.checks.registry import all_checks
from verification.errors import UsageError, nearest

if TYPE_CHECKING:
    from os import PathLike

    from verification.adapter import Adapter
    from verification.checks.registry import Check

#: The table of a TOML file that holds the entries.
TABLE = "expected_failures"
_KEYS = ("kind", "reason", "issue", "expires", "torch")


class Kind(enum.StrEnum):
    """Why a failure is accepted: it is a bug, it was never promised, or it is going to be kept one day."""

    BUG = "bug"
    UNSUPPORTED = "unsupported"
    PLANNED = "planned"


@dataclass(frozen=True)
class Expectation:
    """One check that is known to fail.

    Attributes:
        reason: why that is accepted, in a few words.
        kind: a bug, something that was never promised, or something that is planned.
        issue: where it is discussed, as an address or as text.
        expires: the last day on which the failure is excused.
        torch: the versions of torch that it is excused on, as packages write them: ``<2.8``.
    """

    reason: str
    kind: Kind = Kind.BUG
    issue: str = ""
    expires: datetime.date | None = None
    torch: str = ""

    @property
    def why(self) -> str:
        """The reason, with the kind where it is no bug, and the place where it is discussed."""
        kind = "" if self.kind is Kind.BUG else f"{self.kind}: "
        return f"{kind}{self.reason}{f', see {self.issue}' if self.issue else ''}"

    @property
    def expired(self) -> bool:
        """Whether its last day is over."""
        return self.expires is not None and datetime.datetime.now().astimezone().date() > self.expires

    @property
    def elsewhere(self) -> bool:
        """Whether it is for versions of torch other than the one that runs."""
        return bool(self.torch) and not SpecifierSet(self.torch).contains(
            metadata.version("torch"), prereleases=True
        )

    @property
    def void(self) -> str:
        """Why the failure is not excused here and now, in a few words; empty if it is."""
        if self.expired:
            return f"it was excused until {self.expires}, which has expired"
        if self.elsewhere:
            return f"it is excused on torch {self.torch} only, and this is {metadata.version('torch')}"
        return ""


#: What people write: by check, a reason or a table of an entry's keys.
Expected: TypeAlias = Mapping[str, str | Mapping[str, Any]]


def load_expected(
    source: Expected | str | PathLike[str] | None, adapter: Adapter | None = None
) -> dict[str, Expectation]:
    """The entries by check name, from a mapping or a TOML file, over those that the adapter declares.

    The file has one table, ``[expected_failures]``. An entry is a reason, ``check_name = "reason"``, or a
    table with ``reason`` and, if wanted, ``kind``, ``issue``, ``expires`` and ``torch``.

    Raises:
        UsageError: for a file that cannot be read, an unknown check, key or kind, or a missing reason.
    """
    entries: dict[str, Any] = dict(getattr(adapter, "expected_failures", None) or {})
    if isinstance(source, Mapping):
        entries |= source
    elif source is not None:
        entries |= _read(Path(source))
    return {name: _expectation(name, entry) for name, entry in entries.items()}


def is_expected(expected: Mapping[str, Expectation], check: Check) -> bool:
    """Whether a failure of the check is excused here and now."""
    return check.name in expected and not expected[check.name].void


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"cannot read the expected failures in {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    table = content.get(TABLE)
    if not isinstance(table, dict):
        raise UsageError(f"{path} has no table [{TABLE}]")
    return table


def _expectation(name: str, entry: object) -> Expectation:
    if name not in all_checks():
        raise UsageError(
            f"expected failures name {name!r}, which is no check; {nearest(name, all_checks())}"
            "`verify list` shows all of them"
        )
    where = f"the expected failure of {name}"
    fields: dict[str, Any] = dict(entry) if isinstance(entry, Mapping) else {"reason": entry}
    for key in fields:
        if key not in _KEYS:
            raise UsageError(f"{where} has a key {key!r}; {nearest(key, _KEYS)}keys are {', '.join(_KEYS)}")
    reason = fields.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise UsageError(f"{where} has no reason; say in a few words why it is accepted")
    return Expectation(
        reason,
        _kind(where, fields.get("kind", Kind.BUG)),
        _text(where, "issue", fields),
        _day(where, fields.get("expires")),
        _versions(where, _text(where, "torch", fields)),
    )


def _kind(where: str, kind: object) -> Kind:
    try:
        return Kind(kind)  # type: ignore[arg-type]
    except ValueError:
        kinds = [str(one) for one in Kind]
        raise UsageError(
            f"{where} has the kind {kind!r}; {nearest(str(kind), kinds)}kinds are {', '.join(kinds)}"
        ) from None


def _text(where: str, key: str, fields: Mapping[str, Any]) -> str:
    text = fields.get(key, "")
    if not isinstance(text, str):
        raise UsageError(f"{where} has {key} = {text!r}; write it in quotation marks")
    return text


def _day(where: str, day: object) -> datetime.date | None:
    if isinstance(day, str):
        with contextlib.suppress(ValueError):
            day = datetime.date.fromisoformat(day)
    if day is None or (isinstance(day, datetime.date) and not isinstance(day, datetime.datetime)):
        return day
    raise UsageError(f"{where} expires on {day!r}; give the last day as year-month-day, such as 2027-01-31")


def _versions(where: str, torch: str) -> str:
    try:
        SpecifierSet(torch)
    except InvalidSpecifier:
        raise UsageError(
            f"{where} has torch = {torch!r}; give versions as packages do, such as '<2.8' or '>=2.6,<3'"
        ) from None
    return torch

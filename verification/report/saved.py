# SPDX-License-Identifier: MIT
"""Reads reports that an earlier run has written as JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verification.errors import UsageError
from verification.losses import Loss, Note
from verification.program import HORIZON
from verification.report.model import SCHEMA, Result

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class ReportedLoss(Loss):
    """A loss with what the report says about it besides.

    Attributes:
        hint: what to look at first; empty if it fits no known pattern.
        check: the check that reports it; empty if none does.
        replay: the ID under which its program is kept; empty if it is not.
    """

    hint: str = ""
    check: str = ""
    replay: str = ""


@dataclass(frozen=True)
class SavedReport:
    """What a report in JSON says, as far as it can be compared with another, or merged.

    Attributes:
        adapter: the adapter's name.
        level: the level asked for.
        seed: of the programs.
        environment: versions that decide about bits.
        lost: every loss, the worst first.
        notes: differences of which nothing follows.
        results: the outcome of every check, by its name.
        opaque: what could not be looked into, each with its type.
        strict: whether differences of which nothing follows fail the run, too.
        horizon: how many steps before a checkpoint and after it were looked at.
        not_run: what was not run, and how to have it run.
        examples: experiments a check; 0 if nobody knows.
        command: the start of a command that runs the same again; empty if there is none.
        shard: which part of a run it is, such as ``3/8``; empty for a whole one.
        interrupted: whether the run was interrupted.
    """

    adapter: str
    level: str
    seed: int
    environment: Mapping[str, str]
    lost: tuple[ReportedLoss, ...]
    notes: tuple[Note, ...]
    results: Mapping[str, Result]
    opaque: tuple[str, ...] = ()
    strict: bool = False
    horizon: int = HORIZON
    not_run: tuple[str, ...] = ()
    examples: int = 0
    command: str = ""
    shard: str = ""
    interrupted: bool = False


def read_report(path: Path) -> SavedReport:
    """The report in a file.

    Raises:
        UsageError: in one sentence, for a file that is none, or is of a newer version.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError:  # no UTF-8, or no JSON
        raise UsageError(f"{path} is no report of verify check --report json: it is not JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get("schema"), int):
        raise UsageError(f"{path} is no report of verify check --report json: it has no 'schema'")
    if data["schema"] > SCHEMA:
        raise UsageError(
            f"{path} was written by a newer version: its schema is {data['schema']}, and this version reads "
            f"none above {SCHEMA}; update td3-verification"
        )
    try:
        return _report(data)
    except KeyError as error:
        raise UsageError(f"{path} is no whole report: it has no {error}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} is no whole report of schema {data['schema']} ({error})") from None


def _report(data: Mapping[str, Any]) -> SavedReport:
    shared = {"opaque": (), "losses": (), "notes": ()}  # said once for all checks
    results = [Result.from_dict({**_known(Result, one), **shared}) for one in data["results"]]
    return SavedReport(
        str(data["adapter"]),
        str(data["level"]),
        int(data["seed"]),
        {str(name): str(version) for name, version in data["environment"].items()},
        tuple(ReportedLoss.from_dict(_known(ReportedLoss, one)) for one in data["lost"]),
        tuple(Note(**_known(Note, one)) for one in data["notes"]),
        {one.check: one for one in results},
        opaque=tuple(data.get("opaque", ())),
        strict=bool(data.get("strict", False)),
        horizon=int(data.get("horizon", HORIZON)),
        not_run=tuple(data.get("not_run", ())),
        examples=int(data.get("examples", 0)),
        command=str(data.get("command", "")),
        shard=str(data.get("shard", "")),
        interrupted=bool(data.get("interrupted", False)),
    )


def _known(kind: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a class, without those that a later version has added."""
    return {field.name: data[field.name] for field in dataclasses.fields(kind) if field.name in data}

# SPDX-License-Identifier: MIT
"""The report as SARIF 2.1.0, which code hosts show beside the lines of an adapter's ``save`` and ``load``."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from verification.checks.registry import all_checks
from verification.report import entries
from verification.report.model import DETAILED, Verdict
from verification.report.opening import opening
from verification.state import Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verification.losses import Loss
    from verification.report.entries import Entry
    from verification.report.model import Report, Result
    from verification.report.source_places import SourcePlace

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
#: The rule of losses that none of the checks that ran promises anything about.
UNPROMISED = "unpromised_loss"
_LEVELS = {Verdict.FAILED: "error", Verdict.STALE: "error", Verdict.XFAILED: "note"}
# What is no statement about the agent: the run itself went wrong.
_NOTIFIED = {Verdict.ERROR: "error", Verdict.INCONCLUSIVE: "warning"}


def sarif(report: Report, places: Mapping[str, SourcePlace]) -> str:
    """One run, with a result for each loss and for each check that failed without one.

    Args:
        report: what was found.
        places: where the adapter's ``save`` and ``load`` are, as far as that is known.
    """
    rules = _rules(report)
    told = [
        *_of_losses(report, places),
        *(
            _result(result.check, entry.title, entry, _shown(places, "load"), result.check)
            for result, entry in zip(_without_loss(report), entries.findings(report), strict=True)
            if result.verdict in _LEVELS
        ),
    ]
    order = [rule["id"] for rule in rules]
    run = {
        "tool": {"driver": {**_driver(report), "rules": rules}},
        "automationDetails": {"id": f"verify/{report.adapter}/{report.level}/"},
        "invocations": [_invocation(report)],
        "results": [{**one, "ruleIndex": order.index(one["ruleId"])} for one in told],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _driver(report: Report) -> dict[str, Any]:
    version = report.environment.get("td3-verification")
    return {"name": "td3-verification", **({"version": version} if version else {})}


def _rules(report: Report) -> list[dict[str, Any]]:
    """What was asked: the checks, and what holds for losses that none of them promises anything about."""
    known = all_checks()
    rules = []
    for result in report.results:
        reason = known[result.check].reason if result.check in known else ""
        rules.append(
            {
                "id": result.check,
                "shortDescription": _message(result.promise),
                **({"fullDescription": _message(reason)} if reason else {}),
                "help": _message(
                    f"{reason} verify explain {result.check} tells more, with public bugs.".strip()
                ),
                "defaultConfiguration": {"level": "error"},
                "properties": {"tags": [f"level {result.level}"]},
            }
        )
    unpromised = "Something is lost that none of the checks that ran promises anything about."
    return [*rules, {"id": UNPROMISED, "shortDescription": _message(unpromised)}]


def _of_losses(report: Report, places: Mapping[str, SourcePlace]) -> list[dict[str, Any]]:
    found = []
    for loss, entry in zip(report.lost, entries.losses(report), strict=True):
        result = report.reported_by(loss)
        rule = result.check if result else UNPROMISED
        one = _result(rule, f"Lost: {entry.title}", entry, _shown(places, _guilty(loss)), loss.path)
        if result is not None and result.verdict is Verdict.XFAILED:
            one["suppressions"] = [_suppression(result)]
        found.append(one)
    return found


def _guilty(loss: Loss) -> str:
    """The member to look at first: bonds are broken by a load; all else may not be in the file."""
    return "load" if loss.part == Part.BINDING.value else "save"


def _without_loss(report: Report) -> list[Result]:
    return [result for result in report.results if result.verdict in DETAILED and not result.lost]


def _result(
    rule: str, title: str, entry: Entry, shown: Sequence[tuple[str, SourcePlace]], identity: str
) -> dict[str, Any]:
    facts = [f"{word}: {sentence}" for word, sentence in entry.facts]
    again = [f"{word}: {command}" for word, command in entry.commands]
    mark = hashlib.sha256(f"{rule}\n{identity}".encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return {
        "ruleId": rule,
        "level": _LEVELS.get(entry.verdict, "note"),
        "message": _message("\n".join([title, *facts, *again])),
        "locations": [_location(place) for _, place in shown[:1]],
        "relatedLocations": [{**_location(place), "message": _message(name)} for name, place in shown[1:]],
        # GitHub tells results apart by the field of this name; without it, those of one line are one.
        "partialFingerprints": {"primaryLocationLineHash": f"{mark}:1"},
    }


def _suppression(result: Result) -> dict[str, Any]:
    _, _, excuse = result.sentence.rpartition("[expected: ")
    return {"kind": "external", "status": "accepted", "justification": excuse.removesuffix("]")}


def _shown(places: Mapping[str, SourcePlace], first: str) -> list[tuple[str, SourcePlace]]:
    """Both members with their places, as far as they are known, one of them first."""
    order = sorted(("save", "load"), key=lambda member: member != first)
    return [(member, places[member]) for member in order if member in places]


def _location(place: SourcePlace) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(place.file), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": place.first, "endLine": place.last},
        }
    }


def _invocation(report: Report) -> dict[str, Any]:
    wrong = [result for result in report.results if result.verdict in _NOTIFIED]
    notifications = [
        {
            "level": _NOTIFIED[result.verdict],
            "message": _message(f"{result.check}: {result.sentence}"),
            "associatedRule": {"id": result.check},
        }
        for result in wrong
    ]
    return {
        "executionSuccessful": not any(result.verdict is Verdict.ERROR for result in wrong),
        "exitCode": int(report.exit_code),
        "exitCodeDescription": opening(report),
        "toolExecutionNotifications": notifications,
    }


def _message(text: str) -> dict[str, str]:
    # In braces SARIF expects the number of an argument.
    return {"text": text.replace("{", "{{").replace("}", "}}")}

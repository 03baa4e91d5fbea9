# SPDX-License-Identifier: MIT
"""The JSON report follows the schema that is published with it, and the schema describes all of it."""

from __future__ import annotations

import dataclasses
import importlib.resources
import json
from typing import Any

import pytest
from adapters import Tiny
from jsonschema import Draft202012Validator
from test_reports import EVERY, FAILED, HOSTILE, LOSING, report, result

from verification.levels import Level
from verification.losses import _WORST_FIRST
from verification.report.as_json import as_json
from verification.report.model import SCHEMA, ExitCode, Report, Verdict
from verification.running.check_agent import check_agent
from verification.state import Part

SCHEMA_FILE = importlib.resources.files("verification.report") / "report.schema.json"
PUBLISHED = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(PUBLISHED)

REPORTS = {
    "every verdict": report(HOSTILE, LOSING, *EVERY),
    "passed": report(result(Verdict.PASSED)),
    "nothing": Report("tiny", "protocol", (), 0, {}),
    "interrupted": dataclasses.replace(report(LOSING), interrupted=True),
    "strict": dataclasses.replace(report(LOSING), strict=True, horizon=1),
}


def errors(data: Any) -> list[str]:
    return [f"{one.json_path}: {one.message}" for one in VALIDATOR.iter_errors(data)]


def test_the_schema_is_a_schema_of_the_version_that_reports_have() -> None:
    Draft202012Validator.check_schema(PUBLISHED)
    assert PUBLISHED["properties"]["schema"]["const"] == SCHEMA
    assert PUBLISHED["$id"] == f"urn:td3-verification:report:{SCHEMA}"


@pytest.mark.parametrize("found", REPORTS.values(), ids=REPORTS)
def test_reports_follow_the_schema(found: Report) -> None:
    assert errors(json.loads(as_json(found))) == []


@pytest.mark.parametrize("flaw", ["", "loses its counter", "loses its noise"])
def test_reports_of_real_runs_follow_the_schema(flaw: str) -> None:
    checks = ["counters_survive_reload", "generators_survive_reload"]
    found = check_agent(Tiny(flaw) if flaw else Tiny(), checks=checks, examples=3, seed=1, shrink=False)
    assert bool(found.lost) is bool(flaw)
    assert errors(json.loads(as_json(found))) == []


def test_the_schema_describes_every_field_and_requires_it() -> None:
    data = json.loads(as_json(report(LOSING, FAILED)))
    definitions = PUBLISHED["$defs"]
    for written, described in (
        (data, PUBLISHED),
        (data["lost"][0], definitions["loss"]),
        (data["notes"][0], definitions["note"]),
        (data["results"][0], definitions["result"]),
    ):
        assert set(described["properties"]) == set(described["required"]) == set(written)
        own = {name: one for name, one in described["properties"].items() if "$ref" not in one}
        assert [name for name, one in own.items() if not one.get("description")] == []


def test_the_words_of_the_schema_are_those_of_the_code() -> None:
    definitions = PUBLISHED["$defs"]
    assert definitions["verdict"]["enum"] == [str(one) for one in Verdict]
    assert definitions["level"]["enum"] == [str(one) for one in Level]
    assert definitions["loss"]["properties"]["part"]["enum"] == [one.value for one in Part]
    assert definitions["loss"]["properties"]["how"]["enum"] == list(_WORST_FIRST)
    assert PUBLISHED["properties"]["exit_code"]["enum"] == sorted({*ExitCode} - {ExitCode.USAGE})


@pytest.mark.parametrize(
    ("damage", "where"),
    [
        (lambda data: data.pop("lost"), "$: 'lost' is a required property"),
        (lambda data: data.update(schema=2), "$.schema: "),
        (lambda data: data.update(level="none"), "$.level: "),
        (lambda data: data.update(exit_code=2), "$.exit_code: "),
        (lambda data: data["counts"].update(lost=1), "$.counts: "),
        (lambda data: data["lost"][0].pop("path"), "$.lost[0]: 'path' is a required property"),
        (lambda data: data["lost"][0].update(part="socks"), "$.lost[0].part: "),
        (lambda data: data["results"][0].update(verdict="good"), "$.results[0].verdict: "),
        (lambda data: data["results"][0].update(seconds=-1), "$.results[0].seconds: "),
        (lambda data: data["notes"][0].pop("reason"), "$.notes[0]: 'reason' is a required property"),
    ],
)
def test_what_does_not_follow_it_is_noticed(damage: Any, where: str) -> None:
    data = json.loads(as_json(report(LOSING)))
    damage(data)
    (error,) = errors(data)
    assert error.startswith(where)


def test_fields_that_a_later_version_adds_are_allowed() -> None:
    data = json.loads(as_json(report(LOSING)))
    for one in (data, data["lost"][0], data["results"][0], data["notes"][0]):
        one["later"] = 1
    assert errors(data) == []

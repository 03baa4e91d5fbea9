# SPDX-License-Identifier: MIT
"""The report as SARIF 2.1.0: what the standard requires, one result a loss, and where it is shown."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from adapters import Tiny
from jsonschema import Draft202012Validator
from test_reports import EVERY, FAILED, HOSTILE, LOSING, TARGETS, report, result

from verification.adapters.td3_core import TD3Core
from verification.losses import Loss
from verification.report.model import ExitCode, Report, Verdict
from verification.report.sarif import UNPROMISED, sarif
from verification.report.source_places import SourcePlace, places_of

PLACES = {"save": SourcePlace("mine/a b.py", 10, 12), "load": SourcePlace("mine/a b.py", 14, 17)}


def the(properties: dict[str, Any], *required: str, **more: Any) -> dict[str, Any]:
    """An object that has these properties, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": [*required],
        "additionalProperties": False,
        **more,
    }


def many(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


# What the schema of the standard requires of those of its objects that are used here, in our words.
TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
MESSAGE = the({"text": TEXT}, "text")
LEVEL = {"enum": ["none", "note", "warning", "error"]}
BAG = {"type": "object", "properties": {"tags": {**many(TEXT), "uniqueItems": True}}}
ARTIFACT = the({"uri": {"type": "string", "pattern": r"^[^\s\\]+$"}, "uriBaseId": TEXT})
REGION = the({"startLine": {"type": "integer", "minimum": 1}, "endLine": {"type": "integer", "minimum": 1}})
LOCATION = the(
    {
        "physicalLocation": the({"artifactLocation": ARTIFACT, "region": REGION}, "artifactLocation"),
        "message": MESSAGE,
    }
)
RULE = the(
    {
        "id": TEXT,
        "shortDescription": MESSAGE,
        "fullDescription": MESSAGE,
        "help": MESSAGE,
        "defaultConfiguration": the({"level": LEVEL}),
        "properties": BAG,
    },
    "id",
)
NOTIFICATION = the({"level": LEVEL, "message": MESSAGE, "associatedRule": the({"id": TEXT}, "id")}, "message")
INVOCATION = the(
    {
        "executionSuccessful": {"type": "boolean"},
        "exitCode": NUMBER,
        "exitCodeDescription": TEXT,
        "toolExecutionNotifications": many(NOTIFICATION),
    },
    "executionSuccessful",
)
SUPPRESSION = the(
    {
        "kind": {"enum": ["inSource", "external"]},
        "status": {"enum": ["accepted", "underReview", "rejected"]},
        "justification": TEXT,
    },
    "kind",
)
RESULT = the(
    {
        "ruleId": TEXT,
        "ruleIndex": {"type": "integer", "minimum": -1},
        "level": LEVEL,
        "message": MESSAGE,
        "locations": many(LOCATION),
        "relatedLocations": {**many(LOCATION), "uniqueItems": True},
        "partialFingerprints": {"type": "object", "additionalProperties": TEXT},
        "suppressions": {**many(SUPPRESSION), "uniqueItems": True},
    },
    "message",
)
DRIVER = the(
    {"name": TEXT, "version": {"type": "string"}, "rules": {**many(RULE), "uniqueItems": True}}, "name"
)
RUN = the(
    {
        "tool": the({"driver": DRIVER}, "driver"),
        "automationDetails": the({"id": TEXT}),
        "invocations": many(INVOCATION),
        "results": many(RESULT),
    },
    "tool",
)
VALIDATOR = Draft202012Validator(
    the({"$schema": TEXT, "version": {"const": "2.1.0"}, "runs": many(RUN)}, "version", "runs")
)


def run_of(found: Report, places: dict[str, SourcePlace] = PLACES) -> Any:
    """The only run, if it is as the standard says."""
    data = json.loads(sarif(found, places))
    assert [f"{one.json_path}: {one.message}" for one in VALIDATOR.iter_errors(data)] == []
    (run,) = data["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    assert [rules[one["ruleIndex"]] for one in run["results"]] == [one["ruleId"] for one in run["results"]]
    return run


def lines(location: Any) -> tuple[str, int, int]:
    physical = location["physicalLocation"]
    region = physical["region"]
    return physical["artifactLocation"]["uri"], region["startLine"], region["endLine"]


def test_every_report_is_as_the_standard_says() -> None:
    found = report(LOSING, *EVERY[1:2])
    for one in (
        found,
        report(),
        report(result(Verdict.PASSED)),
        dataclasses.replace(found, adapter="[x] {y}"),
    ):
        run_of(one)
        run_of(one, {})


def test_each_loss_is_one_result_at_save_with_load_beside_it() -> None:
    first, second = run_of(report(LOSING))["results"]
    assert (first["ruleId"], first["level"]) == ("targets_survive_reload", "error")
    (location,), (related,) = first["locations"], first["relatedLocations"]
    assert lines(location) == ("mine/a%20b.py", 10, 12)
    assert (lines(related), related["message"]["text"]) == (("mine/a%20b.py", 14, 17), "load")
    told = first["message"]["text"].splitlines()
    assert told[0] == "Lost: critic_target (9 tensors): `critic` takes another step from the second step on"
    assert told[1].startswith("Promise: Target networks come back bit for bit.")
    assert "Again: verify replay 3f9a1c20" in told
    # No check promises that the counter survives.
    assert (second["ruleId"], second["level"]) == (UNPROMISED, "note")
    assert second["message"]["text"].startswith("Lost: count: training changes it")


def test_what_a_load_breaks_is_shown_at_load() -> None:
    bond = Loss("agent.net", "agent.net", "object identity", "spreads")
    (one,) = run_of(report(dataclasses.replace(LOSING, losses=(bond,), lost=("agent.net",))))["results"]
    assert lines(one["locations"][0])[1] == 14
    (one,) = run_of(report(FAILED))["results"]
    assert lines(one["locations"][0])[1] == 14
    assert one["message"]["text"].startswith("targets_survive_reload: Target networks saved after 2 steps")


def test_results_of_one_line_are_told_apart_and_recognised_again() -> None:
    other = dataclasses.replace(TARGETS, name="agent.other", path="agent.other")
    found = report(dataclasses.replace(LOSING, losses=(TARGETS, other), lost=(TARGETS.path, other.path)))
    marks = [one["partialFingerprints"]["primaryLocationLineHash"] for one in run_of(found)["results"]]
    assert len(set(marks)) == 2
    later = dataclasses.replace(found, seed=99)
    assert [
        one["partialFingerprints"]["primaryLocationLineHash"] for one in run_of(later)["results"]
    ] == marks


def test_an_expected_loss_is_suppressed_with_its_reason() -> None:
    expected = f"{LOSING.sentence} [expected: issue 12: targets [all] are made anew]"
    xfailed = dataclasses.replace(LOSING, verdict=Verdict.XFAILED, sentence=expected, losses=(TARGETS,))
    (one,) = run_of(report(xfailed))["results"]
    assert one["level"] == "note"
    assert one["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "issue 12: targets [all] are made anew"}
    ]
    assert all("suppressions" not in one for one in run_of(report(LOSING))["results"])


@pytest.mark.parametrize("verdict", list(Verdict))
def test_each_verdict_without_a_loss(verdict: Verdict) -> None:
    run = run_of(report(result(verdict)))
    levels = {Verdict.FAILED: "error", Verdict.STALE: "error", Verdict.XFAILED: "note"}
    assert [one["level"] for one in run["results"]] == ([levels[verdict]] if verdict in levels else [])
    (invocation,) = run["invocations"]
    notified = {Verdict.ERROR: ["error"], Verdict.INCONCLUSIVE: ["warning"]}.get(verdict, [])
    assert [one["level"] for one in invocation["toolExecutionNotifications"]] == notified
    assert invocation["executionSuccessful"] is (verdict is not Verdict.ERROR)
    assert invocation["exitCode"] == report(result(verdict)).exit_code
    if notified:
        (one,) = invocation["toolExecutionNotifications"]
        assert one["message"]["text"] == "runs_are_repeatable: because"


def test_the_run_says_what_was_asked() -> None:
    run = run_of(report(LOSING, result(Verdict.PASSED)))
    assert run["automationDetails"]["id"] == "verify/tiny/training/"
    targets, repeatable, _ = run["tool"]["driver"]["rules"]
    assert targets["shortDescription"]["text"] == "Target networks come back bit for bit."
    assert targets["fullDescription"]["text"].startswith("Targets that are made anew")
    assert "verify explain runs_are_repeatable tells more" in repeatable["help"]["text"]
    assert run["invocations"][0]["exitCode"] == ExitCode.FAILED


def test_braces_are_no_arguments() -> None:
    hostile = dataclasses.replace(HOSTILE, sentence="it has {0} and {x}")
    (one,) = run_of(report(hostile))["results"]
    assert "It has {{0}} and {{x}}." in one["message"]["text"]


# -- places ------------------------------------------------------------------------------------------------


def source(place: SourcePlace, root: Path) -> str:
    text = (root / place.file).read_text(encoding="utf-8").splitlines()
    return "\n".join(text[place.first - 1 : place.last])


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An adapter's module in a folder of its own."""
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/__init__.py").write_text("")
    lines = ["class Base:", "    def save(self, agent, path):", "        agent.save(path)", ""]
    lines += ["class Made(Base):", "    def load(self, agent, path):", "        return agent.load(path)", ""]
    (tmp_path / "pack/made.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("pack.made")
    for name in ("pack", "pack.made"):
        del sys.modules[name]


def test_places_are_relative_to_the_repository(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path / "pack")
    assert places_of(module.Made()) == {
        "save": SourcePlace("pack/made.py", 2, 3),
        "load": SourcePlace("pack/made.py", 6, 7),
    }


def test_without_a_repository_they_are_relative_to_the_folder_or_to_the_package(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "pack")
    assert places_of(module.Made())["load"].file == "made.py"
    monkeypatch.chdir("/")
    assert places_of(module.Made())["load"].file == str((tmp_path / "pack/made.py").resolve())[1:]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert places_of(module.Made())["load"].file == "pack/made.py"


def test_what_is_installed_is_not_of_the_repository_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site-packages/package_of_an_adapter"
    installed.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (installed / "__init__.py").write_text("def save(agent, path): ...")
    monkeypatch.syspath_prepend(installed.parent)
    module = importlib.import_module(installed.name)
    assert places_of(module)["save"].file == f"{installed.name}/__init__.py"


def test_built_in_adapters_are_told_by_their_package() -> None:
    places = places_of(TD3Core())
    assert re.fullmatch(r"(.*/)?verification/adapters/td3_core\.py", places["save"].file)
    assert not Path(places["save"].file).is_absolute()
    root = Path(inspect.getfile(TD3Core)).parents[2]
    if (root / places["save"].file).exists():
        assert source(places["save"], root).strip().startswith("def save(self, agent")


def test_members_of_any_kind_have_a_place_or_none() -> None:
    class Odd:
        save = functools.partial(Tiny.save, None)
        load = len

    assert set(places_of(Odd())) == {"save"}  # type: ignore[arg-type]
    assert places_of(object()) == {}  # type: ignore[arg-type]
    scope: dict[str, Any] = {}
    exec("class Typed:\n    def save(self): ...", scope)  # as in a shell
    assert places_of(scope["Typed"]()) == {}

# SPDX-License-Identifier: MIT
"""The pytest plugin: verdicts instead of mere passes, and one failure for one cause.

It imports nothing but pytest and the standard library until a conformance test runs, because importing
torch takes seconds and every pytest run of an environment loads this module.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from verification.adapter import Adapter
    from verification.report.model import Result
    from verification.running.conformance_suite import ConformanceTest

#: Under this name a test's result, as JSON, is among its ``user_properties``, which survive pytest-xdist.
PROPERTY = "verification"

_RESULTS = pytest.StashKey[dict[tuple[str, str], dict[str, "Result"]]]()


def pytest_report_header() -> str:
    """The versions that decide about bits."""
    versions = ", ".join(f"{name} {_version(name)}" for name in ("td3-verification", "torch"))
    return f"verification: {versions}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


# -- one cause, one failure ----------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a check that a failed prerequisite makes pointless; count its examples from nought."""
    about = _about(item)
    if about is None:
        return
    from verification.checks.registry import prerequisites
    from verification.expected_failures.entries import is_expected
    from verification.report.verdicts import blocked, blocked_by, established_before
    from verification.running.property import Examples

    check, name = about.check, _adapter(item).name
    # Those of this process: what other workers of pytest-xdist have found is not waited for.
    known = item.config.stash.setdefault(_RESULTS, {}).get(_suite(item.nodeid), {})
    lost = {one: result.lost for one, result in known.items()}
    about.examples[name] = Examples(
        established_before(check.name, lost), shrink=not is_expected(about.expected[name], check)
    )
    verdicts = {one: known[one].verdict for one in prerequisites(check.name) if one in known}
    if causes := blocked_by(check.name, verdicts):
        _publish(item, blocked(check.name, str(check.level), check.promise, causes))
        pytest.skip(f"blocked by {', '.join(causes)}")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Raise what a check's examples came to: the smallest failure found, or that none of them counted.

    Programs that failed in an earlier run come first, if they were kept.
    """
    about = _about(pyfuncitem)
    if about is None:
        return (yield)
    from verification.errors import CheckFailure
    from verification.running.concluding import concluded
    from verification.running.drawing import SmallEnough
    from verification.running.property import run_stored
    from verification.running.repeating import Repeating

    adapter = _adapter(pyfuncitem)
    examples = about.examples_of(adapter)
    run_stored(about.check, adapter, examples, about.store)
    try:
        outcome = yield
    except SmallEnough as enough:
        failure = enough.failure
        if examples.program is not None:
            with Repeating(about.check, adapter, examples.tally) as again:
                failure, examples.program = concluded(again, examples.program, shrink=examples.shrink)
        raise failure from failure.__cause__
    if about.check.never_counted and not examples.tally.counted:
        raise CheckFailure(about.check.never_counted)
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the result of a check to its report, and skip one that had nothing to compare."""
    about = _about(item)
    if about is not None and call.when == "call":
        from verification.report.model import Verdict
        from verification.report.verdicts import mark_expected
        from verification.running.concluding import keep
        from verification.running.judging import judge

        error = call.excinfo.value if call.excinfo else None
        check, adapter = about.check, _adapter(item)
        examples = about.examples_of(adapter)
        judged = judge(check, examples.tally, error, call.duration)
        judged = keep(check, examples.program, judged, about.store)
        (result,) = mark_expected([judged], about.expected[adapter.name])
        _publish(item, result)
        report = yield
        if result.verdict is Verdict.FAILED and result != judged:
            report.sections.append(("expected failures", result.sentence))
        if result.verdict is Verdict.NOT_APPLICABLE:
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, f"Skipped: {result.sentence}")
        return report
    return (yield)


def _about(item: pytest.Item) -> ConformanceTest | None:
    """What is known about a conformance test; ``None`` for any other one."""
    suites = sys.modules.get("verification.running.conformance_suite")
    function = getattr(item, "function", None)
    return None if suites is None or function is None else suites.TESTS.get(function)


def _adapter(item: pytest.Item) -> Adapter:
    return item.callspec.params["adapter"]  # type: ignore[attr-defined, no-any-return]


def _suite(nodeid: str) -> tuple[str, str]:
    """What all checks of one adapter in one class have in common."""
    owner, _, parameter = nodeid.rpartition("::")
    return owner, parameter.partition("[")[2]


def _publish(item: pytest.Item, result: Result) -> None:
    known = item.config.stash.setdefault(_RESULTS, {})
    known.setdefault(_suite(item.nodeid), {})[result.check] = result
    item.user_properties.append((PROPERTY, json.dumps(result.to_dict())))


# -- summary ---------------------------------------------------------------------------------------------


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many checks got each verdict, if there were any."""
    counts: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == PROPERTY and getattr(report, "when", "") == "teardown":
                    counts[json.loads(value)["verdict"]] += 1
    if counts:
        terminalreporter.section("conformance")
        terminalreporter.line(", ".join(f"{number} {verdict}" for verdict, number in counts.items()))

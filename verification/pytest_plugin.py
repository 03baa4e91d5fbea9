# SPDX-License-Identifier: MIT
"""The pytest plugin: verdicts instead of mere passes, and one failure for one cause.

It imports nothing but pytest and the standard library until a conformance test runs, because importing
torch takes seconds and every pytest run of an environment loads this module.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from verification.expected_failures.entries import Expectation
    from verification.report.model import Result, Verdict
    from verification.running.property import Tally

#: Under this name a test's result, as JSON, is among its ``user_properties``, which survive pytest-xdist.
PROPERTY = "verification"

_VERDICTS = pytest.StashKey[dict[tuple[str, str], "Verdict"]]()
# Checks wait for others that are being run, as long as those may take. After a crash two of them can have
# come in the wrong order to one worker, which would wait for itself.
_PATIENCE = 600.0
_PATIENCE_AFTER_A_CRASH = 60.0
_CRASHED = "a-worker-crashed"


def pytest_report_header() -> str:
    """The versions that decide about bits."""
    versions = ", ".join(f"{name} {_version(name)}" for name in ("td3-verification", "torch"))
    return f"verification: {versions}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option, for runs in which all tests come in order, as those of ``verify check``."""
    group = parser.getgroup("verification", "conformance of agents' checkpoints")
    group.addoption(
        "--verification-wait",
        action="store_true",
        help="let a check wait for its prerequisites in other pytest-xdist workers",
    )


# -- one cause, one failure ----------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a check that a failed prerequisite makes pointless; count its examples from nought."""
    check = _check_of(item)
    if check is None:
        return
    from verification.checks.registry import prerequisites
    from verification.expected_failures.entries import is_expected
    from verification.report.verdicts import blocked, blocked_by
    from verification.running.property import Tally

    adapter = item.callspec.params["adapter"]  # type: ignore[attr-defined]
    tally = Tally(shrink=not is_expected(_expected(item), check))
    item.function.verification_tallies[adapter.name] = tally  # type: ignore[attr-defined]
    if item.config.getoption("--verification-wait"):
        _wait_for(item, check.name)
    verdicts = {name: verdict for name in prerequisites(check.name) if (verdict := _verdict(item, name))}
    causes = blocked_by(check.name, verdicts)
    if causes:
        _publish(item, blocked(check.name, str(check.level), check.promise, causes))
        pytest.skip(f"blocked by {', '.join(causes)}")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Raise what a check's examples came to: the smallest failure found, or that none of them counted.

    Programs that failed in an earlier run come first, if they were kept.
    """
    check = _check_of(pyfuncitem)
    if check is None:
        return (yield)
    from verification.errors import CheckFailure
    from verification.running.property import SmallEnough, ask_again, concluded

    adapter: Any = pyfuncitem.callspec.params["adapter"]
    ask_again(check, adapter, _tally_of(pyfuncitem), pyfuncitem.function.verification_store)
    try:
        outcome = yield
    except SmallEnough as enough:
        failure = concluded(check, adapter, _tally_of(pyfuncitem), enough.failure)
        raise failure from failure.__cause__
    if check.never_counted and not _tally_of(pyfuncitem).counted:
        raise CheckFailure(check.never_counted)
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the result of a check to its report, and skip one that had nothing to compare."""
    check = _check_of(item)
    if check is not None and call.when == "call":
        from verification.report.model import Verdict
        from verification.report.verdicts import mark_expected
        from verification.running.property import judge, keep

        error = call.excinfo.value if call.excinfo else None
        tally, store = _tally_of(item), item.function.verification_store  # type: ignore[attr-defined]
        judged = keep(check, tally, judge(check, tally, error, call.duration), store)
        (result,) = mark_expected([judged], _expected(item))
        _publish(item, result)
        report = yield
        if result.verdict is Verdict.FAILED and result != judged:
            report.sections.append(("expected failures", result.sentence))
        if result.verdict is Verdict.NOT_APPLICABLE:
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, f"Skipped: {result.sentence}")
        return report
    return (yield)


def _check_of(item: pytest.Item) -> Any:
    return getattr(getattr(item, "function", None), "verification_check", None)


def _tally_of(item: pytest.Item) -> Tally:
    adapter = item.callspec.params["adapter"]  # type: ignore[attr-defined]
    return item.function.verification_tallies[adapter.name]  # type: ignore[attr-defined, no-any-return]


def _expected(item: pytest.Item) -> dict[str, Expectation]:
    """The expected failures of the item's adapter."""
    adapter = item.callspec.params["adapter"]  # type: ignore[attr-defined]
    return item.function.verification_expected[adapter.name]  # type: ignore[attr-defined, no-any-return]


# -- verdicts so far, in this process and in other workers -----------------------------------------------


def _key(nodeid: str, check: str) -> tuple[str, str]:
    """The check of the same adapter in the same class."""
    owner, _, parameter = nodeid.rpartition("::")
    return owner, f"{check}[{parameter.partition('[')[2]}"


def _publish(item: pytest.Item, result: Result) -> None:
    key = _key(item.nodeid, result.check)
    item.config.stash.setdefault(_VERDICTS, {})[key] = result.verdict
    item.user_properties.append((PROPERTY, json.dumps(result.to_dict())))
    if (directory := _shared_directory(item.config)) is not None:
        _tell(directory, key, str(result.verdict))


def _tell(directory: Path, key: tuple[str, str], verdict: str) -> None:
    directory.mkdir(exist_ok=True)
    temporary = directory / f"{_file_name(key)}.{os.getpid()}"
    temporary.write_text(verdict)
    temporary.replace(directory / _file_name(key))


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, sched: Any) -> None:
    """Tell the workers that are left that a check has no result, because its worker died.

    What that worker had still to do goes to the end of the queue, behind checks that wait for it: the queue
    is put back in order.
    """
    if isinstance(waiting := getattr(sched, "pending", None), list):
        waiting.sort()
    name = crashitem.rpartition("::")[2].partition("[")[0].removeprefix("test_")
    if (directory := _shared_directory(sched.config)) is not None:
        _tell(directory, _key(crashitem, name), "error")
        (directory / _CRASHED).touch()


def _verdict(item: pytest.Item, check: str) -> Verdict | None:
    """The verdict on another check of the same adapter, if it is known by now."""
    from verification.report.model import Verdict

    key = _key(item.nodeid, check)
    if known := item.config.stash.setdefault(_VERDICTS, {}).get(key):
        return known
    directory = _shared_directory(item.config)
    if directory is None or not (directory / _file_name(key)).exists():
        return None
    return Verdict((directory / _file_name(key)).read_text())


def _wait_for(item: pytest.Item, check: str) -> None:
    """Wait until other workers have judged what a check builds on: somebody is at work on it.

    After a crash that is no longer certain, so one cause that is known is enough, and patience is short.
    """
    from verification.checks.registry import prerequisites
    from verification.report.verdicts import blocked_by

    directory = _shared_directory(item.config)
    started = time.monotonic()
    while directory is not None:
        verdicts = {name: _verdict(item, name) for name in prerequisites(check)}
        if None not in verdicts.values():
            return
        if (directory / _CRASHED).exists():
            known = {name: verdict for name, verdict in verdicts.items() if verdict}
            if blocked_by(check, known) or time.monotonic() > started + _PATIENCE_AFTER_A_CRASH:
                return
        if time.monotonic() > started + _PATIENCE:
            return
        time.sleep(0.05)


def _file_name(key: tuple[str, str]) -> str:
    return "".join(character if character.isalnum() else "-" for character in "-".join(key))


def _shared_directory(config: pytest.Config) -> Path | None:
    """Where the workers of one pytest-xdist run, and the process that controls them, share verdicts."""
    manager = getattr(config.pluginmanager.getplugin("dsession"), "nodemanager", None)
    run = getattr(config, "workerinput", {}).get("testrunuid") or getattr(manager, "testrunuid", None)
    return Path(tempfile.gettempdir()) / f"td3-verification-{run}" if run else None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the workers' shared directory."""
    directory = _shared_directory(session.config)
    if directory is not None and not hasattr(session.config, "workerinput"):
        shutil.rmtree(directory, ignore_errors=True)


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

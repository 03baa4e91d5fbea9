# SPDX-License-Identifier: MIT
"""Runs the conformance tests of one adapter in parallel, shows progress, and collects the report."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from verification.adapters.find import load_adapter
from verification.checks.registry import parse_level, select
from verification.counterexamples.store import FOLDER, FailureStore
from verification.engine.driver import validate_adapter
from verification.errors import UsageError
from verification.expected_failures.entries import load_expected
from verification.processes.time_limits import LastWords, last_words
from verification.pytest_plugin import PROPERTY
from verification.report.model import Report, Result, Verdict
from verification.report.text import STYLES
from verification.running.check_agent import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from verification.checks.registry import Check

#: The environment variable that tells the test module what to test.
REQUEST = "TD3_VERIFICATION_REQUEST"
_QUIET = frozenset({Verdict.PASSED, Verdict.NOT_APPLICABLE})


def check_in_parallel(
    target: str,
    *,
    level: str,
    checks: Sequence[str] | None,
    examples: int | None,
    seed: int | None,
    workers: str,
    expected_failures: Path | None,
    console: Console,
) -> Report:
    """Run the checks of the adapter named ``target`` with pytest.

    Raises:
        UsageError: if the adapter, the level or a check does not exist, or the tests cannot be collected.
        AdapterError: if the adapter lacks a member.
    """
    if workers != "auto" and not workers.isdigit():
        raise UsageError(f"--workers is {workers!r}; give a number or auto")
    adapter = load_adapter(target)
    validate_adapter(adapter)
    chosen = select(parse_level(level), checks)
    load_expected(expected_failures, adapter)  # a mistake in them is one sentence, before anything runs
    for sentence in FailureStore(FOLDER, target).clean():
        console.print(sentence, markup=False, highlight=False)
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    request = {
        "target": target,
        "level": level,
        "checks": checks,
        "examples": examples,
        "failures": str(FOLDER.resolve()),
        "expected_failures": str(expected_failures.resolve()) if expected_failures else None,
    }
    results = _run_pytest(request, chosen, seed=seed, workers=workers, console=console)
    ordered = [results.get(check.name) or unfinished(check, LastWords()) for check in chosen]
    return Report(adapter.name, str(parse_level(level)), tuple(ordered), seed, environment())


def unfinished(check: Check, end: LastWords) -> Result:
    """What is said of a check that no worker reported on: a missing result must not pass for a good one."""
    return Result(check.name, str(check.level), check.promise, Verdict.ERROR, str(end))


def _run_pytest(
    request: Mapping[str, object], chosen: list[Check], *, seed: int, workers: str, console: Console
) -> dict[str, Result]:
    module = Path(__file__).with_name("parallel_tests.py")
    arguments = [str(module), f"--rootdir={module.parent}", "-c", os.devnull, "-o", "addopts="]
    arguments += ["-o", f"python_files={module.name}", "-p", "no:cacheprovider", "-p", "no:randomly", "-q"]
    arguments += [f"--hypothesis-seed={seed}", "--verification-wait", "-W", "ignore"]
    # Tests in their order, one at a time: prerequisites first. Even one worker is a process of its own, so
    # that an agent that crashes or hangs in compiled code ends that process and not the command.
    arguments += ["-n", workers, "--dist=load", "--maxschedchunk=1"]
    if "verification.pytest_plugin" not in _entry_points():
        arguments += ["-p", "verification.pytest_plugin"]  # run from a checkout that is not installed
    output = io.StringIO()
    with (
        tempfile.TemporaryDirectory(prefix="verify-") as notes,
        _environment(REQUEST, json.dumps({**request, "notes": notes})),
        _progress(len(chosen), console) as progress,
    ):
        collector = _Collector(progress, chosen, Path(notes))
        with contextlib.redirect_stdout(output):
            pytest.main(arguments, plugins=[collector])
    if not collector.results:
        raise UsageError(f"the tests could not be run:\n{output.getvalue()}")
    return collector.results


class _Collector:
    """Gathers results from the reports of all workers and tells the progress bar."""

    def __init__(self, progress: Progress, chosen: list[Check], notes: Path) -> None:
        self.results: dict[str, Result] = {}
        self._progress = progress
        self._chosen = chosen
        self._notes = notes

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            for name, value in report.user_properties:
                if name == PROPERTY:
                    self._add(Result.from_dict(json.loads(str(value))))

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        worker = report.node.gateway.id
        for check in self._chosen:
            if f"::test_{check.name}[" in crashitem:
                self._add(unfinished(check, last_words(self._notes / worker)))

    def _add(self, result: Result) -> None:
        self.results[result.check] = result
        style = STYLES[result.verdict]
        said = f"[{style}]{str(result.verdict).replace('_', ' ')}[/] {result.check}"
        # A terminal has the bar; a log gets a line for every check, so that it is seen to move.
        if not self._progress.console.is_terminal or result.verdict not in _QUIET:
            self._progress.console.print(said, highlight=False)
        self._progress.update(self._progress.task_ids[0], advance=1, last=said)


@contextlib.contextmanager
def _progress(total: int, console: Console) -> Iterator[Progress]:
    columns = (
        TextColumn("checking"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task("checks", total=total, last="starting")
        yield progress


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def _entry_points() -> set[str]:
    from importlib.metadata import entry_points

    return {one.value for one in entry_points(group="pytest11")}

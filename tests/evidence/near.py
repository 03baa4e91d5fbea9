# SPDX-License-Identifier: MIT
"""The tests near a file: which come into a function, how long they take, and what they say of a mutant.

Each run of pytest is a fork of this process, which has imported torch but nothing of the project.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import coverage
import gymnasium  # noqa: F401 - what takes long to import is imported once
import pytest
import torch  # noqa: F401
from hypothesis import strategies  # noqa: F401
from mutants import functions

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

#: How long the tests that a mutant is shown to may take in all; of more, the quickest.
SECONDS = 20
#: Processor time for pytest itself. A mutant gets it and twice what its tests took before it is taken for one
#: that never ends.
_AROUND = 20
_OPTIONS = (
    *("-q", "-x", "-p", "no:cacheprovider", "--hypothesis-profile=ci"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)


class NearTests:
    """Runs tests in a copy of the project.

    What each test comes into is measured once for each file of tests, and kept in ``file``.
    """

    def __init__(self, tree: Path, near: dict[str, list[str]], file: Path) -> None:
        self._tree, self._near, self._file = tree, near, file
        self._reach: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}

    def of(self, file: str, function: str) -> list[str]:
        """The tests near a file that come into a function of it, the quickest first.

        Into what runs in a process of its own, or outside of functions, none is seen to come: then those that
        come into anything of the file, of its namesake if there are such.
        """
        near = {
            test: (seconds, reached[file])
            for tests in map(self._reach_of, self._near[file])
            for test, (seconds, reached) in tests.items()
            if file in reached
        }
        found = {test: seconds for test, (seconds, reached) in near.items() if function in reached}
        if not found:
            own = f"/test_{Path(file).stem}.py::"
            found = {test: seconds for test, (seconds, _) in near.items() if own in test}
        found = found or {test: seconds for test, (seconds, _) in near.items()}
        chosen, left = [], float(SECONDS)
        for test in sorted(found, key=lambda test: (found[test], test)):
            if chosen and found[test] > left:
                break
            left -= found[test]
            chosen.append(test)
        return chosen

    def digest(self, tests: Iterable[str]) -> str:
        """A short name of what tests are, by their names and the files that they are in."""
        files = sorted({test.partition("::")[0] for test in tests})
        texts = [*tests, *((self._tree / file).read_text(encoding="utf-8") for file in files)]
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]

    def ask(self, tests: Sequence[str]) -> dict[str, Any]:
        """What the tests say of the project as it is now: ``killed``, and by which, or ``survived``."""
        if not tests:
            return {"verdict": "survived", "by": "no test comes here"}
        started = time.monotonic()
        usual = sum(self._reach[test.partition("::")[0]]["tests"][test][0] for test in tests)
        code, told = _forked(self._tree, lambda: _first_failure(tests), _AROUND + math.ceil(2 * usual))
        seconds = round(time.monotonic() - started, 1)
        verdict = "survived" if code == 0 else "killed"
        return {"verdict": verdict, "by": told or f"exit code {code}" * bool(code), "seconds": seconds}

    def _reach_of(self, file: str) -> dict[str, Any]:
        digest = self.digest([file])
        if self._reach.get(file, {}).get("digest") != digest:
            code, told = _forked(self._tree, lambda: _reached(self._tree, file, list(self._near)), 3600)
            if code:
                raise SystemExit(f"{file} fails without any mutant; run it by itself.")
            self._reach[file] = {"digest": digest, "tests": json.loads(told)}
            whole = self._file.with_suffix(".new")
            whole.write_text(json.dumps(self._reach))
            whole.replace(self._file)
        tests: dict[str, Any] = self._reach[file]["tests"]
        return tests


def _forked(tree: Path, work: Callable[[], tuple[int, str]], limit: int) -> tuple[int, str]:
    """Do work in a copy of this process, and get its exit code and what it told."""
    with tempfile.NamedTemporaryFile() as told:
        process = multiprocessing.get_context("fork").Process(
            target=_work, args=(tree, work, limit, told.name)
        )
        process.start()
        process.join(10 * limit)  # it may wait for something that never comes, which takes no processor time
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)
        process.join()
        return process.exitcode or 0, Path(told.name).read_text(encoding="utf-8")


def _work(tree: Path, work: Callable[[], tuple[int, str]], limit: int, told: str) -> None:
    os.setsid()  # so that processes of the tests end with it
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    sys.modules["__main__"] = types.ModuleType("__main__")  # which processes of the tests need not import
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        code, text = work()
    Path(told).write_text(text, encoding="utf-8")
    os._exit(code)


def _first_failure(tests: Sequence[str]) -> tuple[int, str]:
    """Run tests until one fails, and tell which."""
    failed: list[str] = []
    order = {test: place for place, test in enumerate(tests)}

    class Plugin:
        def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
            # Named one by one, a test that is called otherwise in every process would end pytest.
            chosen = [item for item in items if item.nodeid in order]
            items[:] = sorted(chosen, key=lambda item: order[item.nodeid])

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                failed.append(report.nodeid)

        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            if report.failed:
                failed.append(f"{report.nodeid}: cannot be imported")

    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    code = pytest.main([*_OPTIONS, *files], plugins=[Plugin()])
    return (0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else int(code)), failed[0] if failed else ""


def _reached(tree: Path, file: str, sources: list[str]) -> tuple[int, str]:
    """Run a file of tests, and tell how long each takes and which functions it comes into, as JSON."""
    measured = coverage.Coverage(data_file=None, include=[str(tree / source) for source in sources])
    seconds: dict[str, float] = {}

    def end(*_: object) -> None:
        pytest.skip("it takes longer than any mutant has time for")

    class Plugin:
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
            measured.switch_context(item.nodeid)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            try:
                return (yield)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
                measured.switch_context("")

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.when == "call" and report.passed:
                seconds[report.nodeid] = round(report.duration, 3)

    signal.signal(signal.SIGPROF, end)
    measured.start()
    code = pytest.main([*_OPTIONS, file], plugins=[Plugin()])
    measured.stop()
    reached: dict[str, Any] = {test: (spent, {}) for test, spent in seconds.items()}
    data = measured.get_data()
    for source in sources:
        within = functions((tree / source).read_text(encoding="utf-8"))
        for line, contexts in data.contexts_by_lineno(str(tree / source)).items():
            for test in reached.keys() & contexts:
                names = reached[test][1].setdefault(source, [])
                if (name := within.get(line, "")) and name not in names:
                    names.append(name)
    return int(code), json.dumps(reached)

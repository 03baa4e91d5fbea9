# SPDX-License-Identifier: MIT
"""The plugin costs other people's test runs nothing, and says in its header what decides about bits."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

INSTALLED = "verification.pytest_plugin" in {one.value for one in entry_points(group="pytest11")}
PLUGIN = [] if INSTALLED else ["-p", "verification.pytest_plugin"]
ARGUMENTS = [*PLUGIN, "-p", "no:cacheprovider"]
HEAVY = (
    "torch",
    "numpy",
    "hypothesis.strategies",
    "gymnasium",
    "rich",
    "typer",
    "verification.checks.registry",
)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]), prepend=os.pathsep)
    pytester.makepyfile(
        test_other=f"""
        import sys

        def test_other():
            assert [name for name in {HEAVY!r} if name in sys.modules] == []
        """
    )
    return pytester


def test_importing_the_plugin_imports_nothing_heavy() -> None:
    code = f"import sys, verification.pytest_plugin; print([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_run_without_conformance_tests_imports_nothing_heavy_and_has_no_section(
    project: pytest.Pytester,
) -> None:
    # Other plugins may import what they like; only this one is looked at.
    result = project.runpytest_subprocess("-p", "no:hypothesispytest", *ARGUMENTS)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*= conformance =*")
    result.stdout.fnmatch_lines([f"verification: td3-verification *, torch {version('torch')}"])

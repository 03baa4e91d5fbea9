# SPDX-License-Identifier: MIT
"""The example of somebody else's project: copied elsewhere, it is tested with the suite installed here."""

from __future__ import annotations

import configparser
import re
import shutil
import tomllib
from typing import TYPE_CHECKING

import pytest
from test_readme import ROOT, assert_parses, blocks, entry_points, run

from td3_core import __name__ as agent_of_ours

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

EXAMPLE = ROOT / "examples/third_party"
pytestmark = pytest.mark.skipif(
    not EXAMPLE.exists(), reason="the examples are in the repository, not in the distribution"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, where nothing of this one is."""
    left_by_runs = shutil.ignore_patterns(
        ".*_cache", ".hypothesis", ".tox", ".verify", "__pycache__", "reports"
    )
    return shutil.copytree(EXAMPLE, tmp_path / "little_dqn", ignore=left_by_runs)


def outcome(project: Path, *options: str) -> CompletedProcess[str]:
    """Its own tests, as its tox.ini runs them."""
    arguments = ["-m", "pytest", "tests", "-p", "no:cacheprovider", "-q", *options]
    if "verification.pytest_plugin" not in entry_points():
        arguments += ["-p", "verification.pytest_plugin"]
    return run(*arguments, folder=project)


FEW = ("-k", "targets_survive_reload or counters_survive_reload or generators_survive_reload")


def test_a_few_of_its_tests_pass(project: Path) -> None:
    done = outcome(project, *FEW)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_they_fail_once_a_piece_is_forgotten(project: Path) -> None:
    agent = project / "little_dqn/agent.py"
    text = agent.read_text(encoding="utf-8")
    agent.write_text(text.replace('"network", "target", "optimizer"', '"network", "optimizer"'), "utf-8")
    done = outcome(project, *FEW)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"test_targets_survive_reload\[little_dqn\]", done.stdout)
    assert "agent.target" in done.stdout
    assert "1 failed, 2 passed" in done.stdout


@pytest.mark.slow
def test_all_of_its_tests_pass(project: Path) -> None:
    done = outcome(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"conformance =+\n\d\d passed, \d not_applicable\n", done.stdout), done.stdout


def test_it_is_small_and_has_an_agent_of_its_own(project: Path) -> None:
    files = [file for file in project.rglob("*") if file.is_file()]
    texts = [file.read_text(encoding="utf-8") for file in files]
    assert sum(len(text.splitlines()) for text in texts) <= 200
    assert [text for text in texts if agent_of_ours in text] == []


def test_what_its_files_say_to_run_exists() -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(EXAMPLE / "tox.ini")
    assert parser["tox"]["env_list"] == "tests"
    pytest_line, verify_line = parser["testenv:tests"]["commands"].split("\n")[1:]
    assert pytest_line == "pytest tests {posargs}"
    program, *arguments = verify_line.split()
    assert_parses(program, arguments)
    extra = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert parser["testenv:tests"]["extras"] in extra
    name = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"]
    assert extra["test"] == [name]
    (command,) = blocks("examples/third_party/README.md", "sh")
    assert command == "python -m pip install tox && python -m tox run -e tests\n"

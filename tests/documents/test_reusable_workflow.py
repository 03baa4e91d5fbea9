# SPDX-License-Identifier: MIT
"""The workflow that other projects use: its inputs are used, its options exist, its steps do as they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_readme import ROOT, assert_parses, blocks

import verification
from verification.cli.forms import Format

WORKFLOW = ROOT / ".github/workflows/verify.yml"
CALLERS = (ROOT / "examples/third_party/.github/workflows/checkpoints.yml", ROOT / ".github/workflows/ci.yml")
pytestmark = pytest.mark.skipif(
    not WORKFLOW.exists(), reason="the workflows are in the repository, not in the distribution"
)


def parsed(file: Path) -> dict[Any, Any]:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def inputs() -> dict[str, dict[str, Any]]:
    return parsed(WORKFLOW)[True]["workflow_call"]["inputs"]  # YAML 1.1 takes `on` for a truth


def step(name: str) -> dict[str, Any]:
    return next(one for one in parsed(WORKFLOW)["jobs"]["verify"]["steps"] if one.get("name") == name)


def values(name: str, **given: str) -> dict[str, str]:
    """The variables of a step, with the inputs that are given, and else their defaults."""
    known = {key: str(one.get("default", "")) for key, one in inputs().items()} | given
    return {
        variable: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: known[found[1]], text)
        for variable, text in step(name)["env"].items()
    }


def test_every_input_is_described_and_used() -> None:
    text = WORKFLOW.read_text(encoding="utf-8").partition("\njobs:")[2]
    assert set(re.findall(r"inputs\.(\w+)", text)) == set(inputs())
    for one in inputs().values():
        assert one["description"].endswith(".")
        assert one.get("required") or "default" in one


def test_no_input_is_pasted_into_a_shell() -> None:
    for one in parsed(WORKFLOW)["jobs"]["verify"]["steps"]:
        assert "${{" not in one.get("run", "")


@pytest.mark.parametrize("caller", CALLERS, ids=lambda file: file.name)
def test_callers_give_what_is_asked_for(caller: Path) -> None:
    (job,) = (job for job in parsed(caller)["jobs"].values() if "uses" in job)
    assert job["uses"].partition("@")[0].endswith("/.github/workflows/verify.yml")
    required = {name for name, one in inputs().items() if one.get("required")}
    assert required <= set(job["with"]) <= set(inputs())


def test_the_guide_has_the_lines_of_the_example() -> None:
    pasted, _ = blocks("docs/adapters.md", "yaml")
    assert pasted == CALLERS[0].read_text(encoding="utf-8")


def test_options_of_the_guide_and_the_workflow_exist() -> None:
    given = values(
        "Check", adapter="td3_core", options="--expected-failures conformance.toml --min-checks 20"
    )
    command = step("Check")["run"]
    for variable, value in given.items():
        command = command.replace(f'"${variable}"', value).replace(f"${variable}", value)
    program, *arguments = command.split()
    assert program == "verify"
    assert_parses(program, arguments)
    forms = set(arguments[arguments.index("--report") + 1].split(","))
    assert {"json", "md", "sarif"} <= forms <= set(Format)
    assert "--expected-failures conformance.toml --min-checks 20" in (ROOT / "docs/adapters.md").read_text()


def test_the_shards_of_the_guide_can_be_asked_and_merged() -> None:
    _, recipe = blocks("docs/adapters.md", "yaml")
    jobs = yaml.safe_load(recipe)
    for job in ("shard", "merge"):
        (command,) = (one["run"] for one in jobs[job]["steps"] if "run" in one)
        program, *arguments = command.replace("${{ matrix.shard }}", "4").split()
        assert program == "verify"
        assert_parses(program, arguments)
    assert f"/{len(jobs['shard']['strategy']['matrix']['shard'])} " in recipe


def test_its_steps_write_the_reports_and_the_summary(tmp_path: Path) -> None:
    """Run by the shell that runs them there."""
    command = tmp_path / "bin/verify"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m verification "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ,
        **values("Check", adapter="td3_core", level="protocol", options="--examples 2 --workers 1"),
        "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(verification.__file__).parents[1]),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    for name in ("Check", "Summary"):
        shell = ["bash", "-e", "-c", step(name)["run"]]
        done = subprocess.run(
            shell, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "summary.md").read_text(encoding="utf-8").startswith("## ")
    written = {file.suffix for file in (tmp_path / "reports").iterdir()}
    assert written == {".json", ".md", ".sarif"}

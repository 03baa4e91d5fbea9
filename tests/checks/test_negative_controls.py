# SPDX-License-Identifier: MIT
"""Adapters that are right or wrong in one plain way get the right verdict, with the right message."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import controls
import pytest

from verification import Report, Verdict, check_agent
from verification.checks.registry import prerequisites, select
from verification.levels import Level

# What stays silent in every example is asked of few of them; new processes take seconds each.
SLOW = "a_new_process_resumes_the_same"


def asked(adapter: Any, **options: Any) -> Report:
    return check_agent(adapter, **{"examples": 3, "seed": 0, "shrink": False, **options})


def told(report: Report) -> dict[str, Verdict]:
    """The checks that did not simply pass or were blocked."""
    quiet = {Verdict.PASSED, Verdict.BLOCKED, Verdict.NOT_APPLICABLE}
    return {result.check: result.verdict for result in report.results if result.verdict not in quiet}


@pytest.fixture(scope="module", autouse=True)
def _everything_is_imported() -> None:
    """The first operations of a process take seconds, more than those that hang are given."""
    controls.warm_up()


# -- controls that pass ------------------------------------------------------------------------------------


# A scheduler wraps its optimizer's step, and a pickle holds no wrapper: torch says so. Nothing else changes.
@pytest.mark.filterwarnings("ignore:Seems like `optimizer.step:UserWarning")
def test_an_agent_that_is_saved_whole_passes_everything() -> None:
    report = asked(controls.Identity(), examples=5)
    assert report.ok
    others = {result.check: result.verdict for result in report.results}
    assert others.pop("loading_keeps_what_is_the_callers") is Verdict.NOT_APPLICABLE  # nothing is
    assert set(others.values()) == {Verdict.PASSED}, report.summary()
    assert len(report.results) == len(select("resume"))


# -- controls that fail ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("adapter", "check", "sentence"),
    [
        (
            controls.IGNORES_TRAINING,
            "training_changes_the_agent",
            "training changed no weight in any example",
        ),
        (
            controls.SAVES_NOTHING,
            "saving_writes_a_checkpoint",
            r"save\(\) after \d steps? left no file; if it goes on behind the call, "
            r"add wait\(agent\) to the adapter",
        ),
        (
            controls.LOADS_NOTHING,
            "loading_restores_something",
            r"load\(\) changed none of the \d+ weights that it had to restore",
        ),
    ],
)
def test_one_failure_names_the_cause_and_blocks_the_rest(adapter: Any, check: str, sentence: str) -> None:
    report = asked(adapter)
    assert told(report) == {check: Verdict.FAILED}
    assert re.fullmatch(sentence, report.result(check).sentence)
    assert int(report.exit_code) == 1
    blocked = [result.check for result in report.results if result.verdict is Verdict.BLOCKED]
    assert blocked == [one.name for one in select(Level.RESUME) if check in prerequisites(one.name)]
    assert all(check in report.result(name).sentence for name in blocked)


def test_a_nondeterministic_agent_is_inconclusive() -> None:
    report = asked(controls.NONDETERMINISTIC)
    assert set(told(report).values()) == {Verdict.INCONCLUSIVE}
    assert int(report.exit_code) == 3
    sentence = report.result("runs_are_repeatable").sentence
    assert sentence.startswith("two runs without any save differ: agent.net.weight expected ")


# -- errors ------------------------------------------------------------------------------------------------


def first_error(adapter: Any) -> str:
    """The sentence of the first verdict that is neither a pass nor blocked; it has to be an error."""
    names = [one.name for one in select(Level.RESUME) if one.name != SLOW or adapter.member == "reopen"]
    report = asked(adapter, checks=names, examples=8 if adapter.member == "act" else 3)
    assert set(told(report).values()) == {Verdict.ERROR}, report.summary()
    assert int(report.exit_code) == 1
    return next(result.sentence for result in report.results if result.verdict is Verdict.ERROR)


@pytest.mark.parametrize("member", [*controls.MEMBERS, *controls.OPTIONAL])
def test_a_member_that_raises_is_an_error_that_names_it(member: str) -> None:
    sentence = first_error(controls.Raises(member))
    assert sentence.startswith(
        f"the adapter 'tiny': {member}() raised RuntimeError: a mistake of the adapter"
    )


@pytest.mark.parametrize("member", [*controls.MEMBERS, *controls.OPTIONAL])
def test_a_member_that_hangs_is_an_error_that_names_it_and_its_limit(member: str) -> None:
    sentence = first_error(controls.Hangs(member))
    what = f"{member}()"
    if member in {"configs", "batches", "observations", "variants"}:
        what = "drawing from configs(), batches() and observations()"
    assert sentence == (
        f"the adapter 'tiny': {what} did not return within 0.5 s; "
        "if it needs longer, give the adapter a larger time_limit, in seconds"
    )


# -- the command -------------------------------------------------------------------------------------------


def verify(target: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    paths = [str(Path(controls.__file__).parent), str(Path(__file__).parents[2])]
    command = [sys.executable, "-m", "verification", "check", f"controls:{target}", "--level=protocol"]
    return subprocess.run(
        [*command, "--examples=2", "--seed=0", "-n", "1", *arguments],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")]),
            "COLUMNS": "300",
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("target", "code", "lines"),
    [
        (
            "SAVES_NOTHING",
            1,
            [
                "saving_writes_a_checkpoint: save\\(\\) after \\d steps? left no file; "
                "if it goes on behind the call, add wait\\(agent\\) to the adapter\\.",
                "tiny at level protocol: 2 passed, 1 failed, 3 blocked",
            ],
        ),
        (
            "HangsHard",
            1,
            [
                "loading_restores_something: The adapter 'tiny': "
                "load\\(\\) did not return within 0\\.5 s; .* larger time_limit, .*\\.",
                "tiny at level protocol: 3 passed, 2 blocked, 1 error",
            ],
        ),
        (
            "Crashes",
            1,
            [
                "loading_restores_something: The adapter 'tiny': "
                "load\\(\\) was running when its process died\\.",
                "tiny at level protocol: 3 passed, 2 blocked, 1 error",
            ],
        ),
    ],
)
def test_the_command_says_the_same(target: str, code: int, lines: list[str], tmp_path: Path) -> None:
    done = verify(target, folder=tmp_path)
    assert (done.returncode, done.stderr) == (code, ""), done.stdout
    for line in lines:
        assert re.search(f"^{line}\\s*$", done.stdout, flags=re.MULTILINE | re.IGNORECASE), done.stdout

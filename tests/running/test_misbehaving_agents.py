# SPDX-License-Identifier: MIT
"""Nothing that an agent or an adapter does ends a run, or keeps its report from being written."""

from __future__ import annotations

import io
import itertools
import json
import os
import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import hypothesis.strategies as st
import pytest
import torch
from adapters import Tiny
from rich.console import Console

from verification import Verdict, check_agent
from verification.errors import shortly
from verification.report.as_json import as_json
from verification.report.html import html
from verification.report.junit import junit
from verification.report.markdown import markdown
from verification.report.sarif import sarif
from verification.report.text import render

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agents import Agent, Config

    from verification.report.model import Report

DRAWN = ["configs", "variants", "batches", "observations", "operations"]
CALLED = ["build", "learn", "act", "save", "load", "state", "wait", "operate"]


class Full(Tiny):
    """With optional members, too."""

    def operations(self, config: Config) -> st.SearchStrategy[str]:
        return st.just("nothing")

    def operate(self, agent: Agent, operation: str) -> None:
        pass

    def wait(self, agent: Agent) -> None:
        pass

    def state(self, agent: Agent) -> dict[str, object]:
        return {"agent": agent}


def misbehaving(member: str, deed: Callable[[], object]) -> Full:
    """An adapter of which one member does something else besides, from its third call on."""
    adapter, calls = Full(), itertools.count(1)
    correct = getattr(adapter, member)

    def call(*arguments: Any) -> Any:
        if next(calls) >= 3:
            deed()
        return correct(*arguments)

    vars(adapter)[member] = call
    return adapter


def checked(adapter: Full, check: str = "loading_leaves_the_checkpoint_unchanged") -> Report:
    """The report on a check and what it builds on."""
    return check_agent(adapter, checks=[check], examples=4, seed=0)


@pytest.mark.parametrize("member", [*DRAWN, *CALLED])
def test_whoever_ends_the_program_is_named(member: str) -> None:
    report = checked(misbehaving(member, sys.exit))
    wrong = [result for result in report.results if result.verdict is Verdict.ERROR]
    assert wrong
    assert all(f"{member}() raised SystemExit" in result.sentence for result in wrong), report.summary()
    assert report.exit_code != 0


def test_an_object_that_ends_the_program_when_it_is_looked_at_costs_one_leaf() -> None:
    class Ends:
        def __getattribute__(self, name: str) -> Any:
            sys.exit(f"nobody looks at {name}")

    class Holds(Full):
        def build(self, config: Config, seed: int) -> Agent:
            agent = super().build(config, seed)
            vars(agent)["ends"] = Ends()
            return agent

    result = checked(Holds(), "runs_are_repeatable").result("runs_are_repeatable")
    assert result.verdict is Verdict.PASSED
    assert any("agent.ends" in path and "SystemExit" in path for path in result.opaque)


@pytest.mark.parametrize("member", ["configs", "learn", "load"])
def test_a_message_of_any_characters_is_in_every_report(member: str) -> None:
    def deed() -> None:
        raise RuntimeError("\udcff [/] <b> \x1b[31m \0 `")

    report = checked(misbehaving(member, deed))
    assert not report.ok
    console = Console(file=io.StringIO(), width=80)
    render(report, console, command="verify check mine")
    assert "RuntimeError" in console.file.getvalue()  # type: ignore[attr-defined]
    assert "RuntimeError" in json.dumps(json.loads(as_json(report)))
    assert "RuntimeError" in ElementTree.tostring(ElementTree.fromstring(junit(report)), "unicode")
    assert "RuntimeError" in json.dumps(json.loads(sarif(report, {})))
    assert "RuntimeError" in html(report)
    assert "<b>" not in html(report)
    assert "RuntimeError" in markdown(report)


@pytest.mark.parametrize("member", ["build", "learn", "save", "load"])
def test_another_current_folder_changes_nothing(
    member: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert checked(misbehaving(member, lambda: os.chdir("/"))).ok


def test_the_time_limit_covers_the_walk() -> None:
    many = [[number] for number in range(300_000)]

    class Holds(Full):
        time_limit = 0.5

        def build(self, config: Config, seed: int) -> Agent:
            agent = super().build(config, seed)
            vars(agent)["many"] = many
            return agent

    result = checked(Holds(), "runs_are_repeatable").result("runs_are_repeatable")
    assert result.verdict is Verdict.ERROR
    assert "walking through the agent" in result.sentence
    assert "state()" in result.sentence


def test_a_long_message_is_cut() -> None:
    def deed() -> None:
        raise RuntimeError(f"{torch.arange(100_000).tolist()}")

    report = checked(misbehaving("learn", deed))
    assert all(len(result.sentence) < 2000 for result in report.results)


def test_the_colours_of_a_message_are_left_out() -> None:
    assert shortly(ValueError("\x1b[1mdo not\x1b[0m\nsecond line")) == "ValueError: do not"

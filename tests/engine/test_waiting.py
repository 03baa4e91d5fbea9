# SPDX-License-Identifier: MIT
"""Saves that go on behind the call are waited for before anything depends on them."""

from __future__ import annotations

import copy
import dataclasses
import re
from typing import TYPE_CHECKING, Any

import pytest
import torch
from adapters import Tiny
from agents import Config
from controls import SAVES_NOTHING
from forgetful import program_of
from run_options import run_one

from verification import Verdict
from verification.engine.experiment import Experiment
from verification.program import Learn

if TYPE_CHECKING:
    from pathlib import Path

    from agents import Agent


class InAnyOrder(Tiny):
    """Writes when it is waited for: of several files that are due, the last one first."""

    def __init__(self) -> None:
        super().__init__()
        self.due: list[tuple[Path, Any]] = []

    def save(self, agent: Agent, path: Path) -> None:
        self.due.append((path, copy.deepcopy(agent.contents())))

    def wait(self, agent: Agent) -> None:
        while self.due:
            path, contents = self.due.pop()
            torch.save(contents, path)


@pytest.mark.parametrize("check", ["the_latest_save_is_loaded", "an_earlier_state_saved_later_is_loaded"])
def test_a_save_is_done_before_another_goes_over_it(check: str) -> None:
    assert run_one(InAnyOrder(), check, examples=4).verdict is Verdict.PASSED


def test_checkpoints_are_there_once_they_are_asked_for(tmp_path: Path) -> None:
    program = program_of(*[Learn((1.0, 0.5))] * 3, cuts=(1, 2))
    asked = Experiment(InAnyOrder(), dataclasses.replace(program, config=Config()), tmp_path)
    assert [[file.name for file in folder.iterdir()] for folder in asked.checkpoints.values()] == [
        ["checkpoint"],
        ["checkpoint"],
    ]


class NeverWrites(InAnyOrder):
    """There is no file, however long it is waited for."""

    def wait(self, agent: Agent) -> None:
        """Nothing is written."""


def test_who_leaves_no_file_is_told_of_wait_only_without_one() -> None:
    without, having = (
        run_one(one, "saving_writes_a_checkpoint", examples=1) for one in (SAVES_NOTHING, NeverWrites())
    )
    assert re.fullmatch(r"save\(\) after \d steps? left no file", having.sentence)
    assert without.sentence.endswith(
        "left no file; if it goes on behind the call, add wait(agent) to the adapter"
    )

# SPDX-License-Identifier: MIT
"""What is near a lost object: the weights that an optimizer steps, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from adapters import Tiny
from agents import Config

from verification.engine.experiment import Experiment
from verification.engine.groups import Group
from verification.engine.resumption import Resumption
from verification.program import Learn, Program
from verification.state import Part

if TYPE_CHECKING:
    from pathlib import Path

STEPS = (Learn((1.0, 0.5)), Learn((0.5, 1.0)))


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("agent.optimizer", {"agent.net.weight", "agent.net.bias"}),
        ("agent.optimizer.state[0]['momentum_buffer']", {"agent.net.weight", "agent.net.bias"}),
        ("agent.gain", set()),
    ],
)
def test_what_an_object_leads_to_is_near(path: str, near: set[str], tmp_path: Path) -> None:
    program = Program(Config(), Config(), 3, 4, STEPS, (1,), (), (0.5, 1.0), 0)
    resumption = Resumption(Experiment(Tiny(), program, tmp_path), 1, used=False)
    assert resumption.near(Group(path, (), Part.OTHER)) == near

# SPDX-License-Identifier: MIT
"""Where nothing that is seen was lost, what is out of sight is put back in turn, and what heals is named."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from forgetful import Forgetful, program_of

from verification.engine.consequences import follow
from verification.engine.experiment import Experiment
from verification.losses import SPREADS
from verification.program import Advance

if TYPE_CHECKING:
    from pathlib import Path

DRAWS = {
    "the global generator of Python (random)": random.random,
    "the global generator of numpy (numpy.random)": np.random.rand,
    "the global generator of torch (torch.default_generator)": lambda: torch.rand(()).item(),
}


class Flowing(Forgetful):
    """Trains in closed loop."""

    def advance(self, agent: Any, steps: int) -> None:
        for _ in range(steps):
            self.update(agent, 1)


def judged(folder: Path, update: Any, lost: str = "", **start: Any) -> Any:
    program = program_of(Advance(1), Advance(1), Advance(2), entropy=3)
    return follow(Experiment(Flowing(start, update, lost), program, folder, closed_loop=True), 1)


@pytest.mark.parametrize("name", DRAWS)
def test_a_global_generator_that_is_drawn_from_is_lost(name: str, tmp_path: Path) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += float(DRAWS[name]())

    ((loss, group),) = judged(tmp_path, update).losses
    assert (loss.name, loss.path, loss.how, group) == (name, name, SPREADS, None)
    assert loss.part == "random generators"
    assert loss.effect == "it changes agent.total at the first step after the load"
    assert loss.experiment == "nothing that is seen was lost; with this put back nothing follows"
    assert loss.first is not None
    assert loss.first.path == "agent.total"


def test_several_generators_are_named_each_by_itself(tmp_path: Path) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += random.random() + float(torch.rand(()))

    losses = judged(tmp_path, update).losses
    first, _, last = DRAWS
    assert [loss.name for loss, _ in losses] == [first, last]


def test_who_draws_from_none_loses_none(tmp_path: Path) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += batch

    judgement = judged(tmp_path, update)
    assert (judgement.losses, judgement.unexplained) == ([], None)


def test_a_generator_is_found_behind_another_loss(tmp_path: Path) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += agent.bonus + random.random()

    losses = judged(tmp_path, update, "bonus", bonus=lambda seed: 10 * seed).losses
    assert {loss.path for loss, _ in losses} == {"agent.bonus", next(iter(DRAWS))}

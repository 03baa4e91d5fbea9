# SPDX-License-Identifier: MIT
"""What training reads is told from what nothing reads, also where all of it differs at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import agents
import pytest
import torch
from adapters import Tiny
from forgetful import Forgetful, program_of

from verification.engine.experiment import Experiment
from verification.engine.groups import Group
from verification.engine.reading import Reading
from verification.losses import READ
from verification.program import Learn
from verification.running.check_agent import check_agent
from verification.state import Change, Part

if TYPE_CHECKING:
    from pathlib import Path


class Periods(agents.Agent):
    """Halves its weights every so many steps, and holds numbers of the same kind that nothing reads."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.first = int(config.gain * 1000)
        self.every = self.first + 1
        self.second, self.third, self.fourth = self.first + 2, self.first + 3, self.first + 4
        self.rounded = self.first > 600

    def update(self, batch: Any) -> None:
        super().update(batch)
        if self.total_it % self.every == 0:
            with torch.no_grad():
                self.net.weight.mul_(0.5)


class Reader(Tiny):
    """Drives it."""

    def build(self, config: Any, seed: int) -> Periods:
        return Periods(config, seed)


def test_of_several_numbers_that_differ_the_one_that_is_read_is_lost() -> None:
    report = check_agent(Reader(), checks=["hyper_parameters_survive_reload"], examples=6, seed=1)
    assert [(loss.path, loss.how) for loss in report.lost] == [("agent.every", READ)]
    unread = {"agent.first", "agent.second", "agent.third", "agent.fourth"}
    assert unread <= {note.path for note in report.notes}


@pytest.mark.parametrize("read", ["", "a", "c", "e", "bd", "abcde"])
def test_each_of_many_is_told_by_itself_whether_it_is_read(read: str, tmp_path: Path) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += batch * sum(getattr(agent, name) for name in read)

    program = program_of(Learn(3), Learn(4), horizon=1)
    experiment = Experiment(Forgetful(dict.fromkeys("abcde", True), update, ""), program, tmp_path)
    leaves = experiment.moment(1).snapshot.leaves
    paths = [f"agent.{name}" for name in "abcde"]
    groups = [Group(path, (Change(path, "value", leaves[path], leaves[path]),), Part.MODE) for path in paths]
    found = Reading(experiment=experiment, cut=1, used=False, differing=[]).among(groups)
    assert list(found) == [f"agent.{name}" for name in read]
    assert all(spread.differences[0].path == "agent.total" for spread in found.values())

# SPDX-License-Identifier: MIT
"""What training reads is told from what nothing reads, also where all of it differs at once."""

from __future__ import annotations

from typing import Any

import agents
import torch
from adapters import Tiny

from verification.losses import READ
from verification.running.check_agent import check_agent


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

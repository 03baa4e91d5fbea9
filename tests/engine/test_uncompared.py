# SPDX-License-Identifier: MIT
"""What no snapshot compares, because most agents set it before they read it, is named where it is lost."""

from __future__ import annotations

from typing import Any

import agents
import torch
from adapters import Tiny

from verification.running.check_agent import check_agent


class Accumulates(agents.Agent):
    """Steps on the gradients of two batches, and keeps the number of batches but not the gradients."""

    def update(self, batch: Any) -> None:
        (self.net(torch.tensor(batch)) - self.gain).square().sum().backward()
        self.total_it += 1
        if self.total_it % 2 == 0:
            self.optimizer.step()
            self.optimizer.zero_grad()

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.optimizer.zero_grad()


class GrowsLate(agents.Agent):
    """Trains the bias from the third update on, at the rate in the optimizer's defaults, which decays."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.optimizer = torch.optim.SGD([self.net.weight], lr=0.05)

    def _grow(self) -> None:
        if self.total_it > 2 and len(self.optimizer.param_groups) == 1:
            self.optimizer.add_param_group({"params": [self.net.bias]})

    def update(self, batch: Any) -> None:
        self.total_it += 1
        self._grow()
        self.optimizer.defaults["lr"] *= 0.9
        self.optimizer.zero_grad()
        (self.net(torch.tensor(batch)) - self.gain).square().sum().backward()
        self.optimizer.step()

    def restore(self, contents: dict[str, Any]) -> None:
        self.total_it = contents["total_it"]
        self.optimizer = torch.optim.SGD([self.net.weight], lr=0.05)
        self._grow()
        super().restore(contents)


class Drives(Tiny):
    """Drives one of them."""

    def __init__(self, kind: type[agents.Agent]) -> None:
        super().__init__()
        self.kind = kind

    def build(self, config: Any, seed: int) -> agents.Agent:
        return self.kind(config, seed)


def _lost(kind: type[agents.Agent]) -> list[tuple[str, str]]:
    report = check_agent(Drives(kind), checks=["next_steps_survive_reload"], examples=6, seed=1)
    return [(loss.name, loss.content) for loss in report.lost]


def test_gradients_that_are_summed_over_batches_are_named() -> None:
    assert _lost(Accumulates) == [("agent.net.grad", "of 2 parameters")]


def test_defaults_that_a_later_group_takes_are_named() -> None:
    assert _lost(GrowsLate) == [("agent.optimizer.defaults", "")]

# SPDX-License-Identifier: MIT
"""What is lost is told by the name of the piece that is to blame."""

from __future__ import annotations

from typing import Any

import agents
import torch
from adapters import Tiny

from verification.engine.groups import familiar
from verification.running.check_agent import check_agent


def test_a_parameter_is_called_as_its_network_calls_it() -> None:
    in_optimizer = "agent.opt.param_groups[0]['params'][1]"
    in_network = "agent.net[0].parametrizations['weight'].original0"  # as many steps, and longer
    assert familiar(in_network, {in_network: (in_optimizer,)}) == in_network
    assert familiar(in_optimizer, {in_optimizer: (in_network,)}) == in_network


class KeepsGroups(agents.Agent):
    """Sets the learning rate in the groups of its optimizer, to which it keeps a reference."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.groups = self.optimizer.param_groups

    def update(self, batch: Any) -> None:
        for group in self.groups:
            group["lr"] *= 0.9 if batch[0] > 0 else 1.1
        super().update(batch)


class StaleGroups(Tiny):
    """Drives it; a load makes the optimizer another list of groups, which the agent does not notice."""

    def build(self, config: Any, seed: int) -> KeepsGroups:
        return KeepsGroups(config, seed)


def test_of_two_names_of_an_object_that_came_apart_the_stale_one_is_lost() -> None:
    report = check_agent(StaleGroups(), level="training", examples=4, seed=1)
    assert [loss.name for loss in report.lost] == ["agent.groups"]


class TwoOptimizers(agents.Agent):
    """Has an optimizer for each of two parameters, in a list."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.optimizers = [torch.optim.Adam([one], lr=0.05) for one in self.net.parameters()]

    def update(self, batch: Any) -> None:
        self.net.zero_grad()
        (self.net(torch.tensor(batch)) - self.gain).square().sum().backward()
        for optimizer in self.optimizers:
            optimizer.step()

    def contents(self) -> dict[str, Any]:
        return {**super().contents(), "first": self.optimizers[0].state_dict()}

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.optimizers[0].load_state_dict(contents["first"])


class OneOfTwo(Tiny):
    """Drives it; only the first is saved."""

    def build(self, config: Any, seed: int) -> TwoOptimizers:
        return TwoOptimizers(config, seed)


def test_of_two_optimizers_in_a_list_the_lost_one_is_named() -> None:
    report = check_agent(OneOfTwo(), checks=["optimizer_state_survives_reload"], examples=4, seed=1)
    assert [loss.name for loss in report.lost] == ["agent.optimizers[1]"]

# SPDX-License-Identifier: MIT
"""A method that is bound to a copy of its object is what differs, not all that the copy holds, too."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from verification.state import changes, compare, take
from verification.state.transplant import transplant


class Agent:
    """Calls itself back; the list of callbacks is found before the optimizer."""

    def __init__(self) -> None:
        self.net = nn.Linear(2, 1)
        nn.init.ones_(self.net.weight)
        nn.init.ones_(self.net.bias)
        self.opt = torch.optim.SGD(self.net.parameters(), lr=0.1)
        self.bonus = 0.0
        self.callbacks: list[Any] = [self.more]

    def more(self) -> None:
        self.bonus += 1


def test_the_method_is_named_and_can_be_bound_again() -> None:
    one, other = Agent(), Agent()
    other.callbacks = [copy.copy(other).more]
    found = list(changes(take({"agent": one}), take({"agent": other})))
    assert [change.path for change in found] == ["agent.callbacks[0].__self__"]
    assert transplant({"agent": other}, {"agent": one}, found) == {}
    assert compare(take({"agent": one}), take({"agent": other})) == []
    other.callbacks[0]()
    assert other.bonus == 1


def test_what_the_copy_holds_is_named_where_it_is_another_one() -> None:
    one, other = Agent(), Agent()
    other.opt.param_groups[0]["lr"] = 0.2
    other.callbacks = [copy.copy(other).more]
    paths = [change.path for change in changes(take({"agent": one}), take({"agent": other}))]
    assert paths == ["agent.callbacks[0].__self__", "agent.opt"]

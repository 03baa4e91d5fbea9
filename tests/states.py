# SPDX-License-Identifier: MIT
"""Short ways to look at objects, for the tests of state discovery and comparison."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from verification.state import Difference, Snapshot, compare, take

if TYPE_CHECKING:
    from collections.abc import Callable

torch.set_num_threads(1)


def look(agent: object, **options: Any) -> Snapshot:
    """The state of ``agent``, under that name."""
    return take({"agent": agent}, **options)


def difference(before: object, after: object) -> Difference:
    """The only difference of two objects."""
    (only,) = compare(look(before), look(after))
    return only


def changes(agent: object, change: Callable[[Any], object]) -> list[str]:
    """The paths that differ after ``change(agent)``."""
    before = look(agent)
    change(agent)
    return [difference.path for difference in compare(before, look(agent))]


def optimized() -> SimpleNamespace:
    """A network with an optimizer and a schedule."""
    agent = SimpleNamespace(net=nn.Linear(2, 1))
    agent.optimizer = torch.optim.SGD(agent.net.parameters(), 0.1)
    agent.scheduler = torch.optim.lr_scheduler.StepLR(agent.optimizer, 2)
    return agent

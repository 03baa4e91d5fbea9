# SPDX-License-Identifier: MIT
"""A dict whose keys are the ``id()`` of objects is told by the objects: addresses differ in every run."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from verification.state import changes, compare, take
from verification.state.transplant import transplant


class Momentum:
    """Keeps a tensor for each parameter of a network; the dict is found before the network."""

    def __init__(self, value: float = 0.5) -> None:
        net = nn.Linear(2, 1)
        self.averages = {id(one): torch.full_like(one, value) for one in net.parameters()}
        self.holder = {"net": net}


def test_a_key_is_named_by_the_object_with_that_address() -> None:
    one = Momentum()
    paths = take({"agent": one}).leaves
    assert "agent.averages[id(agent.holder['net'].weight)]" in paths
    other = Momentum()
    other.holder["net"].load_state_dict(one.holder["net"].state_dict())
    assert compare(take({"agent": one}), take({"agent": other})) == []


def test_another_number_of_that_size_is_what_it_is() -> None:
    assert "agent[8589934592]" in take({"agent": {2**33: 1.0}}).leaves


def test_what_is_at_the_key_can_be_put_back() -> None:
    one, other = Momentum(), Momentum(0.25)
    other.holder["net"].load_state_dict(one.holder["net"].state_dict())
    lacking: Any = copy.copy(other)
    lacking.averages = dict(list(other.averages.items())[1:])
    for restored in (other, lacking):
        found = list(changes(take({"agent": one}), take({"agent": restored})))
        assert found
        assert transplant({"agent": restored}, {"agent": one}, found) == {}
        assert compare(take({"agent": one}), take({"agent": restored})) == []

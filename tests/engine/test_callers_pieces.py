# SPDX-License-Identifier: MIT
"""What is the caller's is written from one agent into another, and nothing else is."""

from __future__ import annotations

import copy
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from verification.engine.callers import Callers
from verification.errors import AdapterError

CALLERS = Callers(re.compile(r"agent\.given(?:[.\[].*)?"), None)


class Single:
    def __deepcopy__(self, memo: Any) -> Any:
        raise RuntimeError("there is only one of me")


def give(own: Any, theirs: Any, callers: Callers = CALLERS) -> None:
    callers.give({"agent": own}, {"agent": theirs})


def test_only_the_callers_pieces_are_given() -> None:
    own, theirs = SimpleNamespace(given={"rate": 1}, total=3), SimpleNamespace(given={"rate": 2}, total=9)
    give(own, theirs)
    assert (own.given, own.total) == ({"rate": 2}, 3)
    assert list(CALLERS.of({"agent": own}).leaves) == ["agent.given", "agent.given['rate']"]


def test_another_name_of_it_is_the_callers_too() -> None:
    shared = {"rate": 1}
    found = CALLERS.of({"agent": SimpleNamespace(given=shared, rates=shared, total=1)}).leaves
    assert list(found) == ["agent.given", "agent.given['rate']", "agent.rates"]


def test_what_is_volatile_is_nobodys() -> None:
    callers = Callers(re.compile(r"agent\.(given|clock)"), re.compile(r"agent\.clock"))
    own, theirs = SimpleNamespace(given=1, clock=1), SimpleNamespace(given=2, clock=2)
    give(own, theirs, callers)
    assert (own.given, own.clock) == (2, 1)


def test_objects_that_are_one_are_one_again() -> None:
    def agent(item: Any, *more: Any) -> SimpleNamespace:
        held = [item]
        return SimpleNamespace(given=SimpleNamespace(array=np.array([held, *more], object), same=held))

    own, theirs = agent(1), agent(2, 3)
    give(own, theirs)
    assert own.given.array[0] is own.given.same
    assert own.given.same == [2]


def test_the_moments_of_an_optimizer_follow_the_weights_that_take_their_place() -> None:
    def agent(value: float) -> SimpleNamespace:
        net = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(net.weight, value)
        optimizer = torch.optim.Adam(net.parameters())
        net(torch.full((1,), value)).sum().backward()
        optimizer.step()
        return SimpleNamespace(given=SimpleNamespace(net=net, optimizer=optimizer))

    own, theirs = agent(1.0), agent(2.0)
    own.given.net = copy.deepcopy(own.given.net)  # which its optimizer knows nothing of
    give(own, theirs)
    for parameter, other in zip(own.given.net.parameters(), theirs.given.net.parameters(), strict=True):
        moments = own.given.optimizer.state[parameter], theirs.given.optimizer.state[other]
        assert torch.equal(*(one["exp_avg"] for one in moments))


def test_what_cannot_be_given_is_the_adapters_to_name_better() -> None:
    own, theirs = SimpleNamespace(given=None), SimpleNamespace(given=Single())
    with pytest.raises(AdapterError) as caught:
        give(own, theirs)
    assert str(caught.value) == (
        "agent.given is the caller's, but another value cannot be put there (RuntimeError: there is only one "
        "of me), so that what follows cannot be compared; let callers name a smaller piece"
    )

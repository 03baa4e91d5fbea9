# SPDX-License-Identifier: MIT
"""Paths read as Python, and which leaves are one object is state."""

from __future__ import annotations

import dataclasses
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from states import look, optimized
from torch import nn

from verification.state import Snapshot, compare

# -- paths --------------------------------------------------------------------------------------------------


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
        self.heads = nn.ModuleDict({"q1": nn.Linear(1, 1)})
        self.blocks = nn.ModuleList([nn.Linear(1, 1)])
        self.scales = nn.ParameterList([torch.ones(1)])
        self.gains = nn.ParameterDict({"a": torch.ones(1)})
        self.register_buffer("seen", torch.zeros(1), persistent=False)
        self.add_module("odd name", nn.Linear(1, 1))


def test_paths_read_as_python() -> None:
    agent = SimpleNamespace(actor=Net())
    agent.optimizer = torch.optim.Adam(agent.actor.parameters())
    agent.actor.net(torch.ones(1, 2)).sum().backward()
    agent.optimizer.step()
    snapshot = look(agent)
    expected = [
        "agent.actor.net[0].weight",
        "agent.actor.heads['q1'].bias",
        "agent.actor.blocks[0].weight",
        "agent.actor.scales[0]",
        "agent.actor.gains['a']",
        "agent.actor.seen",
        "agent.actor.get_submodule('odd name').weight",
        "agent.optimizer.param_groups[0]['lr']",
        "agent.actor.net[2].training",
    ]
    assert [path for path in expected if path not in snapshot.leaves] == []
    # The fourth parameter that got a gradient is net[2].bias, as in the optimizer's own numbering.
    index = next(i for i, p in enumerate(agent.actor.parameters()) if p is agent.actor.net[2].bias)
    assert f"agent.optimizer.state[{index}]['exp_avg']" in snapshot.leaves
    for path, leaf in snapshot.leaves.items():
        if leaf.kind == "tensor" and leaf.role != "context" and "optimizer" not in path:
            assert torch.equal(eval(path, {"agent": agent}), leaf.value), path


def test_a_path_names_what_a_tensor_is_even_if_its_optimizer_is_found_first() -> None:
    class Trainer:
        def __init__(self, net: nn.Module) -> None:
            self.optimizer = torch.optim.SGD(net.parameters(), 0.1)
            self.schedule = torch.optim.lr_scheduler.StepLR(self.optimizer, 2)

    net = nn.Linear(1, 1)
    agent = SimpleNamespace(a_trainer=Trainer(net), nets=SimpleNamespace(critic=net))
    for root in (agent, {"first": agent.a_trainer, "then": agent.nets}):
        snapshot = look(root)
        tensors = [path for path, leaf in snapshot.leaves.items() if leaf.kind == "tensor"]
        assert [path.rpartition(".")[2] for path in tensors] == ["weight", "bias"]
        assert snapshot.trained == frozenset(tensors)


def test_networks_come_before_what_uses_them_in_reports() -> None:
    agent = SimpleNamespace(zz_net=nn.Linear(1, 1), counter=3)
    agent.a_optimizer = torch.optim.SGD(agent.zz_net.parameters(), 0.1)
    paths = list(look(agent).leaves)
    firsts = [
        paths.index(path)
        for path in ("agent.zz_net.weight", "agent.counter", "agent.a_optimizer.param_groups[0]")
    ]
    assert firsts == sorted(firsts)


# -- identity -----------------------------------------------------------------------------------------------


def test_the_optimizers_parameters_are_the_modules() -> None:
    snapshot = look(optimized())
    assert snapshot.leaves["agent.optimizer.param_groups[0]['params'][0]"].value == "agent.net.weight"
    assert snapshot.leaves["agent.scheduler.optimizer"].value == "agent.optimizer"
    assert snapshot.trained == {"agent.net.weight", "agent.net.bias"}


def test_an_optimizer_of_stale_parameters_differs_although_every_number_is_equal() -> None:
    agent = optimized()
    before = look(agent)
    agent.net.weight = nn.Parameter(agent.net.weight.detach().clone())
    differences = compare(before, look(agent))
    assert [(one.path, one.aspect) for one in differences] == [
        ("agent.optimizer.param_groups[0]['params'][0]", "identity")
    ]
    assert differences[0].expected == "the same object as agent.net.weight"


def test_a_scheduler_of_another_optimizer_differs() -> None:
    agent = optimized()
    before = look(agent)
    agent.optimizer = torch.optim.SGD(agent.net.parameters(), 0.1)
    agent.optimizer.param_groups[0]["initial_lr"] = 0.1
    assert ("agent.scheduler.optimizer", "identity") in [
        (one.path, one.aspect) for one in compare(before, look(agent))
    ]


def test_tied_weights_stay_tied_and_copies_stay_copies() -> None:
    def agent(*, tied: bool) -> Snapshot:
        first, second = nn.Linear(1, 1), nn.Linear(1, 1)
        second.load_state_dict(first.state_dict())
        if tied:
            second.weight = first.weight
        torch.nn.init.ones_(first.weight)
        torch.nn.init.ones_(second.weight)
        torch.nn.init.zeros_(first.bias)
        torch.nn.init.zeros_(second.bias)
        return look(SimpleNamespace(first=first, second=second))

    assert [str(one) for one in compare(agent(tied=True), agent(tied=False))] == [
        "agent.second.weight was the same object as agent.first.weight; now it is an object of its own"
    ]
    (difference,) = compare(agent(tied=False), agent(tied=True))
    assert (difference.path, difference.aspect) == ("agent.second.weight", "identity")


@pytest.mark.parametrize("kind", ["tensors", "arrays", "tensor over array"])
def test_views_of_one_memory_differ_from_copies(kind: str) -> None:
    def make(*, shared: bool) -> SimpleNamespace:
        if kind == "tensors":
            whole: Any = torch.arange(4.0)
            part = whole[2:] if shared else whole[2:].clone()
        elif kind == "arrays":
            whole = np.arange(4.0)
            part = whole[2:][:1] if shared else whole[2:][:1].copy()
        else:
            whole = np.arange(4.0)
            part = torch.from_numpy(whole) if shared else torch.from_numpy(whole.copy())
        return SimpleNamespace(a=whole, b=part)

    (difference,) = compare(look(make(shared=False)), look(make(shared=True)))
    assert difference.aspect == "memory"
    assert re.search(r"memory shared with agent\.[ab]", difference.actual)
    assert compare(look(make(shared=True)), look(make(shared=True))) == []


def test_a_shared_list_differs_from_two_equal_lists() -> None:
    shared = [1]
    before = look(SimpleNamespace(a=shared, b=shared))
    (difference,) = compare(before, look(SimpleNamespace(a=[1], b=[1])))
    assert (difference.path, difference.aspect) == ("agent.b", "identity")


@dataclasses.dataclass(frozen=True)
class Frozen:
    value: int
    box: list[int]


def test_whether_equal_constants_are_one_object_is_no_state() -> None:
    constant = Frozen(1, [1])
    text, pair = "".join(["a", "b"]), tuple(range(2))
    one = SimpleNamespace(a=constant, b=Frozen(1, constant.box), c=pair, d=tuple(range(2)), e=text, f=text)
    other = SimpleNamespace(a=constant, b=constant, c=pair, d=pair, e=text, f="".join(["a", "b"]))
    assert compare(look(one), look(other)) == []

# SPDX-License-Identifier: MIT
"""Leaves are told apart by structure and by watching them, whatever they are called."""

from __future__ import annotations

import copy
import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from states import look
from torch import nn

from verification.state import Part, classify


def train(agent: Any) -> None:
    agent.p.zero_grad()
    agent.q(torch.ones(1, 2)).sum().backward()
    agent.p.step()
    agent.when.step()
    with torch.no_grad():
        for follower, leader in zip(agent.critic.parameters(), agent.q.parameters(), strict=True):
            follower.lerp_(leader, 0.1)
    agent.tau += 1
    agent.mystery.random()


@pytest.fixture
def agent() -> SimpleNamespace:
    """An agent with misleading names."""
    agent = SimpleNamespace(
        q=nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, affine=False).eval(), nn.Linear(2, 1)),
        tau=0,  # counts
        steps=0.005,  # never changes
        label="td3",
        mystery=np.random.default_rng(0),
        memory=torch.zeros(3),
    )
    agent.critic = copy.deepcopy(agent.q)  # a target
    agent.p = torch.optim.Adam(agent.q.parameters())
    agent.when = torch.optim.lr_scheduler.ExponentialLR(agent.p, 0.9)
    return agent


@pytest.fixture
def parts(agent: SimpleNamespace) -> dict[str, Part]:
    trace = [look(agent)]
    for _ in range(2):
        train(agent)
        trace.append(look(agent))
    return classify(trace)


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("agent.q[0].weight", Part.ONLINE),
        (
            "agent.q[1].running_mean",
            Part.ONLINE,
        ),  # beside trained layers, itself without any
        ("agent.q[0].training", Part.MODE),
        ("agent.critic[0].weight", Part.TARGET),
        ("agent.critic[1].running_mean", Part.TARGET),
        ("agent.critic[1].training", Part.MODE),
        ("agent.p.state[0]['exp_avg']", Part.OPTIMIZER),
        ("agent.p.state[0]['step']", Part.OPTIMIZER),
        ("agent.p.param_groups[0]['betas'][0]", Part.HYPER_PARAMETER),
        ("agent.p.param_groups[0]['lr']", Part.SCHEDULE),  # the schedule changes it
        ("agent.p.param_groups[0]['params'][0]", Part.BINDING),
        ("agent.when.last_epoch", Part.SCHEDULE),
        ("agent.when.optimizer", Part.BINDING),
        ("agent.tau", Part.COUNTER),
        ("agent.steps", Part.HYPER_PARAMETER),
        ("agent.label", Part.HYPER_PARAMETER),
        ("agent.mystery", Part.GENERATOR),
        ("agent.memory", Part.OTHER),
    ],
)
def test_every_leaf_is_in_the_part_that_its_role_says(parts: dict[str, Part], path: str, part: Part) -> None:
    assert parts[path] is part


def test_gradients_are_in_no_part(parts: dict[str, Part]) -> None:
    assert not [path for path in parts if path.endswith(".grad")]


def two_layers(**more: Any) -> SimpleNamespace:
    agent = SimpleNamespace(net=nn.Linear(1, 1), other=nn.Linear(1, 1), **more)
    agent.optimizer = torch.optim.SGD(agent.net.parameters(), 0.1)
    return agent


def test_a_bare_layer_beside_a_trained_one_is_a_target() -> None:
    parts = classify([look(two_layers())])
    assert parts["agent.net.weight"] is Part.ONLINE
    assert parts["agent.other.weight"] is Part.TARGET


def test_a_frozen_layer_of_a_trained_network_is_online() -> None:
    agent = two_layers()
    agent.body = nn.Sequential(agent.other, agent.net)
    del agent.net, agent.other
    assert classify([look(agent)])["agent.body[0].weight"] is Part.ONLINE


def test_a_layer_that_moves_although_no_optimizer_holds_it_is_a_target() -> None:
    agent = SimpleNamespace(nets=nn.ModuleDict({"q": nn.Linear(1, 1), "copy": nn.Linear(1, 1)}))
    agent.optimizer = torch.optim.SGD(agent.nets["q"].parameters(), 0.1)
    before = look(agent)
    nn.init.constant_(agent.nets["copy"].weight, 7.0)
    assert classify([before, look(agent)])["agent.nets['copy'].weight"] is Part.TARGET


def test_a_tensor_that_only_the_optimizer_holds_is_online() -> None:
    loose = nn.Parameter(torch.ones(1))
    agent = SimpleNamespace(optimizer=torch.optim.SGD([loose], 0.1))
    assert classify([look(agent)])["agent.optimizer.param_groups[0]['params'][0]"] is Part.ONLINE


def test_leaves_that_appear_later_are_classified_too() -> None:
    agent = two_layers(rng=random.Random(0))
    trace = [look(agent)]
    agent.noise = [1.0]
    trace.append(look(agent))
    agent.noise[0] = 2.0
    trace.append(look(agent))
    parts = classify(trace)
    assert parts["agent.noise[0]"] is Part.COUNTER
    assert parts["agent.rng"] is Part.GENERATOR


def test_what_training_takes_away_and_adds_has_a_part_too() -> None:
    agent = SimpleNamespace(first=1, kept=2)
    trace = [look(agent)]
    del agent.first
    agent.later = 3
    trace.append(look(agent))
    parts = classify(trace)
    assert parts["agent.first"] is Part.HYPER_PARAMETER
    assert parts["agent.kept"] is Part.HYPER_PARAMETER
    assert parts["agent.later"] is Part.COUNTER  # it appeared while training


def test_what_a_user_sets_by_hand_is_no_counter() -> None:
    agent = SimpleNamespace(first=0, second=0)
    trace = [look(agent)]
    agent.first = 1
    trace.append(look(agent))
    agent.second = 1
    trace.append(look(agent))
    parts = classify(trace, by_hand={1})
    assert (parts["agent.first"], parts["agent.second"]) == (Part.HYPER_PARAMETER, Part.COUNTER)


def test_what_follows_from_the_seed_is_no_hyper_parameter() -> None:
    parts = classify([look(SimpleNamespace(a=1, b=1))], other_seed=look(SimpleNamespace(a=1, b=2)))
    assert (parts["agent.a"], parts["agent.b"]) == (Part.HYPER_PARAMETER, Part.OTHER)

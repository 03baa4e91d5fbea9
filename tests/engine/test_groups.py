# SPDX-License-Identifier: MIT
"""What is lost together is one group, with the name that a person would use for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from states import look
from torch import nn

from verification.engine.groups import Group, content_of, familiar, grouped, name_of, ways
from verification.state import Change, Part, changes, classify


def groups(reference: Any, after: Any, before: Any) -> list[Group]:
    """The groups of an agent that was ``before``, and that a load has made ``after``."""
    saved = look(reference)
    parts = classify([saved])
    loaded = look(after)
    differing = list(changes(saved, loaded))
    return grouped(differing, saved, loaded, look(before), lambda one: parts.get(one.path, Part.OTHER))


def group(path: str, part: Part = Part.OTHER, paths: tuple[str, ...] = ("agent.x",)) -> Group:
    return Group(path, tuple(Change(one, "value", None, None) for one in paths), part)


def filled(value: float) -> nn.Linear:
    net = nn.Linear(1, 1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(value)
    return net


def test_a_network_of_which_nothing_came_back_is_one_group() -> None:
    old, new = SimpleNamespace(net=filled(1)), SimpleNamespace(net=filled(2))
    (only,) = groups(new, old, old)
    assert only.path == "agent.net"
    assert [one.path for one in only.changes] == ["agent.net.weight", "agent.net.bias"]
    assert only.part is Part.TARGET  # no optimizer updates it


def test_what_did_not_come_back_of_a_network_is_a_group_of_its_own() -> None:
    old, new, half = (SimpleNamespace(net=filled(value)) for value in (1, 2, 1))
    half.net.weight = new.net.weight
    (only,) = groups(new, half, old)
    assert only.path == "agent.net.bias"
    assert only.within == ()


def test_attributes_of_an_agent_are_judged_one_by_one() -> None:
    old, new = SimpleNamespace(a=1, b=1), SimpleNamespace(a=2, b=2)
    assert [one.path for one in groups(new, old, old)] == ["agent.a", "agent.b"]


def test_items_of_a_container_are_lost_with_it() -> None:
    old, new = SimpleNamespace(log=[1, 2]), SimpleNamespace(log=[3, 4])
    (only,) = groups(new, old, old)
    assert only.path == "agent.log"
    assert len(only.changes) == 2


def test_a_generator_that_a_layer_draws_from_is_lost_by_itself() -> None:
    def drawing(seed: int) -> SimpleNamespace:
        net = nn.Sequential(nn.ReLU())
        net.stream = torch.Generator().manual_seed(seed)
        return SimpleNamespace(net=net, streams={"noise": torch.Generator().manual_seed(seed)})

    found = [one.path for one in groups(drawing(1), drawing(2), drawing(2))]
    assert found == ["agent.net.stream", "agent.streams"]


def test_where_two_names_of_one_object_came_apart_the_stale_one_is_lost() -> None:
    def agent(first: list[int], second: list[int]) -> SimpleNamespace:
        return SimpleNamespace(buffer=first, replay=second)

    old, new = [1], [2]
    (stale,) = groups(agent(new, new), agent(old, [2]), agent(old, old))
    assert stale.path == "agent.buffer"
    assert [one.path for one in stale.changes] == ["agent.buffer[0]", "agent.replay"]
    (stale,) = groups(agent(new, new), agent([2], old), agent(old, old))
    assert stale.path == "agent.replay"


def test_members_of_an_object_are_lost_one_by_one_within_it() -> None:
    old, new = (SimpleNamespace(env=SimpleNamespace(a=value, b=value)) for value in (1, 2))
    first, second = groups(new, old, old)
    assert (first.path, second.path) == ("agent.env.a", "agent.env.b")
    assert first.within == second.within == ("agent.env",)


def test_an_object_of_which_something_came_back_is_not_lost_as_a_whole() -> None:
    old, new, half = (SimpleNamespace(env=SimpleNamespace(a=a, b=b)) for a, b in ((1, 1), (2, 2), (2, 1)))
    (only,) = groups(new, half, old)
    assert only.path == "agent.env.b"
    assert only.within == ()


def test_what_was_equal_before_the_load_did_not_come_back() -> None:
    old, new = (SimpleNamespace(env=SimpleNamespace(a=1, b=value)) for value in (1, 2))
    (only,) = groups(new, old, old)
    assert only.within == ("agent.env",)


def test_an_optimizers_moments_say_more_than_its_rate() -> None:
    def agent(rate: float, steps: int) -> SimpleNamespace:
        net = filled(1)
        optimizer = torch.optim.Adam(net.parameters(), rate)
        for _ in range(steps):
            net(torch.ones(1, 1)).sum().backward()
            optimizer.step()
        return SimpleNamespace(net=net, optimizer=optimizer)

    one = next(one for one in groups(agent(0.1, 2), agent(0.2, 1), agent(0.2, 1)) if "optimizer" in one.path)
    assert one.path == "agent.optimizer"
    assert one.part is Part.OPTIMIZER


@pytest.mark.parametrize(
    ("path", "part", "name"),
    [
        ("agent.optimizer.state", Part.OPTIMIZER, "agent.optimizer"),
        ("agent.state", Part.OTHER, "agent.state"),
        ("agent.function.__globals__['rate']", Part.OTHER, "the global rate"),
        ("agent.function.__globals__['rates'][0]", Part.OTHER, "the global rates[0]"),
        ("agent.function.__globals__.rate", Part.OTHER, "the global rate"),
    ],
)
def test_a_group_has_the_name_that_a_person_would_use(path: str, part: Part, name: str) -> None:
    assert name_of(group(path, part)) == name


@pytest.mark.parametrize(
    ("part", "paths", "content"),
    [
        (Part.OPTIMIZER, ("a.state[0]['exp_avg']", "a.state[0]['step']"), "moments of 1 parameter"),
        (Part.OPTIMIZER, ("a.state[0]['exp_avg']", "a.state[1]['exp_avg']"), "moments of 2 parameters"),
        (Part.OPTIMIZER, ("a.state[0]['step']", "a.state[1]['step']"), "steps of 2 parameters"),
        (Part.OPTIMIZER, ("a.param_groups[0]['lr']",), ""),
        (Part.ONLINE, ("a.weight", "a.bias"), "2 tensors"),
        (Part.TARGET, ("a.weight", "a.bias"), "2 tensors"),
        (Part.TARGET, ("a.weight",), ""),
        (Part.COUNTER, ("a.x", "a.y", "a.z"), "3 leaves"),
        (Part.COUNTER, ("a.x",), ""),
    ],
)
def test_what_of_a_group_is_lost_is_counted(part: Part, paths: tuple[str, ...], content: str) -> None:
    assert content_of(group("a", part, paths)) == content


ALIASES = {"agent.alpha.optimizer": ("agent.alpha_optimizer",), "agent.alpha": ("agent.temperature",)}


def test_all_ways_to_an_object_are_known() -> None:
    assert list(ways("agent.alpha.optimizer.state", ALIASES)) == [
        "agent.alpha.optimizer.state",
        "agent.alpha_optimizer.state",
        "agent.temperature.optimizer.state",
    ]


@pytest.mark.parametrize(
    ("path", "aliases", "name"),
    [
        ("agent.alpha.optimizer.state", ALIASES, "agent.alpha_optimizer.state"),
        ("agent.x", {}, "agent.x"),
        ("agent.nets.values()[0].weight", {"agent.nets.values()[0]": ("agent.a.b.c",)}, "agent.a.b.c.weight"),
        (
            "agent.step.__self__.rate",
            {"agent.step.__self__": ("agent.held.schedule",)},
            "agent.held.schedule.rate",
        ),
        ("agent.longer", {"agent.longer": ("agent.short",)}, "agent.short"),
        ("agent.nets[0]", {"agent.nets[0]": ("agent.a_long_name_of_a_net",)}, "agent.a_long_name_of_a_net"),
    ],
)
def test_the_familiar_name_is_the_shortest_of_plain_attributes(
    path: str, aliases: dict[str, tuple[str, ...]], name: str
) -> None:
    assert familiar(path, aliases) == name

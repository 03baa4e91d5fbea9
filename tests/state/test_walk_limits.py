# SPDX-License-Identifier: MIT
"""Random streams are state; gradients and bookkeeping are not; and the agent is never asked."""

from __future__ import annotations

import random
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from states import look, optimized
from torch import nn

from verification.state import compare

# -- random generators --------------------------------------------------------------------------------------


GENERATORS = {
    "torch": (lambda: torch.Generator().manual_seed(1), lambda g: torch.rand((), generator=g)),
    "numpy": (lambda: np.random.default_rng(1), lambda g: g.random()),
    "numpy MT19937": (lambda: np.random.Generator(np.random.MT19937(1)), lambda g: g.random()),
    "numpy half-used word": (lambda: np.random.default_rng(1), lambda g: g.integers(2**31, dtype=np.uint32)),
    "numpy bit generator": (lambda: np.random.PCG64(1), lambda g: g.random_raw()),
    "numpy legacy": (lambda: np.random.RandomState(1), lambda g: g.rand()),
    "python": (lambda: random.Random(1), lambda g: g.random()),
}


@pytest.mark.parametrize("kind", GENERATORS)
def test_the_position_of_a_generator_is_state(kind: str) -> None:
    make, draw = GENERATORS[kind]
    agent, twin = SimpleNamespace(rng=make()), SimpleNamespace(rng=make())
    assert compare(look(agent), look(twin)) == []
    draw(agent.rng)
    (difference,) = compare(look(twin), look(agent))
    assert difference.path == "agent.rng"
    assert difference.detail == "another position or seed of the random stream"
    draw(twin.rng)
    assert compare(look(agent), look(twin)) == []


def test_the_walk_draws_nothing() -> None:
    agent = SimpleNamespace(generators=[make() for make, _ in GENERATORS.values()])
    before = look(agent)
    assert compare(before, look(agent)) == []


def test_a_cached_gaussian_is_state() -> None:
    legacy, python = np.random.RandomState(1), random.Random(1)
    agent = SimpleNamespace(legacy=legacy, python=python)
    legacy.randn()  # makes two and keeps one
    python.gauss(0, 1)
    held = look(agent)
    state = list(legacy.get_state())
    legacy.set_state((*state[:3], 0, 0.0))
    python.gauss_next = None
    assert [one.path for one in compare(held, look(agent))] == ["agent.legacy", "agent.python"]


def test_a_generator_used_in_two_places_is_one_stream() -> None:
    rng = np.random.default_rng(0)
    snapshot = look(SimpleNamespace(noise=rng, replay=rng))
    assert snapshot.leaves["agent.replay"].value == "agent.noise"


# -- what is not state --------------------------------------------------------------------------------------


class Secretive(nn.Linear):
    """Answers no question about its state; its saved state is a lie."""

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("asked the agent")

    __getstate__ = __reduce_ex__ = __deepcopy__ = state_dict  # type: ignore[assignment]


class SecretiveOptimizer(torch.optim.SGD):
    def state_dict(self) -> Any:
        raise AssertionError("asked the agent")

    __getstate__ = state_dict


def test_the_agent_is_never_asked() -> None:
    net = Secretive(1, 1)
    agent = SimpleNamespace(net=net, optimizer=SecretiveOptimizer(net.parameters(), 0.1, momentum=0.9))
    net(torch.ones(1, 1)).sum().backward()
    agent.optimizer.step()
    snapshot = look(agent)
    assert {"agent.net.weight", "agent.optimizer.state[0]['momentum_buffer']"} <= snapshot.leaves.keys()


def test_properties_are_not_evaluated() -> None:
    class Lazy:
        @property
        def expensive(self) -> int:
            raise AssertionError("evaluated")

    assert list(look(SimpleNamespace(x=Lazy())).leaves) == ["agent", "agent.x"]


def test_gradients_count_only_through_what_follows_from_them() -> None:
    agent = optimized()
    before = look(agent)
    agent.net(torch.ones(1, 2)).sum().backward()
    after = look(agent)
    assert after.leaves["agent.net.weight.grad"].role == "context"
    assert compare(before, after) == compare(after, before) == []


def test_bookkeeping_of_torch_is_no_state() -> None:
    agent, other = optimized(), optimized()
    other.net.load_state_dict(agent.net.state_dict())
    other.optimizer.defaults["lr"] = 7.0  # only consulted when a group is added
    other.optimizer.state[other.net.bias]  # reading makes an empty entry
    other.net.register_forward_hook(print).remove()  # hooks are filed under numbers that count up
    handles = [one.net.register_forward_hook(print) for one in (agent, other)]
    assert compare(look(agent), look(other)) == []
    handles[1].remove()
    assert [one.path for one in compare(look(agent), look(other))] == ["agent.net._forward_hooks.values()[0]"]
    handles[0].remove()
    other.optimizer.param_groups[0]["lr"] = 7.0
    assert [one.path for one in compare(look(agent), look(other))] == [
        "agent.optimizer.param_groups[0]['lr']"
    ]


def test_the_order_in_which_an_optimizer_met_its_parameters_is_no_state() -> None:
    def agent(first: int) -> SimpleNamespace:
        weights = [nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))]
        agent = SimpleNamespace(weights=weights, optimizer=torch.optim.Adam(weights))
        for index in (first, 1 - first):
            agent.optimizer.zero_grad()
            weights[index].sum().backward()
            agent.optimizer.step()
        return agent

    one, other = agent(0), agent(1)
    first_met = [next(iter(agent.optimizer.state)) is agent.weights[0] for agent in (one, other)]
    assert first_met == [True, False]
    assert compare(look(one), look(other)) == []


def test_state_of_a_parameter_that_the_optimizer_no_longer_has_is_found() -> None:
    agent = optimized()
    agent.optimizer.state[torch.ones(1)] = {"momentum_buffer": torch.ones(1)}
    assert "agent.optimizer.state[stale 0]['momentum_buffer']" in look(agent).leaves


def test_volatile_paths_are_neither_recorded_nor_followed() -> None:
    agent = SimpleNamespace(net=nn.ReLU(), log=[1, 2], log_level=3)
    volatile = re.compile(r"agent\.log(?:[.\[].*)?|agent\.net\.training")
    snapshot = look(agent, volatile=volatile)
    assert [path for path in snapshot.leaves if "log" in path or "training" in path] == ["agent.log_level"]

# SPDX-License-Identifier: MIT
"""Global generators and flags are set, read, and left as they were."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from verification.engine.global_rng import global_states, isolated, restore_globals, seed_globals
from verification.state import compare, take


def draw() -> list[float]:
    return [
        random.random(),
        random.gauss(0, 1),
        np.random.rand(),
        np.random.randn(),
        torch.rand(1).item(),
        torch.randn(1).item(),
    ]


def test_one_seed_decides_all_global_generators() -> None:
    with isolated():
        seed_globals(5)
        first = draw()
        seed_globals(5)
        assert draw() == first
        seed_globals(6)
        assert not set(draw()) & set(first)


@pytest.mark.parametrize("seed", [0, 2**32 - 1, 2**32, 2**40])
def test_any_seed_is_accepted(seed: int) -> None:
    with isolated():
        seed_globals(seed)


def test_states_can_be_put_back_with_their_cached_gaussians() -> None:
    with isolated():
        seed_globals(1)
        random.gauss(0, 1), np.random.randn()  # each leaves the second of a pair behind
        states = global_states()
        first = [random.gauss(0, 1), np.random.randn(), *draw()]
        restore_globals(states)
        assert [random.gauss(0, 1), np.random.randn(), *draw()] == first


def test_the_states_of_cuda_are_put_back_where_there_were_some(monkeypatch: pytest.MonkeyPatch) -> None:
    put: list[object] = []
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", put.append)
    restore_globals({"torch.cuda": ["of the first device"]})
    restore_globals({})
    assert put == [["of the first device"]]


@pytest.mark.parametrize("name", ["random", "numpy.random", "torch"])
def test_a_draw_from_any_global_generator_shows(name: str) -> None:
    draws = {"random": random.random, "numpy.random": np.random.rand, "torch": lambda: torch.rand(1)}
    with isolated():
        before = take(global_states())
        assert compare(before, take(global_states())) == []
        draws[name]()
        differences = compare(before, take(global_states()))
        assert differences
        assert all(one.path.startswith(name) for one in differences)


def _leave_everything_changed() -> None:
    seed_globals(99)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.use_deterministic_algorithms(True)
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)


def _flags() -> tuple[object, ...]:
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
    )


def test_generators_and_flags_are_left_as_they_were() -> None:
    flags, states = _flags(), take(global_states())
    with isolated():
        assert torch.get_num_threads() == 1
        _leave_everything_changed()
        assert all(now != before for now, before in zip(_flags()[:4], flags[:4], strict=True))
    assert _flags() == flags
    assert compare(states, take(global_states())) == []


def test_they_are_left_as_they_were_after_an_exception() -> None:
    flags, states = _flags(), take(global_states())
    with pytest.raises(ZeroDivisionError), isolated():
        raise ZeroDivisionError(_leave_everything_changed())
    assert _flags() == flags
    assert compare(states, take(global_states())) == []


def _gradients(kind: type[nn.Module], runs: int) -> list[bytes]:
    """The gradients of a scripted network of this class, each on the same batch from the same weights."""
    torch.manual_seed(0)
    net, batch = torch.jit.script(kind()), torch.randn(4, 3)  # type: ignore[no-untyped-call]
    found = []
    for _ in range(runs):
        net.zero_grad()
        (net(batch) - 0.5).square().mean().backward()
        found.append(b"".join(one.grad.numpy().tobytes() for one in net.parameters()))
    return found


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # agents that use it are not gone
def test_torchscript_computes_the_same_whenever_it_is_called() -> None:
    for _ in range(4):  # classes are compiled once for the process; one in twenty computes the same anyway

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.first, self.second = nn.Linear(3, 6), nn.Linear(6, 2)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.second(torch.tanh(self.first(x))) * 1.5  # type: ignore[no-any-return]

        with isolated():
            assert len(set(_gradients(Net, 8))) == 1

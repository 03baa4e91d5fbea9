# SPDX-License-Identifier: MIT
"""Drawn optimizer states land in every optimizer, are what they say, and leave it able to go on."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import Phase, find, settings

from verification.engine.implant import implant, refusable
from verification.errors import AdapterError, CheckFailure, OverTimeLimit, RefusedState
from verification.program import Implant, Learn
from verification.strategies import OptimizerState, optimizer_states
from verification.strategies.moments import MOMENTS, STEPS

MINIMAL = settings(phases=[Phase.generate, Phase.shrink], database=None, deadline=None)
OPTIONS = {
    "Adadelta": {},
    "Adagrad": {},
    "Adam": {"amsgrad": True},
    "AdamW": {},
    "Adamax": {},
    "ASGD": {},
    "NAdam": {},
    "RAdam": {},
    "RMSprop": {"centered": True, "momentum": 0.9},
    "Rprop": {},
    "SGD": {"momentum": 0.9, "lr": 1e-3},
    **({"Adafactor": {}} if hasattr(torch.optim, "Adafactor") else {}),
}


def trained(name: str, steps: int = 2) -> torch.optim.Optimizer:
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(3, 4)), torch.nn.Parameter(torch.randn(4))]
    optimizer: torch.optim.Optimizer = getattr(torch.optim, name)(parameters, **OPTIONS[name])
    for _ in range(steps):
        step(optimizer)
    return optimizer


def step(optimizer: torch.optim.Optimizer) -> None:
    for parameter in optimizer.param_groups[0]["params"]:
        parameter.grad = 0.1 * torch.randn_like(parameter)
    optimizer.step()


def layout(optimizer: torch.optim.Optimizer) -> list[object]:
    return [
        (key, type(value), getattr(value, "dtype", None), getattr(value, "shape", None))
        for entry in optimizer.state.values()
        for key, value in sorted(entry.items())
    ]


@pytest.mark.parametrize("name", OPTIONS)
def test_every_optimizer_goes_on_from_every_state(name: str) -> None:
    states = [OptimizerState(fresh=True), OptimizerState(missing=1)]
    states += [OptimizerState(s, m) for s, m in itertools.product((None, *STEPS), (None, *MOMENTS))]
    for state in states:
        optimizer = trained(name)
        before = layout(optimizer)
        implant(optimizer, state)
        if not state.fresh and state.missing is None:
            assert layout(optimizer) == before
        for _ in range(4):
            step(optimizer)
            for parameter in optimizer.param_groups[0]["params"]:
                assert torch.isfinite(parameter).all(), state
                assert parameter.abs().max() < 1e4, state
        assert layout(optimizer) == before


def test_counts_and_averages_are_what_was_drawn() -> None:
    optimizer = trained("Adam")
    implant(optimizer, OptimizerState(2**24 + 2, "negative_zero"))
    first, second = optimizer.state.values()
    assert first["step"].dtype is torch.float32
    assert first["step"] == second["step"] == 2**24 + 2
    assert torch.signbit(first["exp_avg"]).all()
    assert not torch.signbit(first["exp_avg_sq"]).any()
    implant(optimizer, OptimizerState(moments="subnormal"))
    for average in (first["exp_avg"], first["exp_avg_sq"]):
        assert (average > 0).all()
        assert (average < torch.finfo(torch.float32).smallest_normal).all()
        assert len(set(average.flatten().tolist())) == 8  # no eighth is rounded to another
    assert first["step"] == 2**24 + 2
    implant(optimizer, OptimizerState(moments="huge"))
    assert first["exp_avg"].min() >= 2.0**40
    assert first["exp_avg_sq"].min() >= 2.0**80
    assert first["exp_avg"][0, 0] != second["exp_avg"][0]


@pytest.mark.parametrize("name", ["SGD", "RMSprop"])
def test_a_huge_momentum_is_still_one_that_weights_bear(name: str) -> None:
    optimizer = trained(name)
    implant(optimizer, OptimizerState(moments="huge"))
    for entry in optimizer.state.values():
        assert 2.0**6 <= entry["momentum_buffer"].min() < entry["momentum_buffer"].max() <= 2.0**7
        assert entry.get("square_avg", torch.tensor(2.0**12)).min() >= 2.0**12


def test_steps_may_be_python_integers() -> None:
    optimizer = trained("Adam")
    next(iter(optimizer.state.values()))["step"] = 2
    implant(optimizer, OptimizerState(2**24 + 2))
    assert next(iter(optimizer.state.values()))["step"] == 2**24 + 2


def test_entries_go_missing_except_where_only_the_constructor_makes_them() -> None:
    optimizer = trained("SGD")
    first, second = optimizer.param_groups[0]["params"]
    implant(optimizer, OptimizerState(missing=2))
    assert first not in optimizer.state
    assert second in optimizer.state
    implant(optimizer, OptimizerState(fresh=True))
    assert not optimizer.state
    built = trained("Adagrad")
    implant(built, OptimizerState(fresh=True))
    assert len(built.state) == 2


def test_a_class_that_torch_does_not_have_keeps_its_entries() -> None:
    class Mine(torch.optim.Adam):
        pass

    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = Mine([parameter])
    step(optimizer)
    implant(optimizer, OptimizerState(fresh=True))
    assert optimizer.state
    implant(optimizer, OptimizerState(moments="zero"))
    assert not optimizer.state[parameter]["exp_avg"].any()


def test_an_optimizer_that_never_stepped_has_nothing_to_fill() -> None:
    optimizer = trained("Adam", steps=0)
    for state in (OptimizerState(5, "huge"), OptimizerState(missing=0), OptimizerState(fresh=True)):
        implant(optimizer, state)
        assert not optimizer.state


@pytest.mark.parametrize(
    ("raised", "written", "then"),
    [
        (AdapterError, True, RefusedState),
        (AdapterError, False, AdapterError),
        (OverTimeLimit, True, OverTimeLimit),
        (CheckFailure, True, CheckFailure),
    ],
)
def test_behind_a_state_that_was_written_a_mistake_is_a_refusal(
    raised: type[Exception], written: bool, then: type[Exception]
) -> None:
    steps = [Learn(1), *([Implant(OptimizerState(step=7))] if written else [])]
    with pytest.raises(then, match="x") as caught, refusable(steps):
        raise raised("x")
    assert caught.type is then


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (lambda _: True, "OptimizerState(step=16777218)"),
        (lambda state: state.moments, "OptimizerState(moments='zero')"),
        (
            lambda state: state.moments == "huge" and state.step,
            "OptimizerState(step=16777218, moments='huge')",
        ),
        (lambda state: state.missing is not None, "OptimizerState(missing=0)"),
        (lambda state: state.fresh, "OptimizerState(fresh=True)"),
    ],
)
def test_states_shrink_to_what_matters(condition: object, expected: str) -> None:
    assert repr(find(optimizer_states(), condition, settings=MINIMAL)) == expected


def test_bounds_are_checked() -> None:
    with pytest.raises(ValueError, match="moments has 'tiny'"):
        optimizer_states(moments=("tiny",))
    with pytest.raises(ValueError, match="steps has -1"):
        optimizer_states(steps=(-1,))

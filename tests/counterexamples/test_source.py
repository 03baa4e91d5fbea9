# SPDX-License-Identifier: MIT
"""Values written as source come back bit for bit; what cannot be written is refused and not guessed."""

from __future__ import annotations

import collections
import enum
import math
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from verification.adapters.td3_core import TD3Core
from verification.counterexamples.source import NoSource, Source
from verification.state import compare, take
from verification.strategies.program import programs


class Colour(enum.Enum):
    RED = 1


class Point(NamedTuple):
    x: float
    y: object


@dataclass(frozen=True)
class Made:
    values: Any
    kind: type = dict
    doubled: int = field(default=0, init=False)


class Outer:
    @dataclass(frozen=True)
    class Inner:
        value: int


@dataclass
class Derived:
    value: int

    def __post_init__(self) -> None:
        self.value *= 2


def bits(value: int, dtype: str) -> np.ndarray[Any, Any]:
    return np.array([value], f"u{np.dtype(dtype).itemsize}").view(dtype)


def evaluated(value: object) -> object:
    source = Source()
    text = source.of(value)
    namespace: dict[str, Any] = {}
    exec("\n".join(source.imports), namespace)
    return eval(text, namespace)


VALUES = [
    None,
    True,
    -3,
    0.1,
    -0.0,
    5e-324,
    math.nan,
    math.inf,
    -math.inf,
    complex(math.nan, -0.0),
    "quotes ' \" and \n lines",
    b"\x00\xff",
    (),
    (1,),
    [1, [2.5, None]],
    {"a": {1: (math.nan,)}},
    {1, 2},
    frozenset(),
    ...,
    Colour.RED,
    Point(1.0, [2]),
    Made({"x": (1, 2)}),
    Outer.Inner(3),
    dict,
    math.sqrt,
    take,
    types.SimpleNamespace(a=1, b=[2]),
    collections.OrderedDict(b=1, a=2),
    Path("a/b"),
    np.float32(0.1),
    np.float64(math.nan),
    np.int8(-4),
    np.bool_(True),
    np.array([0.1, -0.0, math.nan, math.inf], "float32"),
    np.array(3.5),
    np.zeros((0, 3), "uint8"),
    np.zeros((2, 0)),
    np.arange(200, dtype="uint8").reshape(2, 10, 10),
    np.array([[True, False]]),
    bits(0x7FC00001, "float32"),
    bits(0xFFF8000000000001, "float64"),
    np.array([1.0], ">f8"),
    torch.float32,
    torch.tensor([0.1, -0.0, math.inf]),
    torch.tensor([[1, 2]], dtype=torch.uint8),
    torch.tensor(1.5, dtype=torch.bfloat16),
    torch.zeros(0, 2),
    torch.arange(100).reshape(2, 50),
    torch.from_numpy(bits(0x7FC00001, "float32")),
    gym.spaces.Box(-1, 1, (3,)),
    gym.spaces.Box(0, 255, (1, 4, 4), np.uint8),
    gym.spaces.Box(np.array([-1.0, -math.inf]), np.array([0.5, math.inf]), dtype=np.float64),
    gym.spaces.Dict(b=gym.spaces.Box(-1, 1, (1,)), a=gym.spaces.Discrete(3, start=1)),
    gym.spaces.Tuple([gym.spaces.Discrete(2)]),
]


@pytest.mark.parametrize("value", VALUES, ids=[f"{at}-{type(one).__name__}" for at, one in enumerate(VALUES)])
def test_a_value_written_as_source_comes_back(value: object) -> None:
    again = evaluated(value)
    assert type(again) is type(value)
    found = compare(take({"value": value}), take({"value": again}))
    # What the module of a function holds changes with whatever else runs in this process.
    assert [one for one in found if "__globals__" not in one.path] == []


def made_here() -> object:
    class Local:
        pass

    return Local


def sampled() -> object:
    space = gym.spaces.Box(-1, 1, (3,))
    space.sample()
    return space


def noted() -> object:
    made = Made(1)
    object.__setattr__(made, "note", "not a field")
    return made


class Sub(dict):  # type: ignore[type-arg]
    pass


@pytest.mark.parametrize(
    "value",
    [
        object(),
        made_here(),
        lambda: None,
        Sub(a=1),
        np.array([object()]),
        Derived(2),
        torch.ones(2, requires_grad=True),
        gym.spaces.MultiBinary(3),
        [object()],
        np.random.default_rng(0),
        float(bits(0xFFF8000000000001, "float64")[0]),
        sampled(),
        noted(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_source_is_refused(value: object) -> None:
    source = Source()
    with pytest.raises(NoSource):
        source.of(value)
    assert source.imports == set()


@settings(max_examples=8, deadline=None)
@given(program=programs(TD3Core()))
def test_programs_of_the_built_in_strategies_have_source(program: Any) -> None:
    Source().of(program)

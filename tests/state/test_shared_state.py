# SPDX-License-Identifier: MIT
"""Numbers and containers of the agent's own classes and modules are state that its process shares."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import types
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from states import look

from verification.state import Snapshot, compare, find, shared_places

COUNT = 0
TABLE: dict[str, Any] = {"a": [1]}
STREAM = np.random.default_rng(0)
NAMES = ("a", "b")  # a constant


class Settings:
    """Never instantiated."""

    rate = 1.0


def helper() -> Any:
    return TABLE


@dataclasses.dataclass
class Config:
    size: int = 3


class Base:
    made: ClassVar[int] = 0


class Agent(Base):
    history: ClassVar[list[int]] = []
    ids = itertools.count()
    limit = functools.cached_property(len)

    def __init__(self) -> None:
        self.config = Config()

    def update(self) -> None:
        global COUNT  # noqa: PLW0603
        COUNT += 1

    def read(self) -> Any:
        return helper(), Settings.rate, [STREAM for _ in NAMES]

    @property
    def never(self) -> int:
        raise AssertionError("evaluated")

    @staticmethod
    def sample() -> float:
        return STREAM.random()


def shared(snapshot: Snapshot) -> set[str]:
    return {path for path, leaf in snapshot.leaves.items() if leaf.role == "shared"}


def here(name: str) -> Any:
    return globals()[name]


CHANGES = {
    "class attribute": (lambda: Agent.history.append(1), "agent.__class__.history"),
    "counter of a base class": (lambda: setattr(Base, "made", Base.made + 1), "agent.__class__.made"),
    "iterator of a class": (lambda: next(Agent.ids), "agent.__class__.ids"),
    "global number": (lambda: Agent().update(), "agent.__class__.update.__globals__['COUNT']"),
    "table behind a helper": (
        lambda: TABLE["a"].append(2),
        "agent.__class__.read.__globals__['helper'].__globals__['TABLE']['a']",
    ),
    "class that is named": (
        lambda: setattr(Settings, "rate", Settings.rate + 1),
        "agent.__class__.read.__globals__['Settings'].rate",
    ),
    "global random generator": (STREAM.random, "agent.__class__.read.__globals__['STREAM']"),
}


@pytest.mark.parametrize("place", CHANGES)
def test_state_of_classes_and_modules_is_found(place: str) -> None:
    change, path = CHANGES[place]
    agent = Agent()
    before = look(agent)
    assert compare(before, look(Agent())) == []
    change()
    after = look(agent)
    assert path in {one.path for one in compare(before, after)}
    assert after.leaves[path].role == "shared"
    if "[" not in path.removeprefix("agent.__class__"):
        assert eval(path, {"agent": agent}) is not None  # paths read as Python


def test_of_several_classes_the_one_that_is_read_counts() -> None:
    class Upper:
        made = 1

    class Lower(Upper):
        made = 2

    agent = Lower()
    assert look(agent).leaves["agent.__class__.made"].value == 2
    before = look(agent)
    Upper.made = 5
    assert compare(before, look(agent)) == []


def test_code_and_what_instances_hide_are_no_shared_state() -> None:
    found = shared(look(Agent()))
    assert not [path for path in found if any(word in path for word in ("limit", "never", "size", "sample'"))]


def test_classes_of_libraries_hold_no_shared_state() -> None:
    assert shared(look(SimpleNamespace(x=np.zeros(1), y=SimpleNamespace()))) == set()


def test_global_names_of_a_function_in_the_state_are_found() -> None:
    def counted() -> int:
        return COUNT

    assert shared(look(SimpleNamespace(f=counted))) == {"agent.f.__globals__['COUNT']"}


def test_a_registry_of_all_agents_is_cut_short() -> None:
    class Registered:
        all: ClassVar[list[Any]] = []

        def __init__(self) -> None:
            self.data = list(range(1000))
            self.all.append(self)

    agents = [Registered() for _ in range(50)]
    snapshot = look(agents[0])
    assert len(snapshot) < 4000
    assert list(snapshot.opaque.values()) == ["more than 2000 leaves that agents share"]


def test_objects_of_the_agent_are_named_by_its_own_paths() -> None:
    class Keeper:
        last: ClassVar[Any] = None

    agent = SimpleNamespace(a=Keeper(), box=[1])
    Keeper.last = agent.box
    snapshot = look(agent)
    assert snapshot.leaves["agent.box"].role == "value"
    assert snapshot.leaves["agent.a.__class__.last"].value == "agent.box"
    assert find({"agent": Keeper()}, list) == {}


# -- what reads the same -------------------------------------------------------------------------------------


class Defaults:
    training = True
    steps = 0
    last: Any = None


def test_an_attribute_is_the_same_whether_the_class_or_the_instance_holds_it() -> None:
    bare, set_to_default, other = Defaults(), Defaults(), Defaults()
    set_to_default.training, set_to_default.steps, set_to_default.last = True, 0, None
    other.steps = 5
    assert compare(look(bare), look(set_to_default)) == compare(look(set_to_default), look(bare)) == []
    assert [str(one) for one in compare(look(other), look(bare))] == ["agent.steps expected 5, got 0"]
    assert [str(one) for one in compare(look(bare), look(other))] == ["agent.steps expected 0, got 5"]
    other.steps = False  # type: ignore[assignment]
    assert [one.aspect for one in compare(look(bare), look(other))] == ["type"]


def test_none_is_nothing_to_lose() -> None:
    empty, filled = SimpleNamespace(), SimpleNamespace(last=None)
    assert compare(look(empty), look(filled)) == compare(look(filled), look(empty)) == []
    assert compare(look(filled), look(SimpleNamespace(last=0)))
    assert compare(
        look(SimpleNamespace(d={})), look(SimpleNamespace(d={"a": None}))
    )  # a key can be asked for


RATES = [0.1]
settings = types.ModuleType("settings")
settings.__file__ = "/home/somebody/settings.py"
settings.limits = [3]  # type: ignore[attr-defined]


def _rate() -> float:
    return RATES[0]


class Reader:
    def through_a_function(self) -> float:
        return _rate()

    def through_a_module(self) -> int:
        return settings.limits[0]


def test_what_functions_of_the_module_refer_to_is_shared() -> None:
    found = {path.rpartition("__globals__")[2] for path in look(Reader()).leaves}
    assert {"['RATES']", "['settings'].limits"} <= found


def test_the_places_of_what_is_shared_can_be_written_to() -> None:
    places = shared_places({"agent": Reader()})
    by_name = {name: holder for holder, name in places.values()}
    assert by_name["RATES"] is globals()
    assert by_name["limits"] is vars(settings)

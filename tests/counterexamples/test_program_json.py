# SPDX-License-Identifier: MIT
"""Kept programs come back bit for bit, whichever version wrote them and wherever their classes are now."""

from __future__ import annotations

import collections
import dataclasses
import importlib
import json
import sys
import types
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import gymnasium as gym
import kept_program
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_source import VALUES

from verification.adapters.find import load_adapter
from verification.counterexamples import class_names
from verification.counterexamples.class_names import PLACES, name_of, named
from verification.counterexamples.program_json import UnknownName, dumps, loads, names_in
from verification.counterexamples.store import StoredFailure, program_in, read
from verification.errors import UsageError
from verification.program import Act, Learn, Program
from verification.specimens import SPECIMENS
from verification.state import compare, take
from verification.strategies import programs

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(file.name for file in GOLDEN.glob("*.failure"))
#: What the program in them names besides this project's own classes.
NAMES = names_in(kept_program.program())
#: Modules of this project that named classes are in.
HOMES = sorted({place.partition(":")[0] for place in PLACES.values()})


class Pair(NamedTuple):
    x: float
    y: object


class Plain:
    """Not a data class; it leads back to itself."""

    def __init__(self, value: object) -> None:
        self.value, self.itself = value, self


class Slotted:
    __slots__ = ("value",)


@dataclasses.dataclass(frozen=True)
class Grown:
    """Stands for a class that has got fields."""

    value: int
    number: int = 7
    items: list[int] = dataclasses.field(default_factory=lambda: [8])


def holding(value: object) -> Program:
    """A program that holds a value."""
    return Program({}, {}, 1, 2, (Act(value),), (1,), (), None, 3)


def there_and_back(value: Any) -> Any:
    (step,) = loads(dumps(holding(value))).steps
    return step.observation


def differences(one: object, other: object) -> list[Any]:
    return compare(take({"it": one}), take({"it": other}))


def slotted() -> Slotted:
    value = Slotted()
    value.value = 3
    return value


# -- golden files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_what_every_version_kept_comes_back_bit_for_bit(name: str) -> None:
    assert differences(kept_program.program(), program_in(GOLDEN / name, NAMES)) == []


def test_the_form_of_this_version_is_the_newest_golden_file(tmp_path: Path) -> None:
    """Who changes the form on purpose keeps reading this one, and adds a file."""
    header, written = (GOLDEN / FILES[-1]).read_text().splitlines()
    assert dumps(loads(written)) == written
    assert json.loads(header)["format"] == 2
    assert differences(loads(dumps(kept_program.program())), kept_program.program()) == []


def test_the_golden_files_are_listed_as_failures(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes((GOLDEN / name).read_bytes())
    stored, sentences = read(tmp_path)
    assert sentences == []
    assert [(one.target, one.check, one.sentence) for one in stored] == [
        (kept_program.TARGET, kept_program.CHECK, kept_program.SENTENCE)
    ] * len(FILES)


# -- moves -------------------------------------------------------------------------------------------------


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every module with named classes has another name, and its old one leads nowhere."""
    for home in HOMES:
        for name, place in PLACES.items():
            if place.startswith(f"{home}:"):
                monkeypatch.setattr(named(name), "__module__", f"moved.{home}")
                monkeypatch.setitem(class_names.PLACES, name, f"moved.{place}")
    for home in HOMES:
        monkeypatch.setitem(sys.modules, f"moved.{home}", sys.modules[home])
        monkeypatch.setitem(sys.modules, home, None)
    monkeypatch.setitem(sys.modules, "moved", types.ModuleType("moved"))


def test_the_move_of_these_tests_breaks_what_names_modules(moved: None) -> None:
    """Otherwise the next test would prove nothing."""
    with pytest.raises(ModuleNotFoundError, match=r"verification\.program"):
        importlib.import_module("verification.program")


@pytest.mark.parametrize("name", FILES)
def test_a_move_of_modules_changes_nothing(name: str, moved: None) -> None:
    program = program_in(GOLDEN / name, NAMES)
    assert type(program).__module__ == "moved.verification.program"
    assert dumps(program) == dumps(program_in(GOLDEN / "v2.failure", NAMES))


def test_names_are_found_again() -> None:
    assert {name: name_of(named(name)) for name in PLACES} == {name: name for name in PLACES}


@pytest.mark.parametrize("target", ["td3_core", *SPECIMENS])
def test_programs_of_our_own_adapters_name_no_module_of_ours(target: str) -> None:
    """A class without a name of its own would bind the file to where it is today."""
    adapter = load_adapter(target)

    @settings(max_examples=10, deadline=None)
    @given(program=st.booleans().flatmap(lambda closed: programs(adapter, closed_loop=closed)))
    def check(program: Program) -> None:
        text = dumps(program)
        assert "verification." not in text
        assert "td3_core." not in text
        assert dumps(loads(text)) == text

    check()


# -- values ------------------------------------------------------------------------------------------------

MORE = [
    collections.deque([1, [2]], maxlen=3),
    collections.defaultdict(list, {1: [2]}),
    bytearray(b"\x00\x01"),
    Pair(1.0, [2]),
    slotted(),
    {frozenset([(1, 2), (0, 1)]): {(3, 4), (1, 2)}},
    np.asfortranarray(np.arange(6).reshape(2, 3)),
    np.array(["2026-11-26"], "datetime64[D]"),
    np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")]),
    np.array([[1], {"a": 2}, None], dtype=object),
    np.dtype("float32"),
    np.random.default_rng(3),
    torch.arange(6.0).reshape(2, 3).t(),
    torch.zeros(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
    torch.tensor([1 + 2j]),
    torch.nn.Parameter(torch.ones(2)),
    gym.spaces.MultiBinary(3),
]


@pytest.mark.parametrize(
    "value", [*VALUES, *MORE], ids=[f"{at}-{type(one).__name__}" for at, one in enumerate([*VALUES, *MORE])]
)
def test_a_value_comes_back_as_it_was(value: object) -> None:
    again = there_and_back(value)
    assert type(again) is type(value)
    if isinstance(value, FunctionType):
        assert again is value  # found by its name; what its module holds may change meanwhile
        return
    assert differences(value, again) == []


def test_what_was_one_object_is_one_object_again() -> None:
    shared: list[Any] = [1.5]
    one, (other, third), inner = there_and_back([shared, (shared, [1.5]), {"x": (shared,)}])
    assert one is other is inner["x"][0]
    assert third is not one


def test_what_leads_back_to_itself_does_so_again() -> None:
    again = there_and_back(Plain(3))
    assert (again.value, again.itself) == (3, again)
    cycle: list[Any] = []
    cycle.append({"back": cycle})
    again = there_and_back(cycle)
    assert again[0]["back"] is again


def test_a_tuple_that_holds_itself_is_refused() -> None:
    items: list[Any] = []
    holds_itself = (items,)
    items.append(holds_itself)
    with pytest.raises(ValueError, match="holds itself"):
        there_and_back(holds_itself)


def test_equal_sets_are_written_alike() -> None:
    one = {(1, "a"), (2, "b"), "c"}
    other = {"c", (2, "b"), (1, "a")}
    assert dumps(holding(one)) == dumps(holding(other))


def made_here() -> type:
    class Local:
        pass

    return Local


@pytest.mark.parametrize(
    "value",
    [lambda: None, made_here(), made_here()(), (one for one in ())],
    ids=["lambda", "class", "object", "generator"],
)
def test_what_does_not_describe_itself_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        dumps(holding(value))


def test_an_open_file_is_refused() -> None:
    with Path(__file__).open() as file, pytest.raises(TypeError):
        dumps(holding(file))


# -- classes that change -----------------------------------------------------------------------------------


def without(text: str, *fields: str) -> str:
    """The JSON of a program whose Grown lacks fields, as an earlier version of that class would be."""
    tree = json.loads(text)
    state = tree["state"]["dict"]["steps"]["tuple"][0]["state"]["dict"]["observation"]["state"]["dict"]
    for field in fields:
        del state[field]
    return json.dumps(tree)


def test_new_fields_have_their_defaults() -> None:
    text = dumps(holding(Grown(1, 2, [3])))
    (step,) = loads(without(text, "number", "items")).steps
    assert step.observation == Grown(1)


def test_a_new_field_without_a_default_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "0.failure"
    file.write_text('{"format": 2}\n' + without(dumps(holding(Grown(1))), "value"))
    with pytest.raises(UsageError) as caught:
        StoredFailure("0", "mine", "check", "", "", file, names_in(holding(Grown(1)))).program()
    assert (
        str(caught.value)
        == "the failure kept as 0 can no longer be read (TypeError: Grown has a new field value)"
    )


@pytest.mark.parametrize(
    "node",
    [
        {"call": "builtins:eval", "arguments": ["ran.append(1)"]},
        {"object": "subprocess:Popen"},
        {"name": "os:system"},
        {"tuple": [{"dict": {"a": {"call": "os:getcwd"}}}]},
    ],
)
def test_a_name_that_no_program_of_the_adapter_has_is_not_looked_for(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_for: list[str] = []
    monkeypatch.setattr("verification.counterexamples.program_json.named", looked_for.append)
    with pytest.raises(UnknownName, match="which no program of this adapter does"):
        loads(json.dumps(node), frozenset({"gymnasium.spaces.box:Box"}))
    assert looked_for == []


def test_what_is_no_program_is_refused() -> None:
    with pytest.raises(TypeError, match="no program but Learn"):
        loads('{"object": "program.Learn", "state": {"dict": {"batch": 1}}}')
    assert isinstance(Learn(1), named("program.Learn"))


def test_files_of_a_later_version_are_no_failures_of_this_one(tmp_path: Path) -> None:
    (tmp_path / "0.failure").write_text(
        (GOLDEN / "v2.failure").read_text().replace('"format": 2', '"format": 3')
    )
    stored, sentences = read(tmp_path)
    assert stored == []
    assert sentences == [
        f"{tmp_path / '0.failure'} is not a failure that this version can read; it was dropped"
    ]

# SPDX-License-Identifier: MIT
"""What the walker asks about types, modules, functions and generators, by examples."""

from __future__ import annotations

import dataclasses
import random
import sys
import types
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from verification.state.generators import generator_state, parent_of_children, seed_sequence_state
from verification.state.introspect import (
    class_constants,
    class_fields,
    code_bytes,
    member,
    own_code,
    own_file,
    own_module,
    precedence,
    slots,
    type_name,
)


def test_networks_come_first_and_users_of_their_parameters_last() -> None:
    kinds = (nn.Linear, nn.Parameter, dict, torch.optim.Adam, torch.optim.lr_scheduler.StepLR)
    assert [precedence(kind) for kind in kinds] == [0, 1, 2, 3, 4]
    assert precedence(torch.optim.lr_scheduler.ReduceLROnPlateau) == 4


@pytest.mark.parametrize(
    ("module", "name", "path"),
    [
        (nn.Sequential(), "0", "agent[0]"),
        (nn.Linear(1, 1), "weight", "agent.weight"),
        (nn.ModuleDict(), "pi", "agent['pi']"),
        (nn.ParameterDict(), "pi", "agent['pi']"),
        (nn.Module(), "0", "agent.get_submodule('0')"),
        (nn.Module(), "two words", "agent.get_submodule('two words')"),
    ],
)
def test_a_member_is_written_as_one_would(module: nn.Module, name: str, path: str) -> None:
    assert member("agent", name, module) == path


class _Base:
    __slots__ = ("__private", "__weakref__", "plain")


class Slotted(_Base):
    __slots__ = "only"  # noqa: PLC0205 - which Python allows


class WithDict(Slotted):
    limit: ClassVar = 3
    name = "net"
    items: ClassVar = [1]
    __hidden__ = 1


@dataclasses.dataclass
class Fields:
    number: int = 1
    text: str = "a"
    constant: ClassVar[int] = 5


def test_slots_are_inherited_and_private_ones_are_mangled() -> None:
    assert slots(Slotted) == ("only", "_Base__private", "plain")
    assert slots(WithDict) == slots(Slotted)
    assert slots(dict) == ()
    assert slots(type("Open", (), {"__slots__": ("__dict__", "__dunder__")})) == ("__dunder__",)


def test_constants_of_a_class_are_scalars_that_no_field_hides() -> None:
    assert class_constants(WithDict) == {"limit", "name"}
    assert class_constants(Fields) == {"constant"}
    assert class_fields(Fields) == {"number", "text"}
    assert class_fields(WithDict) == frozenset()


def test_types_have_full_names() -> None:
    assert type_name(1) == "int"
    assert type_name(Fields()) == f"{__name__}.Fields"
    assert type_name(np.zeros(1)) == "numpy.ndarray"


def test_the_agents_own_code_is_neither_pythons_nor_installed() -> None:
    assert own_code(Fields)
    assert [own_code(kind) for kind in (dict, nn.Linear, np.ndarray, types.SimpleNamespace)] == [False] * 4
    assert not own_module(None)
    assert own_module(sys.modules[__name__])
    assert own_module(types.ModuleType("__main__"))
    assert not own_module(types.ModuleType("made_up"))
    assert not own_file(None)
    assert not own_file(random.__file__)
    assert not own_file(torch.__file__)
    assert not own_file("/elsewhere/dist-packages/module.py")
    assert own_file("/home/somebody/agent.py")


def code(source: str) -> bytes:
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    return code_bytes(namespace["function"].__code__)


def test_functions_are_the_same_if_they_do_the_same() -> None:
    one = code("def function(x): return x + 1")
    assert one == code("def function(x):\n    # said\n    return x + 1")
    for other in ("x + 2", "x - 1", "f(x) + 1", "[x + 1 for _ in x]", "x in {1, 2}"):
        assert code(f"def function(x): return {other}") != one
    assert code("def function(x): return f(x)") != code("def function(x): return g(x)")
    inner = "def function(x): return [y + {} for y in x]"
    assert code(inner.format(1)) != code(inner.format(2))
    members = "def function(x): return x in {{'{}', '{}', '{}'}}"
    assert code(members.format(*"abc")) == code(members.format(*"cba")) != code(members.format(*"abd"))


def test_only_generators_have_a_stream() -> None:
    with pytest.raises(TypeError, match="list is no random generator"):
        generator_state([])
    assert generator_state(random.SystemRandom()) == b"system entropy"


def test_a_seed_sequence_is_state_once_it_has_children() -> None:
    generator = np.random.default_rng(1)
    assert parent_of_children(generator) is None
    assert parent_of_children(np.random.RandomState(1)) is None
    assert parent_of_children(np.random.SeedSequence(1)) is None
    before = seed_sequence_state(generator.bit_generator.seed_seq)
    generator.spawn(1)
    assert parent_of_children(generator) is generator.bit_generator.seed_seq
    assert parent_of_children(generator.bit_generator) is generator.bit_generator.seed_seq
    assert seed_sequence_state(generator.bit_generator.seed_seq) != before
    assert generator_state(np.random.SeedSequence(1)) == before


class Fixed(np.random.bit_generator.ISeedSequence):
    """A seed sequence that never has children."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        return np.zeros(n_words, dtype)


def test_a_seed_sequence_of_another_kind_has_no_children() -> None:
    assert parent_of_children(np.random.PCG64(Fixed())) is None

# SPDX-License-Identifier: MIT
"""Two states are the same exactly if every byte, type and identity is, and what is not is said readably."""

from __future__ import annotations

import collections
import copy
import re
import struct
from types import SimpleNamespace
from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from states import difference, look
from torch import nn

from verification.state import Difference, compare, take


def float32(bits: int) -> torch.Tensor:
    return torch.from_numpy(np.array([bits], np.uint32).view(np.float32))


def double(bits: int) -> float:
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


class Pair(NamedTuple):
    left: int
    right: int


class OtherPair(NamedTuple):
    left: int
    right: int


# -- bytes -------------------------------------------------------------------------------------------------

NUMBERS = {  # two bit patterns of a float32, and how many numbers apart they are
    "one ULP": (0x3F800000, 0x3F800001, 1),
    "negative and positive zero": (0x80000000, 0x00000000, 1),
    "smallest subnormal and zero": (0x00000001, 0x00000000, 1),
    "smallest subnormals across zero": (0x80000001, 0x00000001, 3),
    "subnormal and normal": (0x007FFFFF, 0x00800000, 1),
    "one and minus one": (0x3F800000, 0xBF800000, 2 * 0x3F800000 + 1),
    "largest and infinity": (0x7F7FFFFF, 0x7F800000, 1),
    "payloads of NaN": (0x7FC00000, 0x7FC00007, 7),
}


@pytest.mark.parametrize(("before", "after", "ulps"), NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("holder", ["tensor", "array"])
def test_every_bit_of_a_float_counts(holder: str, before: int, after: int, ulps: int) -> None:
    one, other = float32(before), float32(after)
    if holder == "array":
        one, other = one.numpy(), other.numpy()  # type: ignore[assignment]
    found = difference(one, other)
    assert found.aspect == "value"
    assert found.detail.startswith(f"1 of 1 elements differ, by up to {ulps:,} ULP, ")
    assert difference(other, one).detail == found.detail
    assert compare(look(one), look(copy.deepcopy(one))) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (0.0, -0.0),
        (1.0, np.nextafter(1.0, 2.0).item()),
        (double(0x7FF8000000000000), double(0x7FF8000000000001)),
        (5e-324, 0.0),
        (complex(0.0, 0.0), complex(0.0, -0.0)),
        (2**53, 2**53 + 1),
        ("a", "b"),
        ("a\ud800", "a\ud801"),
        (b"\x00", b"\x01"),
        (None, False),
        (np.float32(0.0), np.float32(-0.0)),
        (np.datetime64("2020-01-01"), np.datetime64("2020-01-02")),
        (torch.float32, torch.float64),
        (torch.device("cpu"), torch.device("meta")),
    ],
    ids=lambda value: f"{type(value).__name__} {value!r}",
)
def test_every_bit_of_a_scalar_counts(before: object, after: object) -> None:
    assert difference(before, after).path == "agent"
    assert compare(look(before), look(copy.deepcopy(before))) == []


def test_scalars_are_told_with_their_distance() -> None:
    assert difference(0.0, -0.0) == Difference(
        "agent", "value", "0.0", "-0.0", "1 ULP, in signs of zeros or bits of NaN only"
    )
    assert str(difference(1, 2)) == "agent expected 1, got 2"


def test_the_first_differing_element_is_shown_and_all_are_counted() -> None:
    before, after = torch.zeros(2, 3), torch.zeros(2, 3)
    after[0, 2], after[1, 1] = 1.5, -2.0
    found = difference(before, after)
    assert (found.expected, found.actual) == ("[2]=0.0", "[2]=1.5")
    assert found.detail.startswith("2 of 6 elements differ")


def test_large_tensors_are_compared_although_they_are_not_kept() -> None:
    before, after = torch.zeros(100_000), torch.zeros(100_000)
    after[70_000] = 1
    assert difference(before, after).detail == "other bytes"


# -- everything but the bytes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aspect", "before", "after"),
    [
        ("dtype", torch.zeros(2), torch.zeros(1, dtype=torch.float64)),
        ("dtype", torch.zeros(2, dtype=torch.int32), torch.zeros(2)),
        ("dtype", np.zeros(2, "<f4"), np.zeros(2, ">f4")),
        ("shape", torch.zeros(2, 3), torch.zeros(3, 2)),
        ("shape", torch.zeros(()), torch.zeros(1)),
        ("shape", np.zeros((2, 3)), np.zeros(6)),
        ("strides", torch.zeros(2, 3), torch.zeros(3, 2).t()),
        ("strides", torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3).to(memory_format=torch.channels_last)),
        ("strides", np.zeros((2, 3)), np.zeros((2, 3), order="F")),
        ("strides", torch.zeros(6)[::2], torch.zeros(3)),
        ("requires_grad", torch.zeros(2), torch.zeros(2, requires_grad=True)),
        ("type", torch.zeros(2), nn.Parameter(torch.zeros(2), requires_grad=False)),
        ("type", 1, True),
        ("type", 1, 1.0),
        ("type", 1, np.int64(1)),
        ("type", 1.0, np.float64(1.0)),
        ("type", np.float32(1), np.float64(1)),
        ("type", 1, torch.tensor(1)),
        ("type", 1, np.array(1)),
        ("type", np.zeros(2), torch.zeros(2, dtype=torch.float64)),
        ("type", (1, 2), [1, 2]),
        ("type", Pair(1, 2), OtherPair(1, 2)),
        ("type", {1, 2}, frozenset({1, 2})),
        ("type", [1], collections.deque([1])),
        ("type", {"a": 1}, collections.OrderedDict(a=1)),
        ("type", {}, collections.defaultdict(int)),
        ("maxlen", collections.deque([1], 2), collections.deque([1], 3)),
        ("maxlen", collections.deque([1], 2), collections.deque([1])),
        ("content", {"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ("content", collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1)),
        ("content", {1, 2}, {1, 3}),
        ("value", range(3), range(4)),
    ],
)
def test_aspects_other_than_the_value_count(aspect: str, before: Any, after: Any) -> None:
    found = [one for one in compare(look(before), look(after)) if one.path == "agent"]
    assert [one.aspect for one in found] == [aspect]
    assert compare(look(before), look(copy.deepcopy(before))) == []


def test_a_named_tuple_is_not_a_tuple() -> None:
    differences = compare(look(Pair(1, 2)), look((1, 2)))
    assert differences[0].path == "agent"
    assert differences[0].aspect == "type"


def test_strides_of_dimensions_of_length_one_address_nothing() -> None:
    plain = torch.zeros(1, 3)
    odd = torch.zeros(3).as_strided((1, 3), (77, 1))
    assert plain.stride() != odd.stride()
    assert compare(look(plain), look(odd)) == []
    empty, other = torch.zeros(0, 3), torch.zeros(3, 0).t()
    assert compare(look(empty), look(other)) == []


def test_equal_sets_in_another_order_are_equal() -> None:
    # They collide in a small table, so insertion decides the order.
    one, other = (set(numbers) for numbers in ([0, 8, 16], [16, 8, 0]))
    assert list(one) != list(other)
    assert compare(look(one), look(other)) == []


def test_modes_are_compared_module_by_module() -> None:
    before, after = nn.Sequential(nn.Linear(1, 1), nn.Dropout()), None
    after = copy.deepcopy(before)
    after[1].eval()
    assert difference(before, after) == Difference("agent[1].training", "value", "True", "False")


# -- how differences are told ------------------------------------------------------------------------------


def test_a_missing_or_unexpected_subtree_is_one_difference() -> None:
    full = SimpleNamespace(net=nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), log={"a": {"b": [1, 2]}})
    bare = SimpleNamespace()
    assert [(one.path, one.aspect) for one in compare(look(full), look(bare))] == [
        ("agent.net", "missing"),
        ("agent.log", "missing"),
    ]
    assert [(one.path, one.aspect) for one in compare(look(bare), look(full))] == [
        ("agent.net", "unexpected"),
        ("agent.log", "unexpected"),
    ]


def test_an_object_replaced_by_another_type_is_one_difference() -> None:
    before, after = SimpleNamespace(net=nn.Linear(2, 2)), SimpleNamespace(net=nn.Bilinear(2, 2, 2))
    found = difference(before, after)
    assert found.path == "agent.net"
    assert "torch.nn.modules.linear.Linear" in found.expected
    assert "Bilinear" in found.actual
    assert difference(SimpleNamespace(net=nn.Linear(2, 2)), SimpleNamespace(net=None)).path == "agent.net"


def test_siblings_whose_names_begin_alike_are_not_part_of_a_missing_subtree() -> None:
    before = SimpleNamespace(net=[1], net_target=[1], network=2)
    after = SimpleNamespace(net_target=[2], network=3)
    assert [one.path for one in compare(look(before), look(after))] == [
        "agent.net",
        "agent.net_target[0]",
        "agent.network",
    ]


def test_differences_come_in_the_references_order() -> None:
    before = SimpleNamespace(net=nn.Linear(1, 1), counter=1, extra=0)
    after = SimpleNamespace(net=nn.Linear(1, 1), counter=2, added=0)
    nn.init.constant_(before.net.weight, 1)
    nn.init.constant_(after.net.weight, 2)
    after.net.bias = before.net.bias
    assert [one.path for one in compare(look(before), look(after))] == [
        "agent.net.weight",
        "agent.counter",
        "agent.extra",
        "agent.added",
    ]


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (SimpleNamespace(a=1), SimpleNamespace(), "agent.a is missing; it was 1"),
        (SimpleNamespace(), SimpleNamespace(a=[1]), "agent.a appeared: list with 1 items"),
        (torch.zeros(2), torch.zeros(3), "agent has another shape: expected (2,), got (3,)"),
        (
            SimpleNamespace(a=torch.zeros(2)),
            SimpleNamespace(),
            "agent.a is missing; it was torch.float32 tensor of shape (2,)",
        ),
        (1, 1.5, "agent has another type: expected int, got float"),
        ("x" * 300, "y", f"agent expected '{'x' * 98}…, got 'y'"),
    ],
)
def test_differences_read_as_sentences(before: object, after: object, text: str) -> None:
    assert str(difference(before, after)) == text


# -- properties --------------------------------------------------------------------------------------------

tensors = st.builds(
    lambda data, dtype: torch.frombuffer(bytearray(data), dtype=torch.uint8).view(dtype).clone(),
    st.binary(min_size=8, max_size=24).filter(lambda data: len(data) % 8 == 0),
    st.sampled_from([torch.uint8, torch.int16, torch.float16, torch.bfloat16, torch.float32, torch.float64]),
)
leaves = st.one_of(
    tensors,
    tensors.map(lambda tensor: tensor.view(torch.uint8).numpy()),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.none(),
    st.booleans(),
)
states = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
        st.lists(inner, max_size=3).map(collections.deque),
        inner.map(lambda value: SimpleNamespace(held=value)),
    ),
    max_leaves=12,
)


@given(state=states)
def test_a_deep_copy_is_the_same_state(state: object) -> None:
    assert compare(look(state), look(copy.deepcopy(state))) == []


@given(one=states, other=states)
def test_comparison_is_symmetric(one: object, other: object) -> None:
    assert bool(compare(look(one), look(other))) == bool(compare(look(other), look(one)))


@given(tensors=st.lists(tensors, min_size=1, max_size=4), data=st.data())
def test_one_flipped_bit_is_one_difference_that_names_its_leaf(
    tensors: list[torch.Tensor], data: st.DataObject
) -> None:
    agent = SimpleNamespace(items=tensors)
    before = look(agent)
    index = data.draw(st.integers(0, len(tensors) - 1), label="leaf")
    raw = tensors[index].view(torch.uint8)
    byte = data.draw(st.integers(0, len(raw) - 1), label="byte")
    raw[byte] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    (found,) = compare(before, look(agent))
    assert found.path == f"agent.items[{index}]"
    assert found.aspect == "value"
    assert found.detail.startswith("1 of ")
    assert found.expected.startswith(f"[{byte // tensors[index].element_size()}]=")


@given(a=st.floats(width=32, allow_nan=False), b=st.floats(width=32, allow_nan=False))
def test_distances_are_those_of_nextafter(a: float, b: float) -> None:
    """Stepping from one number to its neighbour is one ULP, whichever sign they have."""
    start = np.float32(a)
    with np.errstate(all="ignore"):  # to infinity, or to a subnormal
        step = np.nextafter(start, np.float32(b))
    assume(start != b)
    one_or_two = (1, 2) if start == 0 or step == 0 else (1,)  # it steps over one of the two zeros
    detail = difference(np.array([start]), np.array([step])).detail
    assert detail.rpartition(" ULP, ")[0] in {
        f"1 of 1 elements differ, by up to {ulps}" for ulps in one_or_two
    }


def test_what_is_the_same_as_in_another_snapshot_is_not_held_twice() -> None:
    agent = {"weights": torch.arange(9.0), "rate": 0.1, "names": ["one"], "step": 1000}
    before = take({"agent": agent})
    agent["step"] = 1001
    agent["weights"] += 1
    after = take({"agent": agent}, known=before.leaves)
    assert [one.path for one in compare(before, after)] == ["agent['weights']", "agent['step']"]
    again = take({"agent": agent}, known=after.leaves)
    assert not compare(after, again)
    assert all(leaf is after.leaves[path] for path, leaf in again.leaves.items())


def test_few_bytes_of_values_are_kept_however_many_leaves_there_are() -> None:
    agent = {number: torch.full((2_000,), float(number)) for number in range(400)}
    before = take({"agent": agent})
    kept = sum(leaf.value.nbytes for leaf in before.leaves.values() if isinstance(leaf.value, torch.Tensor))
    assert 2**16 < kept < 2**18
    agent[399][0] = 0
    [difference] = compare(before, take({"agent": agent}))
    assert difference.path == "agent[399]"


def test_what_is_volatile_in_one_state_is_not_judged_in_the_other() -> None:
    """An object that lies behind a volatile path too, and one of its own in its place, such as a copy."""
    volatile = re.compile(r"agent\.scratch(?:[.\[].*)?")
    shared, own = SimpleNamespace(seed=1), SimpleNamespace(seed=2)
    one = take({"agent": SimpleNamespace(scratch=shared, space=shared, n=1)}, volatile=volatile)
    other = take({"agent": SimpleNamespace(scratch=shared, space=own, n=2)}, volatile=volatile)
    assert "agent.space" in one.hidden
    assert [change.path for change in compare(one, other)] == ["agent.n"]
    assert [change.path for change in compare(other, one)] == ["agent.n"]


class Environment:
    generator: Any = None

    def __init__(self, generator: Any = None) -> None:
        if generator is not None:
            self.generator = generator


def test_an_attribute_that_only_its_class_has_then_is_lost() -> None:
    found = difference(Environment(np.random.default_rng(0)), Environment())
    assert (found.path, found.aspect) == ("agent.generator", "type")

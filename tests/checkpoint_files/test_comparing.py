# SPDX-License-Identifier: MIT
"""Two checkpoints compared: every bit counts, each difference is told once, by component."""

from __future__ import annotations

import collections
import copy
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from verification.checkpoint_files.comparing import Component, compare_contents
from verification.checkpoint_files.reading import Files, Unread
from verification.errors import UsageError

CONTENTS: dict[str, Any] = {
    "actor": {"l1.weight": torch.arange(6.0).reshape(2, 3), "l1.bias": torch.ones(2)},
    "optimizer": {
        "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(2)}},
        "param_groups": [{"lr": 0.1}],
    },
    "total_it": 3,
    "nothing": None,
}


def different(before: object, after: object) -> list[Component]:
    """The components that differ; the same the other way round."""
    found = [one for one in compare_contents(before, after).components if not one.equal]
    back = [one for one in compare_contents(after, before).components if not one.equal]
    assert [(one.only_first, one.only_second) for one in found] == [
        (one.only_second, one.only_first) for one in back
    ]
    assert {one.name: len(one.changed) for one in found} == {one.name: len(one.changed) for one in back}
    return found


def changed(change: Any) -> list[Component]:
    """What differs after a change of the contents."""
    after = copy.deepcopy(CONTENTS)
    change(after)
    return different(CONTENTS, after)


def told(component: Component) -> list[str]:
    return [str(one) for one in component.changed]


def test_equal_contents_are_equal() -> None:
    comparison = compare_contents(CONTENTS, copy.deepcopy(CONTENTS))
    assert comparison.equal
    assert [(one.name, one.values) for one in comparison.components] == [
        ("actor", 2),
        ("optimizer", 3),
        ("total_it", 1),
        ("nothing", 1),
    ]


def test_a_value_is_told_with_its_path_both_values_and_how_far() -> None:
    def change(contents: Any) -> None:
        contents["actor"]["l1.weight"][1, 0] = 3.003
        contents["actor"]["l1.weight"][1, 2] = -5.0

    (found,) = changed(change)
    assert str(found) == "actor: 1 of 2 differ, by up to 10, from the 1st digit on"
    assert told(found) == [
        "actor['l1.weight']: [3]=3.0 in A, 3.003000020980835 in B (2 of 6 elements differ, by up to "
        "2,168,455,169 ULP, from the 1st digit on, the largest difference is 10)"
    ]


def test_scalars_are_told_with_both_values() -> None:
    (found,) = changed(lambda contents: contents.update(total_it=4))
    assert (str(found), told(found)) == ("total_it: 1 of 1 differ", ["total_it: 3 in A, 4 in B"])
    (found,) = changed(lambda contents: contents["optimizer"]["param_groups"][0].update(lr=0.1000001))
    (line,) = told(found)
    assert line.startswith("optimizer['param_groups'][0]['lr']: 0.1 in A, 0.1000001 in B (")
    assert line.endswith(" ULP, from the 7th digit on)")


def test_what_is_missing_is_told_once_as_a_whole() -> None:
    (found,) = changed(lambda contents: contents["optimizer"]["state"].pop(0))
    assert str(found) == "optimizer: 2 of 3 only in A"
    assert [str(one) for one in found.only_first] == ["optimizer['state'][0] (2 values)"]
    (found,) = changed(lambda contents: contents.pop("actor"))
    assert str(found) == "actor: only in A"
    assert [str(one) for one in found.only_first] == ["actor (2 values)"]
    (found,) = changed(lambda contents: contents["actor"].update(new=1))
    assert [str(one) for one in found.only_second] == ["actor['new']"]


def test_none_is_not_nothing() -> None:
    (found,) = changed(lambda contents: contents.pop("nothing"))
    assert [str(one) for one in found.only_first] == ["nothing"]


def test_an_empty_container_is_no_missing_one() -> None:
    (found,) = different({"a": {}, "b": 1}, {"b": 1})
    assert [str(one) for one in found.only_first] == ["a"]
    (found,) = different({"a": {}, "b": 1}, {"a": [], "b": 1})
    assert told(found) == ["a: type dict in A, list in B"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64), "dtype torch.float32 in A, torch.float64 in B"),
        (
            torch.zeros(2),
            torch.ones(2, dtype=torch.int32),
            "dtype torch.float32 in A, torch.int32 in B",
        ),
        (torch.zeros(2), torch.zeros(3), "shape (2,) in A, (3,) in B"),
        (torch.zeros(2, 1), torch.ones(1, 2), "shape (2, 1) in A, (1, 2) in B"),
        (torch.zeros(2, 3), torch.zeros(3, 2).t(), "strides (3, 1) in A, (1, 2) in B"),
        (torch.zeros(2), torch.zeros(2, requires_grad=True), "requires_grad False in A, True in B"),
        (
            torch.zeros(2),
            np.zeros(2),
            "type torch.float32 tensor of shape (2,) in A, <f8 array of shape (2,) in B",
        ),
        (1, 1.0, "type int in A, float in B"),
        ({"x": 1}, 5, "dict of 1 in A, 5 in B"),
        (5, [1], "5 in A, list of 1 in B"),
        ({"x": 1}, collections.OrderedDict(x=1), "type dict in A, collections.OrderedDict in B"),
        ([1], (1,), "type list in A, tuple in B"),
        ({"x": 1, "y": 2}, {"y": 2, "x": 1}, "its keys come in another order"),
        (Unread(b"ab", "why"), Unread(b"ac", "why"), "2 bytes in A, other 2 in B"),
    ],
)
def test_everything_but_values_counts_too(before: object, after: object, words: str) -> None:
    (found,) = different({"a": before, "b": 1}, {"a": after, "b": 1})
    assert told(found) == [f"a: {words}"]


def test_other_strides_do_not_hide_other_values() -> None:
    before, after = torch.zeros(2, 3), torch.zeros(3, 2).t()
    after[1, 1] = 1
    (found,) = different({"a": before, "b": 1}, {"a": after, "b": 1})
    assert "; [4]=0.0 in A, 1.0 in B (1 of 6" in told(found)[0]


def test_large_tensors_are_told_like_small_ones() -> None:
    before = torch.zeros(2_000_000)
    after = before.clone()
    after[1_999_999] = 1
    after[7] = -0.0
    (found,) = different({"a": before, "b": 1}, {"a": after, "b": 1})
    assert "[7]=0.0 in A, -0.0 in B (2 of 2,000,000 elements differ, by up to" in told(found)[0]
    assert found.changed[0].apart is not None
    assert found.changed[0].apart.absolute == 1


def test_what_is_one_object_in_one_file_may_be_two_in_the_other() -> None:
    shared = torch.ones(2)
    assert not different({"a": shared, "b": shared}, {"a": torch.ones(2), "b": torch.ones(2)})
    (found,) = different({"a": shared, "b": shared}, {"a": torch.ones(2), "b": torch.zeros(2)})
    assert found.name == "b"


def test_what_is_compared_by_its_bytes_is_named_with_the_reason() -> None:
    comparison = compare_contents({"a": Unread(b"x", "is a pickle of Box"), "b": 1}, {"b": 1})
    assert comparison.unread == {"a": "is a pickle of Box"}


def test_the_form_of_containers_is_told_apart_from_values() -> None:
    (found,) = different({"b": 1, "a": 1}, {"a": 1, "b": 1})
    assert str(found) == "the contents: containers have another type or order"
    (found,) = different({"a": {"x": 1, "y": [1]}, "b": 1}, {"a": {"x": 2, "y": (1,)}, "b": 1})
    assert str(found) == "a: 1 of 2 differ; containers have another type or order"


# -- components --------------------------------------------------------------------------------------------


def names(contents: object) -> list[str]:
    return [component.name for component in compare_contents(contents, contents).components]


def test_entries_networks_and_files_are_components() -> None:
    weights = {f"{net}.{layer}.weight": torch.ones(1) for net in ("actor", "critic") for layer in (0, 1)}
    assert names(weights) == ["actor", "critic"]
    assert names({"agent": weights}) == ["agent: actor", "agent: critic"]
    assert names({"agent": weights, "step": 1}) == ["agent", "step"]
    assert names({"state": {"agent": weights, "step": 1}}) == ["state['agent']", "state['step']"]
    files = Files({"policy.pth": weights, "data": {"tau": 0.1, "lr": 0.1}, "sub": Files(x=[1])})
    assert names(files) == ["policy.pth: actor", "policy.pth: critic", "data", "sub/x"]
    assert names(torch.ones(2)) == ["the contents"]
    assert names([1, {"a": 2}]) == ["the contents"]


def test_keys_that_look_alike_are_not_confused() -> None:
    (found,) = different({"a": {1: 0}, "b": 1}, {"a": {"1": 0}, "b": 1})
    assert [str(one) for one in (*found.only_first, *found.only_second)] == ["a[1]", "a['1']"]


def test_contents_that_hold_themselves_are_refused() -> None:
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(UsageError, match="is nested deeper than 200, or holds itself"):
        compare_contents(ring, ring)


@given(st.data())
def test_a_flipped_bit_is_one_difference_where_it_is(data: st.DataObject) -> None:
    after = copy.deepcopy(CONTENTS)
    places = [
        after["actor"]["l1.weight"],
        after["actor"]["l1.bias"],
        after["optimizer"]["state"][0]["exp_avg"],
    ]
    index = data.draw(st.integers(0, 2), label="tensor")
    raw = places[index].view(torch.uint8).reshape(-1)
    byte = data.draw(st.integers(0, len(raw) - 1), label="byte")
    raw[byte] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    (found,) = different(CONTENTS, after)
    (one,) = found.changed
    assert one.path == ["actor['l1.weight']", "actor['l1.bias']", "optimizer['state'][0]['exp_avg']"][index]
    assert one.apart is not None
    assert (one.apart.differing, one.apart.first) == (1, byte // 4)

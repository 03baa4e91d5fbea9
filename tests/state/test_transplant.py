# SPDX-License-Identifier: MIT
"""What a reference holds is written into a live agent, in place where others hold it, and nothing else is."""

from __future__ import annotations

import collections
import copy
import random
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from states import look, optimized
from torch import nn

from verification.state import changes, compare
from verification.state.transplant import copied, set_generator, transplant


class Pair(NamedTuple):
    first: Any
    second: Any


class Stubborn:
    """Cannot be copied."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __deepcopy__(self, memo: Any) -> Any:
        raise RuntimeError("there is only one of me")


def healed(own: Any, reference: Any) -> dict[str, str]:
    """Put back whatever differs, and get what could not be."""
    differing = list(changes(look(reference), look(own)))
    return transplant({"agent": own}, {"agent": reference}, differing)


def holding(value: Any, **others: Any) -> SimpleNamespace:
    return SimpleNamespace(value=value, **others)


def strided(rows: int) -> torch.Tensor:
    return torch.arange(float(rows * 2)).reshape(2, rows).t()


VALUES: dict[str, tuple[Any, Any]] = {
    "number": (1, 2),
    "another type": (1, 2.0),
    "None": (None, 3),
    "text": ("one", "two"),
    "tensor": (torch.zeros(2), torch.ones(2)),
    "tensor of another shape": (torch.zeros(2), torch.ones(3)),
    "tensor of another dtype": (torch.zeros(2), torch.ones(2, dtype=torch.int64)),
    "tensor in another layout": (torch.zeros(3, 2), strided(3)),
    "sparse tensor": (torch.zeros(2).to_sparse(), torch.ones(2).to_sparse()),
    "array": (np.zeros(2), np.ones(2)),
    "array of another shape": (np.zeros(2), np.ones(3)),
    "array of another dtype": (np.zeros(2), np.ones(2, np.int8)),
    "array in another layout": (np.zeros((2, 3)), np.ones((3, 2)).T),
    "array of objects": (np.array([None, 1]), np.array([None, 2])),
    "longer list": ([1], [1, 2, 3]),
    "shorter list": ([1, 2, 3], [3]),
    "deque": (collections.deque([1], 3), collections.deque([1, 2], 3)),
    "deque of another length": (collections.deque([1], 3), collections.deque([1, 2], 5)),
    "dictionary": ({"a": 1, "b": 2}, {"b": 3, "c": 4}),
    "dictionary in another order": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "set": ({1, 2}, {2, 3}),
    "tuple": ((1, [2]), (1, [3])),
    "longer tuple": ((1,), (1, 2)),
    "named tuple": (Pair(1, [2]), Pair(3, [4])),
    "tuple in a tuple": (((1, 2), 3), ((1, 5), 3)),
    "object": (SimpleNamespace(a=1), SimpleNamespace(a=2, b=3)),
    "nested": ({"a": [{"b": 1}]}, {"a": [{"b": 2}, 3]}),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_of_every_kind_are_put_back(name: str) -> None:
    own, reference = map(holding, copy.deepcopy(VALUES[name]))
    untouched = look(reference)
    assert healed(own, reference) == {}
    assert compare(look(reference), look(own)) == []
    assert compare(untouched, look(reference)) == []


@pytest.mark.parametrize(
    "name", ["tensor", "array", "longer list", "shorter list", "deque", "dictionary", "set"]
)
def test_what_others_hold_is_written_in_place(name: str) -> None:
    before, after = copy.deepcopy(VALUES[name])
    own = holding(before)
    healed(own, holding(after))
    assert own.value is before
    assert own.value is not after


@pytest.mark.parametrize("name", ["tensor of another shape", "nested", "object", "array of another dtype"])
def test_nothing_is_shared_with_the_reference(name: str) -> None:
    before, after = copy.deepcopy(VALUES[name])
    own, reference = holding(before), holding(after)
    healed(own, reference)
    kept = look(own)
    if isinstance(after, torch.Tensor | np.ndarray):
        after[...] = 7
    elif isinstance(after, dict):
        after["a"].append(1)
        after["a"][0]["b"] = 9
    else:
        after.a = 9
    assert compare(kept, look(own)) == []


def test_only_what_is_named_is_written() -> None:
    own, reference = SimpleNamespace(a=1, b=1), SimpleNamespace(a=2, b=2)
    named = [one for one in changes(look(reference), look(own)) if one.path == "agent.a"]
    assert transplant({"agent": own}, {"agent": reference}, named) == {}
    assert (own.a, own.b) == (2, 1)


def test_what_was_written_with_the_whole_keeps_nothing_from_being_written() -> None:
    def agent(*items: Any) -> SimpleNamespace:
        return SimpleNamespace(array=np.array(items, object), held={"a": {"b": {"c": len(items)}}})

    own, reference = agent(None, 1, 2), agent([5], 2)
    assert healed(own, reference) == {}
    assert compare(look(reference), look(own)) == []


def test_what_appeared_is_removed() -> None:
    own, reference = SimpleNamespace(a=1, more=2, held={"x": 1, "y": 2}), SimpleNamespace(a=1, held={"x": 1})
    healed(own, reference)
    assert vars(own) == {"a": 1, "held": {"x": 1}}


def test_what_is_missing_is_made_anew() -> None:
    own, reference = SimpleNamespace(), SimpleNamespace(buffer=[torch.ones(2)])
    healed(own, reference)
    assert own.buffer[0].tolist() == [1, 1]
    assert own.buffer[0] is not reference.buffer[0]


def test_copies_refer_to_the_agents_own_objects() -> None:
    """A network that a lost object holds is the agent's, not a second one."""

    def agent(wrapped: bool) -> SimpleNamespace:
        net = nn.Linear(1, 1)
        return SimpleNamespace(net=net, held=SimpleNamespace(net=net) if wrapped else None)

    own, reference = agent(wrapped=False), agent(wrapped=True)
    net = own.net
    healed(own, reference)
    assert own.net is net
    assert own.held.net is net
    assert torch.equal(own.net.weight, reference.net.weight)


def test_members_of_a_list_stay_the_objects_that_they_are() -> None:
    own, reference = holding([{"a": 1}]), holding([{"a": 1}, {"a": 2}])
    first = own.value[0]
    healed(own, reference)
    assert own.value == [{"a": 1}, {"a": 2}]
    assert own.value[0] is first


def test_two_names_of_one_object_are_that_again() -> None:
    shared = [1]
    own, reference = SimpleNamespace(a=[1], b=[1]), SimpleNamespace(a=shared, b=shared)
    assert healed(own, reference) == {}
    assert own.a is own.b
    assert own.a is not shared


@pytest.mark.parametrize("kind", [lambda *items: items, Pair], ids=["tuple", "named tuple"])
def test_two_names_of_one_object_in_a_tuple_are_that_again(kind: Any) -> None:
    shared = [1]
    own, reference = holding(kind([1], [1])), holding(kind(shared, shared))
    assert healed(own, reference) == {}
    assert own.value[0] is own.value[1]
    assert type(own.value) is type(reference.value)


def test_one_object_under_two_names_becomes_two_again() -> None:
    shared = [1]
    own, reference = SimpleNamespace(a=shared, b=shared), SimpleNamespace(a=[1], b=[1])
    assert healed(own, reference) == {}
    assert own.a is shared
    assert own.b is not shared


@pytest.mark.parametrize("rows", [slice(0, 2), slice(1, 3), slice(0, 4, 2)], ids=str)
def test_a_tensor_lies_in_anothers_memory_again(rows: slice) -> None:
    whole = torch.arange(4.0)
    own = SimpleNamespace(all=torch.arange(4.0), some=torch.arange(4.0)[rows])
    view = own.some
    assert healed(own, SimpleNamespace(all=whole, some=whole[rows])) == {}
    assert own.some is view
    assert own.all.tolist() == [0, 1, 2, 3]
    own.all.add_(10)
    assert view.tolist() == own.all[rows].tolist()
    assert whole.tolist() == [0, 1, 2, 3]


def test_two_tensors_in_the_memory_of_a_third_keep_their_places() -> None:
    """The first that is found need not be where the memory begins."""

    def agent(memory: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(all=memory[1:], some=memory[2:4])

    own, reference = agent(torch.arange(5.0)), agent(torch.arange(5.0))
    own.some = own.some.clone()
    assert healed(own, reference) == {}
    own.all.add_(10)
    assert own.some.tolist() == [12, 13]


def test_memory_that_is_too_small_is_told() -> None:
    whole = torch.arange(4.0)
    own = SimpleNamespace(a=torch.arange(2.0), b=torch.arange(4.0))
    (told,) = healed(own, SimpleNamespace(a=whole[:2], b=whole)).items()
    assert told[0] == "agent.b"
    assert told[1].startswith("RuntimeError: ")


def test_a_tensor_lies_in_memory_of_its_own_again() -> None:
    whole = torch.arange(4.0)
    own = SimpleNamespace(whole=whole, view=whole[:2])
    reference = SimpleNamespace(whole=torch.arange(4.0), view=torch.arange(2.0))
    assert healed(own, reference) == {}
    own.whole[0] = 9
    assert own.view.tolist() == [0, 1]


@pytest.mark.parametrize("begin", [0, 1])
@pytest.mark.parametrize("rows", [slice(0, 2), slice(1, 3), slice(0, 4, 2)], ids=str)
def test_an_array_lies_in_anothers_memory_again(rows: slice, begin: int) -> None:
    """Also where the first that is found is not where the memory begins."""

    def agent(memory: np.ndarray[Any, Any]) -> SimpleNamespace:
        return SimpleNamespace(all=memory[begin:], some=memory[begin:][rows])

    own, reference = agent(np.arange(5.0)), agent(np.arange(5.0))
    own.some = agent(np.arange(5.0)).some
    assert healed(own, reference) == {}
    own.all += 10
    assert own.some.tolist() == own.all[rows].tolist()
    assert reference.all.tolist() == np.arange(5.0)[begin:].tolist()


def test_an_array_lies_in_memory_of_its_own_again() -> None:
    whole = np.arange(4.0)
    own = SimpleNamespace(whole=whole, view=whole[:2])
    reference = SimpleNamespace(whole=np.arange(4.0), view=np.arange(2.0))
    assert healed(own, reference) == {}
    own.whole[0] = 9
    assert own.view.tolist() == [0, 1]


def test_whether_a_gradient_is_wanted_is_put_back() -> None:
    own, reference = holding(torch.zeros(1)), holding(torch.zeros(1, requires_grad=True))
    tensor = own.value
    assert healed(own, reference) == {}
    assert own.value is tensor
    assert tensor.requires_grad


def trained(lr: float = 0.1, steps: int = 2) -> SimpleNamespace:
    agent = SimpleNamespace(net=nn.Linear(2, 1))
    with torch.no_grad():
        for parameter in agent.net.parameters():
            parameter.fill_(1.0)
    agent.optimizer = torch.optim.Adam(agent.net.parameters(), lr)
    for _ in range(steps):
        agent.net(torch.ones(1, 2)).sum().backward()
        agent.optimizer.step()
        agent.optimizer.zero_grad()
    return agent


@pytest.mark.parametrize("steps", [0, 1])
def test_an_optimizer_goes_on_as_the_references(steps: int) -> None:
    own, reference = trained(0.5, steps), trained(0.1, 2)
    parameter = own.net.weight
    assert healed(own, reference) == {}
    assert compare(look(reference), look(own)) == []
    assert own.optimizer.param_groups[0]["params"][0] is parameter
    assert own.optimizer.state[parameter]["step"] == 2
    assert (
        own.optimizer.state[parameter]["exp_avg"]
        is not reference.optimizer.state[reference.net.weight]["exp_avg"]
    )


def test_a_schedule_goes_on_as_the_references() -> None:
    own, reference = optimized(), optimized()
    for agent in (own, reference):
        agent.optimizer.step()
    reference.scheduler.step()
    reference.scheduler.step()
    scheduler = own.scheduler
    assert healed(own, reference) == {}
    assert own.scheduler is scheduler
    assert own.scheduler.last_epoch == 2
    assert own.optimizer.param_groups[0]["lr"] == reference.optimizer.param_groups[0]["lr"]


@pytest.mark.parametrize("member", ["parameter", "buffer", "module", "missing module"])
def test_members_of_a_module_are_put_back_where_it_registers_them(member: str) -> None:
    def module(value: float) -> nn.Module:
        made = nn.Module()
        match member:
            case "parameter":
                made.register_parameter("one", nn.Parameter(torch.full((int(value),), value)))
            case "buffer":
                made.register_buffer("one", torch.full((int(value),), value))
            case "module":
                made.register_module("one", nn.Linear(int(value), 1))
            case "missing module" if value > 1:
                made.register_module("one", nn.Linear(2, 1))
        return made

    own, reference = holding(module(1.0)), holding(module(2.0))
    assert healed(own, reference) == {}
    assert own.value.state_dict().keys() == reference.value.state_dict().keys()
    assert all(
        torch.equal(mine, theirs)
        for mine, theirs in zip(
            own.value.state_dict().values(), reference.value.state_dict().values(), strict=True
        )
    )
    assert [name for name, _ in own.value.named_parameters()] == [
        name for name, _ in reference.value.named_parameters()
    ]


def test_a_scaler_of_gradients_goes_on_as_the_references() -> None:
    def scaler(scale: float) -> torch.amp.GradScaler:
        made = torch.amp.GradScaler("cpu", init_scale=scale)
        made.scale(torch.ones(1))
        return made

    own, reference = holding(scaler(2.0)), holding(scaler(8.0))
    kept = own.value
    assert healed(own, reference) == {}
    assert own.value is kept
    assert own.value.get_scale() == 8.0
    assert own.value._scale is not reference.value._scale


def test_what_refuses_to_be_copied_is_told_and_the_rest_is_written() -> None:
    own, reference = SimpleNamespace(a=None, z=1), SimpleNamespace(a=Stubborn(1), z=2)
    failed = healed(own, reference)
    assert failed == {"agent.a": "RuntimeError: there is only one of me"}
    assert own.z == 2


def test_a_root_cannot_be_replaced() -> None:
    differing = list(changes(look([1]), look((1,))))
    (told,) = transplant({"agent": (1,)}, {"agent": [1]}, differing).values()
    assert told == "NoPlaceError: agent is a root"


def test_what_was_computed_can_be_copied() -> None:
    weight = torch.ones(2, requires_grad=True)
    result = weight * 2
    made = copied({"result": result, "again": result, "weight": weight})
    assert made["result"] is made["again"]
    assert made["result"] is not result
    assert made["result"].tolist() == [2, 2]
    assert made["result"].requires_grad
    assert made["result"].is_leaf


def test_a_copy_refers_to_what_is_kept() -> None:
    mine, theirs = [1], [1]
    made = copied({"held": theirs}, {id(theirs): mine})
    assert made["held"] is mine


GENERATORS: dict[str, Any] = {
    "torch": lambda seed: torch.Generator().manual_seed(seed),
    "numpy": np.random.default_rng,
    "bits of numpy": np.random.PCG64,
    "old numpy": np.random.RandomState,
    "python": random.Random,
}


def drawn(generator: Any) -> Any:
    if isinstance(generator, torch.Generator):
        return torch.rand(1, generator=generator).item()
    if isinstance(generator, np.random.BitGenerator):
        return generator.random_raw()
    return generator.random()


@pytest.mark.parametrize("name", GENERATORS)
def test_generators_go_on_as_the_references(name: str) -> None:
    own, reference = GENERATORS[name](1), GENERATORS[name](2)
    drawn(reference)
    assert set_generator(own, reference)
    assert drawn(own) == drawn(reference)


def test_a_normal_number_in_waiting_is_set_too() -> None:
    own, reference = np.random.RandomState(1), np.random.RandomState(2)
    reference.normal()
    assert set_generator(own, reference)
    assert own.normal() == reference.normal()


@pytest.mark.parametrize("value", [random.SystemRandom(), 1, [1]], ids=["of the system", "number", "list"])
def test_what_is_no_generator_with_a_state_is_left(value: Any) -> None:
    assert not set_generator(value, value)

# SPDX-License-Identifier: MIT
"""The pieces of a proof: batches from a seed, the agent's own calls, and configs of fewer words."""

from __future__ import annotations

import dataclasses
from collections import namedtuple
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from verification.counterexamples.inlined import inlined
from verification.counterexamples.proof import Proof
from verification.counterexamples.seeded import seeded
from verification.counterexamples.simpler import simpler
from verification.counterexamples.source import NoSource, Source

if TYPE_CHECKING:
    from pathlib import Path

Pair = namedtuple("Pair", "left right")


def drawn(value: Any, *, plain: bool = False) -> Any:
    source = Source()
    text = seeded(value, source, plain=plain)
    names: dict[str, Any] = {"torch": torch}
    exec("\n".join(source.imports), names)
    torch.manual_seed(0)
    return eval(text, names)


ARRAYS = {
    "images": np.array([[0, 255, 7]], np.uint8),
    "flags": np.array([0.0, 1.0, 1.0], np.float32),
    "truth": np.array([True, False]),
    "actions": np.array([-0.5, 0.25]),
    "far": np.array([-300.0, 20.0], np.float32),
    "counts": np.array([[3, 9]], np.int64),
    "short": np.array([-4, 4], np.int16),
    "one": np.array(0.25, np.float32),
    "endless": np.array([np.nan, np.inf], np.float32),
    "half": np.array([0.25, 0.5], np.float16),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_numbers_are_drawn_of_the_same_kind_and_range(name: str, kind: str) -> None:
    array = ARRAYS[name]
    if kind == "tensor":
        value = drawn(torch.as_tensor(array))
        assert value.dtype == torch.as_tensor(array).dtype
        value = value.numpy()
    else:
        value = drawn(array)
    assert (value.shape, value.dtype) == (array.shape, array.dtype)
    if name != "half" or kind == "array":
        assert np.isfinite(value).all()
    if name not in {"endless", "images"}:
        low, high = min(-1.0, float(array.min())), max(1.0, float(array.max()))
        assert value.min() >= low
        assert value.max() <= high


def test_a_batch_keeps_its_structure() -> None:
    batch = {"pair": Pair([np.zeros(2), 3], (torch.ones(1),)), "name": "x"}
    value = drawn(batch)
    assert list(value) == ["pair", "name"]
    assert type(value["pair"]) is Pair
    assert value["pair"].left[1] == 3
    assert type(value["pair"].right) is tuple
    assert value["name"] == "x"
    plain = drawn(batch, plain=True)["pair"]
    assert type(plain) is SimpleNamespace
    assert sorted(vars(plain)) == ["left", "right"]


def test_what_has_no_source_is_refused() -> None:
    with pytest.raises(NoSource):
        drawn({"object": object()})


class Driver:
    def build(self, config: Any, seed: int) -> Any:
        """Documented."""
        torch.manual_seed(seed)
        return torch.nn.Linear(config, config)

    def learn(self, agent: Any, batch: Any) -> None:
        batch = [batch]
        agent.update(batch)

    def load(self, agent: Any, path: Path) -> Any:
        agent.load(str(path))
        return agent

    def save(self, agent: Any, path: Path) -> None:
        self.count = 1
        agent.save(path)

    def advance(self, agent: Any, steps: int) -> None:
        for _ in range(steps):
            agent.step()

    def act(self, agent: Any, observation: Any) -> Any:
        return Pair(agent, observation)

    wait = staticmethod(len)


NAMES = {
    "build": {"config": "size", "seed": "3"},
    "learn": {"agent": "agent", "batch": "one"},
    "load": {"agent": "agent", "path": "path"},
    "save": {"agent": "agent", "path": "path"},
    "advance": {"agent": "agent", "steps": "1"},
    "act": {"agent": "agent", "observation": "seen"},
    "wait": {"agent": "agent"},
}


def test_a_simple_method_is_what_it_does() -> None:
    source = Source()
    lines = inlined(Driver(), "build", NAMES["build"], source)
    assert lines == ["torch.manual_seed(3)", "agent = torch.nn.Linear(size, size)"]
    assert source.imports == {"import torch"}
    assert inlined(Driver(), "learn", NAMES["learn"], Source()) == ["one = [one]", "agent.update(one)"]
    assert inlined(Driver(), "load", NAMES["load"], Source()) == ["agent.load(str(path))"]


@pytest.mark.parametrize("member", ["save", "advance", "wait", "missing"])
def test_a_method_that_is_more_than_calls_stays_the_adapters(member: str) -> None:
    with pytest.raises(NoSource):
        inlined(Driver(), member, NAMES.get(member, {}), Source())


def test_a_method_of_one_adapter_alone_is_not_that_of_its_class() -> None:
    driver = Driver()
    driver.load = lambda *_: None  # type: ignore[method-assign]
    with pytest.raises(NoSource):
        inlined(driver, "load", NAMES["load"], Source())


@dataclasses.dataclass(frozen=True)
class Spec:
    name: str
    options: dict[str, float] = dataclasses.field(default_factory=dict)
    extra: int = 3


def test_a_config_gets_simpler_by_one_piece_at_a_time() -> None:
    config = {"specs": (Spec("a", {"lr": 0.1}, 4), Spec("b"))}
    found = [repr(one) for one in simpler(config)]
    assert found == [
        repr(one)
        for one in (
            {},
            {"specs": (Spec("a", {}, 4), Spec("b"))},
            {"specs": (Spec("a", {}, 4), Spec("b"))},
            {"specs": (Spec("a", {"lr": 0.1}), Spec("b"))},
        )
    ]
    assert list(simpler(Spec("b"))) == []


def test_the_control_of_a_proof_interrupts_no_run() -> None:
    proof = Proof("zip(run(interrupted=False), run(interrupted=True))")
    assert proof.control == "zip(run(interrupted=False), run(interrupted=False))"

# SPDX-License-Identifier: MIT
"""A member may be written in each way that can be read in one way only; others are refused by place."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from verification.adapters.signatures import ARGUMENTS, call_of
from verification.engine.members import OPTIONAL
from verification.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable

GIVEN = {name: name.upper() for names in ARGUMENTS.values() for name in names}

#: What a function is called with, by the member that it is.
UNDERSTOOD: list[tuple[str, Callable[..., Any], Any]] = [
    ("build", lambda config, seed: (config, seed), ("CONFIG", "SEED")),
    ("build", lambda seed, config: (seed, config), ("SEED", "CONFIG")),
    ("build", lambda spec, rng: (spec, rng), ("CONFIG", "SEED")),
    ("build", lambda seed, spec: (seed, spec), ("SEED", "CONFIG")),
    ("build", lambda seed: seed, "SEED"),
    ("build", lambda config: config, "CONFIG"),
    ("build", lambda: "nothing", "nothing"),
    ("build", lambda lr=0.1, seed=0: (lr, seed), (0.1, "SEED")),
    ("build", lambda *, seed, config: (seed, config), ("SEED", "CONFIG")),
    ("build", lambda lr=0.1, *, config=None: (lr, config), (0.1, "CONFIG")),
    ("build", lambda *arguments: arguments, ("CONFIG", "SEED")),
    ("learn", lambda agent: agent, "AGENT"),
    ("learn", lambda model: model, "AGENT"),
    ("learn", lambda model, data: (model, data), ("AGENT", "BATCH")),
    ("learn", lambda batch, agent: (batch, agent), ("BATCH", "AGENT")),
    ("learn", lambda agent, batch, steps=1: (agent, batch, steps), ("AGENT", "BATCH", 1)),
    ("act", lambda policy, obs: (policy, obs), ("AGENT", "OBSERVATION")),
    ("save", lambda path, agent: (path, agent), ("PATH", "AGENT")),
    ("save", lambda agent, filename: (agent, filename), ("AGENT", "PATH")),
    ("load", lambda path: path, "PATH"),
    ("load", lambda filename: filename, "PATH"),
    ("load", lambda agent, file: (agent, file), ("AGENT", "PATH")),
    ("observations", lambda: "nothing", "nothing"),
    ("configs", lambda: "nothing", "nothing"),
    ("reopen", lambda path: path, "PATH"),
    ("advance", lambda agent, n: (agent, n), ("AGENT", "STEPS")),
]

REFUSED: list[tuple[str, Callable[..., Any]]] = [
    ("build", lambda lr: lr),
    ("build", lambda config, seed, lr: (config, seed, lr)),
    ("build", lambda *, lr: lr),
    ("build", lambda spec, rng, lr: (spec, rng, lr)),
    ("learn", lambda: None),
    ("learn", lambda agent, batch, extra: (agent, batch, extra)),
    ("act", lambda obs: obs),
    ("save", lambda path: path),
    ("save", lambda agent: agent),
    ("load", lambda agent: agent),
    ("load", lambda agent, path, device: (agent, path, device)),
    ("configs", lambda config: config),
    ("advance", lambda agent: agent),
    ("state", lambda: None),
]


def written(value: object) -> str | None:
    """A function's parameters, in the name of its test."""
    return f"{inspect.signature(value)}" if callable(value) else None


@pytest.mark.parametrize(("member", "function", "result"), UNDERSTOOD, ids=written)
def test_what_can_be_read_in_one_way_is_called_so(
    member: str, function: Callable[..., Any], result: Any
) -> None:
    arguments = {name: GIVEN[name] for name in ARGUMENTS[member]}
    assert call_of(member, function)(function, arguments) == result


@pytest.mark.parametrize(("member", "function"), REFUSED, ids=written)
def test_anything_else_is_refused_by_its_file_and_line(member: str, function: Callable[..., Any]) -> None:
    with pytest.raises(AdapterError) as caught:
        call_of(member, function)
    told = str(caught.value)
    assert f" at test_signatures.py:{function.__code__.co_firstlineno} is not how the suite calls it" in told
    assert f"write {member}({', '.join(ARGUMENTS[member])})" in told
    assert "\n" not in told


def test_what_nothing_draws_keeps_its_default() -> None:
    def build(config: int = 3, seed: int = 0) -> tuple[int, int]:
        return config, seed

    assert call_of("build", build)(build, GIVEN) == ("CONFIG", "SEED")
    assert call_of("build", build, ["config"])(build, GIVEN) == (3, "SEED")


def test_annotations_do_not_stand_in_the_way() -> None:
    def learn(agent: dict[str, int], batch: Any, /, extra: int) -> None:
        raise NotImplementedError

    with pytest.raises(AdapterError, match=r"^learn\(agent, batch, extra\) at "):
        call_of("learn", learn)


def test_compiled_code_is_called_as_the_suite_does() -> None:
    assert call_of("learn", dict.update).in_order == ("agent", "batch")


def test_a_method_is_asked_without_its_self() -> None:
    class Mine:
        def build(self, seed: int) -> int:
            return seed

        @staticmethod
        def load(path: str) -> str:
            return path

    assert call_of("build", Mine().build)(Mine().build, GIVEN) == "SEED"
    assert call_of("load", Mine.load)(Mine.load, GIVEN) == "PATH"


def test_every_member_that_is_a_function_has_its_arguments_here() -> None:
    values = {"volatile", "callers", "expected_failures", "time_limit", "horizon"}
    assert OPTIONAL - values <= set(ARGUMENTS)

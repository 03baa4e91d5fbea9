# SPDX-License-Identifier: MIT
"""What is found out of a loss once a check has failed: its course, what the files hold, what is beside it."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from adapters import Tiny

from verification import check_agent
from verification.engine.course import apart
from verification.errors import CheckFailure
from verification.losses import ABSENT, DIFFERS, PRESENT, RESTORED, SAME, Course, Loss
from verification.running import concluding
from verification.state import changes, take

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agents import Agent, Config

    from verification.report.model import Report


class Custom(Tiny):
    """The correct agent, saved or loaded in another way."""

    def __init__(self, **wrong: Callable[..., Any]) -> None:
        super().__init__()
        self.wrong = wrong

    def save(self, agent: Agent, path: Path) -> None:
        self.wrong.get("save", super().save)(agent, path)

    def load(self, agent: Agent, path: Path) -> Agent:
        loaded: Agent = self.wrong.get("load", super().load)(agent, path)
        return loaded

    def build(self, config: Config, seed: int) -> Agent:
        agent = super().build(config, seed)
        agent.second = torch.nn.Linear(4, 4)  # type: ignore[attr-defined]
        agent.extra = torch.optim.Adam(agent.second.parameters())  # type: ignore[attr-defined]
        with torch.no_grad():
            for parameter in agent.second.parameters():  # type: ignore[attr-defined]
                numbers = torch.rand(parameter.shape, generator=torch.Generator().manual_seed(seed))
                parameter.copy_(numbers)
        return agent

    def learn(self, agent: Agent, batch: Any) -> None:
        super().learn(agent, batch)
        agent.extra.zero_grad()  # type: ignore[attr-defined]
        agent.second(torch.tensor([*batch, *batch])).square().sum().backward()  # type: ignore[attr-defined]
        agent.extra.step()  # type: ignore[attr-defined]


def contents(agent: Any, *left_out: str) -> dict[str, Any]:
    names = {"net", "net_target", "optimizer", "schedule", "second", "extra"} - {*left_out}
    states = {name: getattr(agent, name).state_dict() for name in names}
    noise = agent.noise.bit_generator.state
    return {**states, "noise": noise, "total_it": agent.total_it, "memory": agent.memory, "gain": agent.gain}


def restore(agent: Any, read: dict[str, Any], *left_out: str) -> Any:
    for name, value in read.items():
        if name in left_out:
            continue
        if name == "noise":
            agent.noise.bit_generator.state = value
        elif hasattr(getattr(agent, name), "load_state_dict"):
            getattr(agent, name).load_state_dict(value)
        else:
            setattr(agent, name, value)
    return agent


def read(path: Path) -> Any:
    return torch.load(path, weights_only=False)


def found(adapter: Tiny, check: str) -> tuple[Loss, Report]:
    report = check_agent(adapter, checks=[check], examples=5, seed=1, shrink=False)
    (loss,) = [one for one in report.lost if report.reported_by(one)]
    return loss, report


MOMENTS = "optimizer_state_survives_reload"
NETWORKS = "online_networks_survive_reload"


def test_the_control_loses_nothing() -> None:
    adapter = Custom(
        save=lambda agent, path: torch.save(contents(agent), path),
        load=lambda agent, path: restore(agent, read(path)),
    )
    report = check_agent(adapter, checks=[NETWORKS, MOMENTS], examples=3, seed=1)
    assert report.lost == ()
    assert {piece.fate for piece in report.pieces} == {RESTORED, SAME}


def test_what_is_not_saved_is_not_in_the_checkpoint() -> None:
    adapter = Custom(
        save=lambda agent, path: torch.save(contents(agent, "extra"), path),
        load=lambda agent, path: restore(agent, read(path)),
    )
    loss, report = found(adapter, MOMENTS)
    assert (loss.name, loss.saved, loss.beside) == ("agent.extra", ABSENT, "agent.optimizer")
    assert loss.first is not None
    assert (loss.first.path.partition("[")[0], loss.first.step) == ("agent.second.weight", 1)
    fates = {piece.path: piece.fate for piece in report.pieces}
    assert all(fate == DIFFERS for path, fate in fates.items() if path.startswith("agent.extra.state"))
    assert fates["agent.net.weight"] == RESTORED


def test_what_is_saved_and_not_loaded_is_in_the_checkpoint() -> None:
    adapter = Custom(
        save=lambda agent, path: torch.save(contents(agent), path),
        load=lambda agent, path: restore(agent, read(path), "extra"),
    )
    loss, _ = found(adapter, MOMENTS)
    assert (loss.saved, loss.beside) == (PRESENT, "agent.optimizer")


@pytest.mark.parametrize("left_out", [("second",), ()], ids=["not saved", "saved and not loaded"])
def test_a_file_that_shows_no_bytes_says_nothing(left_out: tuple[str, ...]) -> None:
    import io
    import zlib

    def save(agent: Any, path: Path) -> None:
        stream = io.BytesIO()
        torch.save(contents(agent, *left_out), stream)
        path.write_bytes(zlib.compress(stream.getvalue()))

    def load(agent: Any, path: Path) -> Any:
        return restore(agent, read(io.BytesIO(zlib.decompress(path.read_bytes()))), "second")  # type: ignore[arg-type]

    loss, _ = found(Custom(save=save, load=load), NETWORKS)
    assert (loss.name, loss.saved) == ("agent.second", "")


def test_a_course_begins_equal_but_for_what_is_lost() -> None:
    loss, _ = found(Tiny("loses its momentum"), MOMENTS)
    course = loss.course
    assert course is not None
    assert course.diverged == 1
    assert len(course.after) >= 10
    assert set(course.after) <= {"learn", "act"}
    assert {len(distances) for distances in course.apart.values()} == {len(course.after) + 1}
    assert course.apart["agent.optimizer"][0] != 0
    network = course.apart["agent.net"]
    assert network[0] == 0
    assert network[1] is not None
    assert 0 < network[1] < 2
    assert all(one is None or 0 <= one <= 2 for one in network)


def test_a_loss_survives_being_written_down() -> None:
    loss, report = found(Tiny("loses its momentum"), MOMENTS)
    (result,) = [one for one in report.results if one.check == MOMENTS]
    again = type(result).from_dict(result.to_dict())
    assert again.losses == result.losses
    assert again.losses[0].course == loss.course
    assert again.pieces == ()


def test_a_failure_that_cannot_be_explained_is_a_failure_still(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("x")

    monkeypatch.setattr(concluding, "explained", broken)
    loss, report = found(Tiny("loses its momentum"), MOMENTS)
    assert loss.course is None
    assert isinstance(CheckFailure("x"), AssertionError)
    assert report.result(MOMENTS).verdict.value == "failed"


def test_what_the_smallest_program_does_not_show_is_explained_by_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each program is asked about the losses that are not explained yet."""
    shows = {"small": "agent.a", "first": "agent.b"}
    asked: list[tuple[str, list[str]]] = []

    def explained(program: Any, failure: CheckFailure, **_: Any) -> tuple[Any, ...]:
        asked.append((program, [loss.path for loss in failure.losses]))
        failure.losses = tuple(
            dataclasses.replace(loss, course=Course((), (), {})) if loss.path == shows[program] else loss
            for loss in failure.losses
        )
        return (program,)

    monkeypatch.setattr(concluding, "explained", explained)
    lost = [Loss(f"agent.{name}", f"agent.{name}", "counters", "spreads") for name in "ab"]
    failure = CheckFailure("it broke", losses=lost)
    programs: Any = ("small", "first")
    again: Any = SimpleNamespace(experiment=lambda program, _losses: program)
    pieces = concluding.explain(again, programs, failure)
    assert asked == [("small", ["agent.a", "agent.b"]), ("first", ["agent.b"])]
    assert all(loss.course is not None for loss in failure.losses)
    assert pieces == ("small",)


# -- distances ---------------------------------------------------------------------------------------------


def distance(one: object, other: object) -> float | None:
    before, after = take({"agent": {"part": one}}), take({"agent": {"part": other}})
    ((_, found),) = apart(changes(before, after)).items()
    return found


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (torch.tensor([3.0, 4.0]), torch.tensor([3.0, 4.5]), 0.5 / math.hypot(3, 4.5)),
        (np.array([1.0, 0.0]), np.array([-1.0, 0.0]), 2.0),
        (10, 5, 0.5),
        (0.0, 1.0, 1.0),
        (0.0, -0.0, None),  # other bytes, and no distance
        (math.nan, 1.0, None),
        (math.inf, 1.0, None),
        (True, False, None),
        ("a", "b", None),
        (10**400, 1, None),
        (torch.zeros(2), torch.zeros(3), None),
        (torch.complex(torch.ones(1), torch.ones(1)), torch.complex(torch.ones(1), torch.zeros(1)), None),
    ],
    ids=repr,
)
def test_the_distance_is_relative_to_the_larger_one(
    one: object, other: object, expected: float | None
) -> None:
    assert distance(one, other) == (expected if expected is None else pytest.approx(expected))


def test_of_a_component_the_leaf_that_differs_most_counts() -> None:
    before = take({"agent": {"part": [1.0, 1.0, "a"], "same": 1}})
    after = take({"agent": {"part": [0.5, 0.75, "b"], "same": 1}})
    assert apart(changes(before, after)) == {"agent['part']": 0.5}

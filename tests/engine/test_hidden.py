# SPDX-License-Identifier: MIT
"""What is lost although nothing that is seen is: global generators, each by its own name."""

from __future__ import annotations

import logging
import random
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from adapters import Tiny
from agents import Agent, Config
from forgetful import Forgetful, program_of

from verification import check_agent
from verification.engine.consequences import follow, judge
from verification.engine.experiment import Experiment
from verification.program import Advance, Learn, Program

if TYPE_CHECKING:
    from pathlib import Path


class ThreeStreams(Agent):
    """Draws from all global generators, of which no checkpoint holds any; Python's decides nothing."""

    def draw(self) -> float:
        random.random()
        return float(np.random.rand()) + float(torch.rand(()))


class Streams(Tiny):
    def build(self, config: Config, seed: int) -> Agent:
        return ThreeStreams(config, seed)


def test_each_generator_that_decides_something_is_a_loss_of_its_own() -> None:
    report = check_agent(Streams(), level="resume", examples=3, shrink=False)
    names = ["the global generator of numpy (numpy.random)"]
    names.append("the global generator of torch (torch.default_generator)")
    assert [loss.name for loss in report.lost] == names
    assert all(" and the global generator of torch" in loss.experiment for loss in report.lost)


@pytest.mark.parametrize(
    ("kind", "names"),
    [("", []), ("draws from the global generator", ["the global generator of numpy (numpy.random)"])],
)
def test_what_one_load_has_lost_although_nothing_differs_is_found_by_putting_it_back(
    kind: str, names: list[str], tmp_path: Path
) -> None:
    program = Program(Config(1.0), Config(1.5), 3, 4, (Advance(1), Advance(1)), (1,), (), (0.5, 1.0), 0)
    judgement = follow(Experiment(Tiny(kind), program, tmp_path, closed_loop=True), 1)
    assert [loss.name for loss, _ in judgement.losses] == names
    assert judgement.unexplained is None


def test_what_cannot_be_looked_into_is_named_where_that_of_the_saved_agent_puts_it_right(
    tmp_path: Path,
) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.log.setLevel(agent.log.level + 1)
        agent.total += agent.log.level

    start = {
        "hook": lambda _: logging.Logger("fixed").info,  # the logger of which nobody can replace
        "log": lambda _: logging.Logger("log"),
        "spare": lambda _: logging.Logger("spare"),
    }
    program = program_of(Learn(1), Learn(2))
    judgement = follow(Experiment(Forgetful(start, update, " ".join(start)), program, tmp_path), 1)
    ((loss, _),) = judgement.losses
    assert loss.name == "agent.log"
    assert loss.experiment == (
        "a logging.Logger, which cannot be looked into; with that of the saved agent nothing follows"
    )


class Drifting(ThreeStreams):
    """Comes back with an integer for a constant of nobody's, and another one that nothing reads."""

    def __init__(self, config: Config, seed: int) -> None:
        super().__init__(config, seed)
        self.weight_decay: float = 0
        self.loaded = False

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.weight_decay, self.loaded = 0.0, True


class DriftingStreams(Tiny):
    def build(self, config: Config, seed: int) -> Agent:
        return Drifting(config, seed)


def test_what_is_harmless_is_not_blamed_for_a_lost_generator() -> None:
    report = check_agent(DriftingStreams(), level="resume", examples=3, shrink=False)
    assert all(loss.name.startswith("the global generator of") for loss in report.lost)
    assert {note.name for note in report.notes} == {"agent.weight_decay", "agent.loaded"}


HARMED: weakref.WeakKeyDictionary[Agent, int] = weakref.WeakKeyDictionary()


class Delicate(Drifting):
    """Has streams of its own. Something unseen in it breaks some steps after anything was put into it."""

    draw = Agent.draw

    def update(self, batch: Any) -> None:
        super().update(batch)
        if self in HARMED:
            HARMED[self] -= 1
            if HARMED[self] < 0:
                self.net.weight.data.add_(1.0)


class DelicateAdapter(Tiny):
    def build(self, config: Config, seed: int) -> Agent:
        return Delicate(config, seed)


@pytest.mark.parametrize("steps", [0, 4])
def test_what_a_live_agent_does_not_bear_is_not_held_against_it(
    steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def harmful(roots: dict[str, Any], *rest: Any) -> dict[str, str]:
        HARMED[roots["agent"]] = steps
        return {"agent.loaded": "it could not be put back"}

    monkeypatch.setattr("verification.engine.trial.transplant", harmful)
    report = check_agent(DelicateAdapter(), level="training", examples=2)
    assert report.lost == ()
    assert {note.name for note in report.notes} == {"agent.weight_decay", "agent.loaded"}


class Late(Drifting):
    """Draws from the global generators from its fourth step on."""

    def draw(self) -> float:
        return super().draw() if self.total_it >= 3 else float(self.noise.random())


class LateStreams(Tiny):
    def build(self, config: Config, seed: int) -> Agent:
        return Late(config, seed)


def test_nor_for_one_that_is_read_behind_the_end_of_the_program(tmp_path: Path) -> None:
    program = Program(Config(1.0), Config(1.5), 3, 4, (Advance(1), Advance(1)), (1,), (), (0.5, 1.0), 0)
    experiment = Experiment(LateStreams(), program, tmp_path, closed_loop=True)
    assert not judge(experiment, 1).losses
    assert set(experiment.inventory.notes) == {"agent.weight_decay", "agent.loaded"}

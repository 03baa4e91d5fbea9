# SPDX-License-Identifier: MIT
"""What comes to differ in nothing but what a load loses anyway is no consequence, unless that has one."""

from __future__ import annotations

from typing import Any

import agents
import numpy as np
import pytest
from adapters import Tiny

from verification.running.check_agent import check_agent


class Logging(agents.Agent):
    """Keeps a log of its updates that is not saved, as nothing that it keeps for it is."""

    def update(self, batch: Any) -> None:
        super().update(batch)
        self.log(float(self.net.weight.detach().sum()))

    def log(self, value: float) -> None:
        raise NotImplementedError


class Numbered(Logging):
    """Each line has its number."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.lines: list[tuple[int, float]] = []
        self.count = 0

    def log(self, value: float) -> None:
        self.count += 1
        self.lines.append((self.count, value))


class Ring(Logging):
    """The last few values, each at its place."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.values, self.place = np.zeros(3), 0

    def log(self, value: float) -> None:
        self.values[self.place % 3] = value
        self.place += 1


class Statistics(Logging):
    """Mean and spread of the values (Welford); the spread of one is 0, as before."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def log(self, value: float) -> None:
        self.count += 1
        distance = value - self.mean
        self.mean += distance / self.count
        self.squares += distance * (value - self.mean)


class Episodes(Logging):
    """Steps of an episode, and how many have ended, none of which a new agent has seen."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.steps, self.episodes = 0, 0

    def log(self, value: float) -> None:
        self.steps += 1
        if self.steps == 4:
            self.steps, self.episodes = 0, self.episodes + 1


class EpisodesInAnArray(Episodes):
    """An array, too, of which nothing has come into being before an episode has ended."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.ends = np.zeros(2)

    def log(self, value: float) -> None:
        super().log(value)
        self.ends[0] += self.steps == 0


class RingIsRead(Ring):
    """Every fifth update trains on the values, too."""

    def log(self, value: float) -> None:
        super().log(value)
        if self.total_it % 5 == 0:
            agents.Agent.update(self, (float(self.values[0]), float(self.values[1])))


class EpisodesAreRead(Episodes):
    """Each update takes the episode for its input."""

    def update(self, batch: Any) -> None:
        super().update((batch[0], float(self.episodes)))


class OnlyThePlaceIsLost(Ring):
    """The values are saved."""

    def contents(self) -> dict[str, Any]:
        return {**super().contents(), "values": self.values.tolist()}

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.values = np.array(contents["values"])


class OnlyTheCountIsLost(Episodes):
    """How many episodes have ended is saved, and nothing of it is, in a new agent, at first."""

    def contents(self) -> dict[str, Any]:
        return {**super().contents(), "episodes": self.episodes}

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.episodes = contents["episodes"]


class Drives(Tiny):
    """Drives one of them."""

    def __init__(self, kind: type[Logging]) -> None:
        super().__init__()
        self.kind = kind

    def build(self, config: Any, seed: int) -> Logging:
        return self.kind(config, seed)


@pytest.mark.parametrize("kind", [Numbered, Ring, Statistics, Episodes, EpisodesInAnArray])
def test_what_is_kept_for_a_log_is_noted(kind: type[Logging]) -> None:
    report = check_agent(Drives(kind), level="training", examples=6, seed=1)
    assert report.ok
    assert not report.lost
    kept = vars(kind(agents.Config(), 0)).keys() - vars(agents.Agent(agents.Config(), 0)).keys()
    assert {note.name for note in report.notes} == {f"agent.{name}" for name in kept}


@pytest.mark.parametrize(
    ("kind", "lost"),
    [
        (RingIsRead, {"agent.values", "agent.place"}),
        (EpisodesAreRead, {"agent.steps", "agent.episodes"}),
        (OnlyThePlaceIsLost, {"agent.place"}),
        (OnlyTheCountIsLost, {"agent.steps"}),
    ],
)
def test_what_training_reads_is_lost_with_all_that_decides_on_it(kind: type[Logging], lost: set[str]) -> None:
    report = check_agent(Drives(kind), level="training", examples=6, seed=1)
    assert {loss.name for loss in report.lost} == lost

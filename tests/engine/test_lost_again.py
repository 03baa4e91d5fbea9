# SPDX-License-Identifier: MIT
"""What the run makes anew is told apart: what it reads before, now and then, is lost; a cache is not."""

from __future__ import annotations

import copy
import functools
from types import SimpleNamespace
from typing import Any

import agents
import pytest
import torch
from adapters import Tiny

from verification.engine.lost_again import LostAgain
from verification.losses import HEALS, READ
from verification.running.check_agent import check_agent
from verification.state import take


class GoesBack(agents.Agent):
    """Keeps its weights every third update, goes back to them every tenth, and does not save them."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.best = copy.deepcopy(self.net.state_dict())

    @functools.cached_property
    def table(self) -> torch.Tensor:
        """Made at the first use, and read at each."""
        return torch.ones(2)

    def update(self, batch: Any) -> None:
        super().update((self.table * torch.tensor(batch)).tolist())
        if self.total_it % 3 == 0:
            self.best = copy.deepcopy(self.net.state_dict())
        if self.total_it % 10 == 0:
            self.net.load_state_dict(self.best)


class Best(Tiny):
    """Drives it."""

    def build(self, config: Any, seed: int) -> GoesBack:
        return GoesBack(config, seed)


def test_what_is_replaced_before_it_was_read_is_lost_if_it_is_read_elsewhere() -> None:
    report = check_agent(Best(), checks=["next_steps_survive_reload"], examples=4, seed=1)
    assert [(loss.name, loss.how) for loss in report.lost] == [("agent.best", READ)]
    assert ("agent.table", HEALS) in [(note.name, note.how) for note in report.notes]


class LosesPatience(agents.Agent):
    """Halves its weights once it has waited for fifteen updates, which it never has; its count is lost."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.waited = 0

    def update(self, batch: Any) -> None:
        super().update(batch)
        self.waited = 0 if self.total_it % 4 == 0 else self.waited + 1
        if self.waited >= 15:
            with torch.no_grad():
                self.net.weight.mul_(0.5)


class Patience(Tiny):
    """Drives it."""

    def build(self, config: Any, seed: int) -> LosesPatience:
        return LosesPatience(config, seed)


def test_a_counter_that_starts_again_before_it_comes_to_its_limit_is_lost() -> None:
    report = check_agent(Patience(), checks=["counters_survive_reload"], examples=4, seed=1)
    assert [(loss.name, loss.how) for loss in report.lost] == [("agent.waited", READ)]


class RestoresLate(agents.Agent):
    """Keeps the counter and the moments that it has loaded until its first update, or save, asks for them."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.pending: dict[str, Any] = {}

    def restore(self, contents: dict[str, Any]) -> None:
        late = {"total_it", "optimizer"}
        super().restore({name: piece for name, piece in contents.items() if name not in late})
        self.pending = {name: contents[name] for name in late}

    def put_back(self) -> None:
        """Restore what waits for it."""
        waiting, self.pending = self.pending, {}
        super().restore(waiting)

    def update(self, batch: Any) -> None:
        self.put_back()
        super().update(batch)

    def contents(self) -> dict[str, Any]:
        self.put_back()
        return super().contents()


class Late(Tiny):
    """Drives it."""

    def build(self, config: Any, seed: int) -> RestoresLate:
        return RestoresLate(config, seed)


@pytest.mark.parametrize("level", ["training", "resume"])
def test_what_is_put_back_at_the_first_step_is_not_lost(level: str) -> None:
    report = check_agent(Late(), level=level, examples=3, seed=1)
    assert [(loss.name, loss.effect) for loss in report.lost] == []


class AsksLater(agents.Agent):
    """Keeps a scale that it has loaded until every second update, which uses it, or a save asks for it."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.own = torch.ones(2)
        self.pending: dict[str, torch.Tensor] = {}
        self.updates = 0

    @property
    def scale(self) -> torch.Tensor:
        """What waits takes its place at once."""
        self.own = self.pending.pop("scale", self.own)
        return self.own

    def update(self, batch: Any) -> None:
        if self.total_it % 4 == 3:
            self.own = 0.9 * self.scale + 0.1 * torch.tensor(batch)
        super().update((self.scale * torch.tensor(batch)).tolist() if self.total_it % 2 else batch)

    def contents(self) -> dict[str, Any]:
        return {**super().contents(), "scale": self.scale.clone()}

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.pending = {"scale": contents["scale"]}


class AsksLaterButCounts(AsksLater):
    """And loses the count by which every third update is another one."""

    def update(self, batch: Any) -> None:
        self.updates += 1
        super().update(batch if self.updates % 3 else (batch[1], batch[0]))


class GoesBackLater(GoesBack):
    """Saves them, and keeps what it has loaded until it goes back to it, or keeps others; counts likewise."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.count = 0
        self.pending: dict[str, Any] = {}

    def update(self, batch: Any) -> None:
        self.count = self.pending.pop("count", self.count) + 1
        if (self.total_it + 1) % 10 == 0:
            self.best = self.pending.pop("best", self.best)
        elif (self.total_it + 1) % 3 == 0:
            self.pending.pop("best", None)
        super().update(batch if self.count < 50 else batch[::-1])

    def contents(self) -> dict[str, Any]:
        late = {"best": copy.deepcopy(self.best), "count": self.count} | self.pending
        return {**super().contents(), **late}

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.pending = {name: contents[name] for name in ("best", "count")}


class Later(Tiny):
    """Drives it."""

    def __init__(self, kind: type[agents.Agent]) -> None:
        super().__init__()
        self.kind = kind

    def build(self, config: Any, seed: int) -> agents.Agent:
        return self.kind(config, seed)


@pytest.mark.parametrize("kind", [AsksLater, GoesBackLater])
def test_what_is_put_back_when_it_is_asked_for_is_not_lost(kind: type[agents.Agent]) -> None:
    report = check_agent(Later(kind), level="training", examples=6, seed=1)
    assert [(loss.name, loss.effect) for loss in report.lost] == []


def test_what_waits_is_not_blamed_for_what_is_lost_beside_it() -> None:
    report = check_agent(Later(AsksLaterButCounts), level="training", examples=6, seed=1)
    assert [loss.name for loss in report.lost] == ["agent.updates"]


def test_pieces_are_again_what_a_load_has_left_and_what_was_not_there_is_gone() -> None:
    agent = SimpleNamespace(best=torch.zeros(2), total=3)
    loaded = take({"agent": agent})
    again = LostAgain(["agent.best", "agent.cache"], loaded)
    again.remember({"agent": agent})
    agent.best += 1.0
    agent.cache, agent.total = [1], 4
    for _ in range(2):  # what is put back is a copy, which the next step may change
        again.lose({"agent": agent}, take({"agent": agent}))
        assert agent.best.tolist() == [0.0, 0.0]
        assert not hasattr(agent, "cache")
        assert agent.total == 4
        agent.best += 1.0

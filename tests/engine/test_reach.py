# SPDX-License-Identifier: MIT
"""How far is looked: a program that reaches further shows more, and what nothing shows is noted."""

from __future__ import annotations

from typing import Any

import agents
from adapters import Tiny

from verification.running.check_agent import check_agent


class Delayed(agents.Agent):
    """Learns from what it got some updates ago, too; what it keeps for that is not saved."""

    delay = 15

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__(config, seed)
        self.waiting: list[Any] = []

    def update(self, batch: Any) -> None:
        super().update(batch)
        self.waiting.append(batch)
        if len(self.waiting) > self.delay:
            super().update(self.waiting.pop(0))

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.waiting = [(0.0, 0.0)] * contents["total_it"]


class Slow(Delayed):
    """The same, but for a delay that no program reaches."""

    delay = 1000


class Drives(Tiny):
    """Drives one of them."""

    def __init__(self, kind: type[Delayed]) -> None:
        super().__init__()
        self.kind = kind

    def build(self, config: Any, seed: int) -> Delayed:
        return self.kind(config, seed)


def test_what_only_a_later_program_shows_is_found_there() -> None:
    report = check_agent(Drives(Delayed), checks=["next_steps_survive_reload"], examples=8, seed=1)
    assert [loss.name for loss in report.lost] == ["agent.waiting"]


def test_below_resume_what_training_changes_without_an_effect_is_noted() -> None:
    report = check_agent(Drives(Slow), checks=["next_steps_survive_reload"], examples=4, seed=1)
    assert report.ok
    assert not report.lost
    (note,) = report.notes
    assert str(note) == "agent.waiting: training changes it, but no effect on training was seen"

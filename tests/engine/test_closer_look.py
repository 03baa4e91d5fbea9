# SPDX-License-Identifier: MIT
"""A closer look at what has differed without a consequence: what of it is read after all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from forgetful import Forgetful, program_of

from verification.engine.consequences import judge
from verification.engine.experiment import Experiment
from verification.losses import HEALS, READ, RECORDED
from verification.program import Learn

if TYPE_CHECKING:
    from pathlib import Path


class RestoresLate(Forgetful):
    """Keeps the count that it has loaded until the next update."""

    def load(self, agent: Any, path: Path) -> Any:
        own = agent.count
        super().load(agent, path)
        agent.pending, agent.count = [agent.count], own
        return agent


def seeded(seed: int) -> int:
    return 10 * seed


def looked_at(
    folder: Path, update: Any, lost: str, kind: Any = Forgetful, **start: Any
) -> tuple[dict[str, str], dict[str, str]]:
    """What is lost and what is noted, by path: how it was shown."""
    program = program_of(Learn(3), Learn(4), Learn(5), receiver_steps=(Learn(7),), horizon=3)
    experiment = Experiment(kind(start, update, lost), program, folder)
    losses = judge(experiment, 1).losses
    return {loss.path: loss.how for loss, _ in losses}, {
        path: note.how for path, note in experiment.inventory.notes.items()
    }


def test_of_two_that_follow_from_one_another_none_is_read(tmp_path: Path) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += batch
        agent.phase += 0.5
        agent.level = 2 * agent.phase

    start = dict.fromkeys(("phase", "level"), lambda seed: np.full(2, float(seed)))
    lost, _ = looked_at(tmp_path, update, "phase level", **start)
    assert lost == dict.fromkeys(("agent.phase", "agent.level"), RECORDED)


def test_what_is_made_anew_later_and_is_read_by_nothing_is_harmless(tmp_path: Path) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += batch
        agent.steps += 1
        if agent.steps % 2:
            agent.last = batch

    assert looked_at(tmp_path, update, "last", steps=0, last=seeded) == ({}, {"agent.last": HEALS})


def test_a_count_that_waits_for_the_next_update_is_not_what_is_read(tmp_path: Path) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.count = (agent.pending.pop() if agent.pending else agent.count) + 1
        agent.total += batch if agent.count % 1000 else 100

    start = {"count": seeded, "pending": lambda _: []}
    lost, noted = looked_at(tmp_path, update, "", RestoresLate, **start)
    assert lost == {}
    assert set(noted.values()) == {HEALS}


def test_a_count_that_starts_again_before_it_comes_to_its_limit_is_read(tmp_path: Path) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.steps += 1
        agent.waited = 0 if agent.steps % 3 == 0 else agent.waited + 1
        agent.total += batch if agent.waited < 50 else 100

    lost, _ = looked_at(tmp_path, update, "waited", steps=0, waited=0)
    assert lost == {"agent.waited": READ}


def made_anew(agent: Any, batch: int) -> None:
    """The third update makes two tables anew; the load leaves those of the receiver until then."""
    agent.steps += 1
    if agent.steps == 3:
        agent.best, agent.other = np.full(2, batch), np.full(2, batch)


TABLES = {"steps": 0, **dict.fromkeys(("best", "other"), lambda seed: np.full(2, 10 * seed))}


def test_of_several_that_are_made_anew_only_the_one_that_is_read_before_is_lost(tmp_path: Path) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += int(agent.best[0]) if agent.steps == 3 else batch
        made_anew(agent, batch)

    assert looked_at(tmp_path, update, "best other", **TABLES) == (
        {"agent.best": READ},
        {"agent.other": HEALS},
    )


def test_those_that_are_read_only_together_are_lost_together(tmp_path: Path) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += int(min(agent.best[0], agent.other[0])) if agent.steps == 3 else batch
        made_anew(agent, batch)

    assert looked_at(tmp_path, update, "best other", **TABLES) == (
        {"agent.best": READ, "agent.other": READ},
        {},
    )

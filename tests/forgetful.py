# SPDX-License-Identifier: MIT
"""An agent of a few attributes, some of which are never saved, for the tests of what follows from a loss."""

from __future__ import annotations

import pickle
import weakref
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from verification.program import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from verification.program import Step

#: State that no walk through an agent finds.
OUTSIDE: weakref.WeakKeyDictionary[Agent, int] = weakref.WeakKeyDictionary()


class Agent:
    """Some attributes."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


class Forgetful:
    """Drives an agent whose state is a few attributes, some of which are never saved."""

    name = "forgetful"

    def __init__(self, start: Mapping[str, Any], update: Callable[[Any, int], None], lost: str) -> None:
        self.start, self.update, self.lost = start, update, lost.split()

    def configs(self) -> Any:
        return st.none()

    def batches(self, config: None) -> Any:
        return st.integers()

    def observations(self, config: None) -> Any:
        return st.none()

    def build(self, config: None, seed: int) -> Any:
        made = {name: value(seed) if callable(value) else value for name, value in self.start.items()}
        return Agent(total=seed, **made)

    def learn(self, agent: Any, batch: int) -> None:
        self.update(agent, batch)

    def act(self, agent: Any, observation: None) -> float:
        return float(agent.total + OUTSIDE.get(agent, 0))

    def save(self, agent: Any, path: Path) -> None:
        saved = {name: value for name, value in vars(agent).items() if name not in self.lost}
        path.write_bytes(pickle.dumps(saved))

    def load(self, agent: Any, path: Path) -> Any:
        vars(agent).update(pickle.loads(path.read_bytes()))
        return agent


class KeepsItsOwn(Forgetful):
    """What the receiver has seen, a load leaves if there is any."""

    def load(self, agent: Any, path: Path) -> Any:
        own = agent.seen
        super().load(agent, path)
        agent.seen = own or agent.seen
        return agent


def program_of(*steps: Step, cuts: tuple[int, ...] = (1,), **options: Any) -> Program:
    """A program of some steps, with a checkpoint after the first of them."""
    rest: dict[str, Any] = {"seed": 1, "receiver_seed": 2, "receiver_steps": (), "entropy": 0, **options}
    return Program(config=None, receiver_config=None, steps=steps, cuts=cuts, probe=None, **rest)

# SPDX-License-Identifier: MIT
"""Adapters of the hand-made agent, right and wrong ones, for the tests of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import hypothesis.strategies as st
from agents import DEFECTS, Agent, Config

if TYPE_CHECKING:
    from pathlib import Path

_NUMBERS = st.sampled_from([-1.0, -0.5, 0.25, 1.0])
_PAIRS = st.tuples(_NUMBERS, _NUMBERS)


class Tiny:
    """Drives the agent with one defect, by default none. It pickles, as checks in a new process need."""

    def __init__(self, defect: str = "", name: str = "tiny") -> None:
        self.defect = defect
        self.name = name

    def configs(self) -> st.SearchStrategy[Config]:
        return st.builds(Config, gain=st.sampled_from([0.5, 1.0, 2.0]))

    def variants(self, config: Config) -> st.SearchStrategy[Config]:
        return st.just(Config(gain=config.gain + 0.25))

    def batches(self, config: Config) -> st.SearchStrategy[Any]:
        return _PAIRS

    def observations(self, config: Config) -> st.SearchStrategy[Any]:
        return _PAIRS

    def build(self, config: Config, seed: int) -> Agent:
        agent: Agent = DEFECTS[self.defect](config, seed)
        return agent

    def learn(self, agent: Agent, batch: Any) -> None:
        agent.update(batch)

    def act(self, agent: Agent, observation: Any) -> Any:
        return agent.predict(observation)

    def advance(self, agent: Agent, steps: int) -> None:
        for _ in range(steps):
            agent.explore()

    def save(self, agent: Agent, path: Path) -> None:
        agent.save(path)

    def load(self, agent: Agent, path: Path) -> Agent:
        agent.load(path)
        return agent


class KeepsItsGain(Tiny):
    """The gain is the caller's: a load leaves it."""

    callers: ClassVar = {"agent.gain": "the caller has chosen it"}

    def load(self, agent: Agent, path: Path) -> Agent:
        own = agent.gain
        agent.load(path)
        if self.defect != "takes the saved gain":
            agent.gain = own
        return agent


class Pair(tuple[float, float]):
    """A batch of a type of its own, which nobody can write as source."""

    __slots__ = ()

    def __new__(cls, first: float, second: float) -> Pair:
        return super().__new__(cls, (first, second))

    def __reduce__(self) -> Any:
        return Pair, tuple(self)


class Pairs(Tiny):
    """Some of its batches are of that type."""

    def batches(self, config: Config) -> st.SearchStrategy[Any]:
        return _PAIRS | _PAIRS.map(lambda pair: Pair(*pair))


class LosesItsCounter(Tiny):
    """Made without arguments, as a script does it."""

    def __init__(self) -> None:
        super().__init__("loses its counter")


class OpenLoop(Tiny):
    """Without a training loop of its own."""

    advance = property()  # type: ignore[assignment]


class WorksInPlace(Tiny):
    """Its agents keep their config and normalise their batches in place, as arrays are often treated."""

    def batches(self, config: Config) -> st.SearchStrategy[Any]:
        return _PAIRS.map(list)

    def build(self, config: Config, seed: int) -> Agent:
        agent = super().build(config, seed)
        agent.given = config  # type: ignore[attr-defined]
        return agent

    def learn(self, agent: Agent, batch: Any) -> None:
        agent.update(tuple(batch))
        batch[0] += 1.0


class LearnHasATypo(Tiny):
    def learn(self, agent: Agent, batch: Any) -> None:
        agent.upate(batch)  # type: ignore[attr-defined]


class LoadHasATypo(Tiny):
    def load(self, agent: Agent, path: Path) -> Agent:
        agent.laod(path)  # type: ignore[attr-defined]
        return agent


class LoadReturnsNothing(Tiny):
    def load(self, agent: Agent, path: Path) -> None:  # type: ignore[override]
        agent.load(path)


class BuildReturnsNothing(Tiny):
    def build(self, config: Config, seed: int) -> None:  # type: ignore[override]
        super().build(config, seed)


class NoSave(Tiny):
    save = None  # type: ignore[assignment]


class SaveRaises(Tiny):
    """Its agent cannot be saved."""

    def __init__(self) -> None:
        super().__init__("save raises")


class Noisy(Tiny):
    """Does not repeat itself."""

    def __init__(self) -> None:
        super().__init__("is nondeterministic")

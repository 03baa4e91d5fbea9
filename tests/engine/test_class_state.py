# SPDX-License-Identifier: MIT
"""State of classes and modules: every arm has its own, and what a load does not bring back is named."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar

import hypothesis.strategies as st
import pytest
import torch
from forgetful import program_of

from verification import check_agent, checkpoint_machine
from verification.engine.experiment import Experiment
from verification.engine.global_rng import isolated
from verification.program import Learn

if TYPE_CHECKING:
    from pathlib import Path

torch.set_num_threads(1)

SCALE = [1.0]
STEPS = 0


class Agent:
    """A network whose update is scaled by what the class or the module holds."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        self.net = torch.nn.Linear(2, 1)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.05)

    def scale(self) -> float:
        return 1.0

    def update(self, batch: torch.Tensor) -> None:
        self.optimizer.zero_grad()
        (self.scale() * self.net(batch)).square().sum().backward()
        self.optimizer.step()

    def content(self) -> dict[str, Any]:
        return {"net": self.net.state_dict()}

    def take(self, content: dict[str, Any]) -> None:
        self.net.load_state_dict(content["net"])


class Counts(Agent):
    updates = 0

    def scale(self) -> float:
        type(self).updates += 1
        return 1.0 + type(self).updates % 3


class CountsAndSaves(Counts):
    updates = 0

    def content(self) -> dict[str, Any]:
        return {**super().content(), "updates": type(self).updates}

    def take(self, content: dict[str, Any]) -> None:
        super().take(content)
        type(self).updates = content["updates"]


class CountsAgents(Counts):
    updates = 0

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        type(self).updates += 1


class CountsInTheModule(Agent):
    def scale(self) -> float:
        global STEPS  # noqa: PLW0603 - it is the matter
        STEPS += 1
        return 1.0 + STEPS % 3


class DecaysInTheModule(Agent):
    def scale(self) -> float:
        SCALE[0] *= 0.9
        return SCALE[0]

    def content(self) -> dict[str, Any]:
        return {**super().content(), "scale": list(SCALE)}

    def take(self, content: dict[str, Any]) -> None:
        super().take(content)
        SCALE[:] = content["scale"]


class IsNumbered(Agent):
    numbers: ClassVar[Any] = itertools.count()

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.number = next(self.numbers)


class Adapter:
    def __init__(self, kind: type[Agent]) -> None:
        self.kind, self.name = kind, kind.__name__

    def configs(self) -> st.SearchStrategy[None]:
        return st.none()

    def batches(self, config: None) -> st.SearchStrategy[torch.Tensor]:
        return st.integers(0, 99).map(
            lambda seed: torch.rand(3, 2, generator=torch.Generator().manual_seed(seed))
        )

    observations = batches

    def build(self, config: None, seed: int) -> Agent:
        return self.kind(seed)

    def learn(self, agent: Agent, batch: torch.Tensor) -> None:
        agent.update(batch)

    def act(self, agent: Agent, observation: torch.Tensor) -> torch.Tensor:
        return agent.net(observation).detach()

    def save(self, agent: Agent, path: Path) -> None:
        torch.save(agent.content(), path)

    def load(self, agent: Agent, path: Path) -> Agent:
        agent.take(torch.load(path))
        return agent


class NamesItsAgent(Adapter):
    """Its code names the class, as that of most adapters does."""

    def build(self, config: None, seed: int) -> Agent:
        return CountsAgents(seed)


@pytest.mark.parametrize("kind", [CountsAndSaves, DecaysInTheModule, IsNumbered])
def test_an_exact_agent_of_shared_state_passes(kind: type[Agent]) -> None:
    report = check_agent(Adapter(kind), level="resume", examples=3, seed=0)
    assert report.ok, report.summary()
    verdicts = {one.check: one.verdict.value for one in report.results}
    assert verdicts["next_steps_survive_reload"] == "passed"
    assert verdicts["a_new_process_resumes_the_same"] == "passed"


@pytest.mark.parametrize(
    ("kind", "name"), [(Counts, "agent.__class__.updates"), (CountsInTheModule, "the global STEPS")]
)
def test_shared_state_that_is_lost_is_named(kind: type[Agent], name: str) -> None:
    report = check_agent(Adapter(kind), level="resume", examples=3, seed=0, shrink=False)
    assert [loss.name for loss in report.lost] == [name]


def test_a_run_begins_as_in_a_process_in_which_there_was_no_agent_yet(tmp_path: Path) -> None:
    program = program_of(*[Learn(torch.ones(3, 2))] * 2)
    moments = Experiment(NamesItsAgent(CountsAgents), program, tmp_path).reference
    counts = [moment.snapshot.leaves["agent.__class__.updates"].value for moment in moments]
    assert counts == [1, 2, 3]


def test_the_state_machine_gives_each_run_its_own() -> None:
    with isolated():
        Counts.updates = 5
    check_agent(
        Adapter(CountsAndSaves), checks=["runs_are_repeatable"], examples=1, seed=0
    )  # it is known now
    machine = checkpoint_machine(Adapter(CountsAndSaves)).TestCase
    machine.settings = type(machine.settings)(machine.settings, max_examples=5, stateful_step_count=8)
    machine().runTest()


def test_the_process_is_left_as_it_was() -> None:
    SCALE[:] = [0.5]
    try:
        check_agent(Adapter(DecaysInTheModule), level="protocol", examples=2, seed=1)
        assert SCALE == [0.5]
    finally:
        SCALE[:] = [1.0]

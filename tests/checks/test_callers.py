# SPDX-License-Identifier: MIT
"""What an adapter declares as the caller's is kept by a load, and nothing that follows is blamed on it."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from adapters import Tiny
from agents import Agent, Config
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from verification import AdapterError, Report, Verdict, check_agent, checkpoint_machine
from verification.checks.registry import select
from verification.engine import callers
from verification.engine.driver import Driver

KEPT = "loading_keeps_what_is_the_callers"
GOOD = {Verdict.PASSED, Verdict.NOT_APPLICABLE}


class Member(Agent):
    """Its gain is the caller's: it is not taken from a checkpoint."""

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore({name: piece for name, piece in contents.items() if name != "gain"})


class Obeying(Member):
    """Takes the gain from the checkpoint all the same."""

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.gain = contents["gain"]


class Resetting(Member):
    """Takes the gain from nowhere."""

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.gain = 7.0


class Forgetful(Member):
    """Keeps the gain, and loses its momentum."""

    def contents(self) -> dict[str, Any]:
        contents = super().contents()
        return {**contents, "optimizer": {**contents["optimizer"], "state": {}}}


class Population(Tiny):
    callers: Any = {"agent.gain": "population-based training has chosen it"}  # noqa: RUF012

    def __init__(self, kind: type[Agent] = Member, **members: Any) -> None:
        super().__init__()
        self.kind = kind
        vars(self).update(members)

    def build(self, config: Config, seed: int) -> Agent:
        return self.kind(config, seed)


def asked(adapter: Any, **options: Any) -> Report:
    return check_agent(adapter, **{"examples": 4, "seed": 0, "shrink": False, **options})


def wrong(report: Report) -> dict[str, str]:
    return {one.check: one.sentence for one in report.results if one.verdict not in GOOD}


def test_an_agent_that_keeps_the_callers_value_keeps_every_promise() -> None:
    report = asked(Population())
    assert wrong(report) == {}
    assert report.result(KEPT).verdict is Verdict.PASSED
    assert report.result("a_new_process_resumes_the_same").verdict is Verdict.PASSED
    assert report.lost == report.notes == ()
    assert len(report.results) == len(select("resume"))


def test_without_the_declaration_the_same_agent_loses_it() -> None:
    report = asked(Population(callers={}), level="training")
    assert [loss.name for loss in report.lost] == ["agent.gain"]
    result = report.result(KEPT)
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert result.sentence == "the adapter declares nothing as the caller's"


@pytest.mark.parametrize(("kind", "value"), [(Obeying, "the saved value"), (Resetting, "another value")])
def test_a_load_that_puts_another_value_there_is_one_failure_that_names_it(
    kind: type[Agent], value: str
) -> None:
    report = asked(Population(kind))
    assert wrong(report).keys() == {KEPT}
    result = report.result(KEPT)
    assert result.verdict is Verdict.FAILED
    assert result.paths == ("agent.gain",)
    assert result.sentence.startswith("loading what was saved after ")
    assert result.sentence.endswith(f" put {value} where the caller's own was to be kept: agent.gain")


def test_what_is_lost_besides_is_named_and_nothing_else() -> None:
    report = asked(Population(Forgetful), level="training")
    assert wrong(report).keys() == {"optimizer_state_survives_reload"}
    assert [loss.name for loss in report.lost] == ["agent.optimizer"]


def test_where_receivers_have_the_same_value_nothing_can_be_said() -> None:
    class Alike(Population):
        def variants(self, config: Config) -> st.SearchStrategy[Config]:
            return st.just(config)

    result = asked(Alike(), checks=[KEPT]).result(KEPT)
    assert result.verdict is Verdict.NOT_APPLICABLE


# -- a whole object ----------------------------------------------------------------------------------------


class Restarting(Agent):
    """Its schedule begins again after every load, and the rate with it."""

    def restore(self, contents: dict[str, Any]) -> None:
        rate, first = self.optimizer.param_groups[0]["lr"], self.optimizer.param_groups[0]["initial_lr"]
        super().restore({name: piece for name, piece in contents.items() if name != "schedule"})
        self.optimizer.param_groups[0].update(lr=rate, initial_lr=first)


RESTARTS = {
    "agent.schedule": "it restarts",
    "agent.optimizer.param_groups[*]['lr']": "the schedule sets it",
    "agent.optimizer.param_groups[*]['initial_lr']": "the schedule sets it",
}


def test_a_schedule_may_restart() -> None:
    assert wrong(asked(Population(Restarting, callers=RESTARTS), level="training")) == {}
    report = asked(Population(Agent, callers=RESTARTS), level="training")
    assert wrong(report).keys() == {KEPT}
    assert "agent.schedule.last_epoch" in report.result(KEPT).paths


def test_what_the_callers_object_leads_to_is_not_the_callers() -> None:
    """A schedule holds the optimizer, whose moments are to come back."""

    class Loses(Restarting):
        def contents(self) -> dict[str, Any]:
            contents = super().contents()
            return {**contents, "optimizer": {**contents["optimizer"], "state": {}}}

    report = asked(Population(Loses, callers=RESTARTS), level="training")
    assert [loss.name for loss in report.lost] == ["agent.optimizer"]
    driver = Driver(Population(Loses, callers=RESTARTS))
    assert driver.callers is not None
    agent = driver.build(Config(), 0)
    driver.adapter.learn(agent, (1.0, 1.0))
    paths = driver.callers.of(driver.roots(agent)).leaves
    assert not [path for path in paths if ".state" in path or "net" in path]


def test_a_piece_may_be_named_by_another_path_to_it() -> None:
    class Twice(Member):
        def __init__(self, config: Config, seed: int) -> None:
            super().__init__(config, seed)
            self.scale = torch.full((2,), config.gain)
            self.also = {"scale": self.scale}

        def predict(self, observation: Any) -> torch.Tensor:
            return super().predict(observation) * self.scale[0]

    for path in ("agent.scale", "agent.also['scale']"):
        adapter = Population(Twice, callers={"agent.gain": "chosen", path: "chosen"})
        assert wrong(asked(adapter, level="training")) == {}


# -- other doors -------------------------------------------------------------------------------------------


def test_a_state_machine_blames_nobody_for_it() -> None:
    machine = checkpoint_machine(Population(), closed_loop=True)
    options = settings(max_examples=5, stateful_step_count=12, deadline=None, database=None, derandomize=True)
    run_state_machine_as_test(machine, settings=options)


@pytest.mark.parametrize("member", ["callers", "volatile"])
@pytest.mark.parametrize("patterns", [["agent.gain"], "agent.gain", None])
def test_each_path_needs_a_reason(member: str, patterns: Any) -> None:
    with pytest.raises(AdapterError) as caught:
        Driver(Population(**{member: patterns}))
    assert str(caught.value) == (
        f"the adapter 'tiny' has {member} = {patterns!r}; "
        f'give a reason for each path: {member} = {{"agent.piece": "why"}}'
    )


def test_a_piece_that_cannot_be_written_is_the_adapters_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "transplant", lambda *_: {"agent.gain": "AttributeError: sealed"})
    driver = Driver(Population())
    one, other = driver.build(Config(1.0), 0), driver.build(Config(2.0), 0)
    driver.give_callers(one, one)
    with pytest.raises(AdapterError) as caught:
        driver.give_callers(one, other)
    assert str(caught.value) == (
        "agent.gain is the caller's, but another value cannot be put there (AttributeError: sealed), so that "
        "what follows cannot be compared; let callers name a smaller piece"
    )

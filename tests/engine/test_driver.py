# SPDX-License-Identifier: MIT
"""The driver names the member that went wrong, and tells an adapter's mistake from its agent's failure."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Any

import adapters
import numpy as np
import pytest
import torch
from adapters import Tiny
from agents import Agent, Config

from verification import Verdict, check_agent
from verification.adapter import Adapter
from verification.engine.driver import Driver
from verification.engine.members import validate_adapter
from verification.errors import AdapterError, CheckFailure
from verification.program import Act, Advance, Implant, Learn, Operate, Repeat
from verification.strategies import OptimizerState

if TYPE_CHECKING:
    from pathlib import Path

BATCH = (1.0, -0.5)


def trained(driver: Driver) -> Any:
    agent = driver.build(Config(), 3)
    driver.perform(agent, Learn(BATCH))
    return agent


# -- a complete adapter ------------------------------------------------------------------------------------


def test_a_complete_adapter_is_accepted() -> None:
    validate_adapter(Tiny())
    assert isinstance(Tiny(), Adapter)


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        (Tiny, "Tiny is a class; pass an instance: Tiny()"),
        (adapters.Tiny(name=""), "Tiny has name = ''; write a text: name = \"my_agent\""),
        (
            adapters.NoSave(),
            "the adapter 'tiny' has no save(); add: def save(self, agent, path): agent.save(path)",
        ),
    ],
)
def test_an_incomplete_adapter_is_told_what_to_add(adapter: Any, message: str) -> None:
    with pytest.raises(AdapterError) as caught:
        Driver(adapter)
    assert str(caught.value) == message


@pytest.mark.parametrize("member", ["build", "learn", "save", "load"])
def test_every_required_member_is_required(member: str) -> None:
    adapter = Tiny()
    setattr(adapter, member, None)
    with pytest.raises(AdapterError, match=rf"has no {member}\(\); add: def {member}\(self"):
        validate_adapter(adapter)


# -- driving -----------------------------------------------------------------------------------------------


def test_who_cannot_be_reopened_has_failed(tmp_path: Path) -> None:
    class Reopens(Tiny):
        def reopen(self, config: Config, path: Path) -> Agent:
            return self.load(self.build(config, 0), path)

    driver = Driver(Reopens("load raises"))
    driver.save(trained(driver), tmp_path)
    with pytest.raises(CheckFailure, match=r"reopen\(\) raised KeyError"):
        driver.reopen(Config(), 3, tmp_path)


def test_who_neither_acts_nor_trains_by_itself_is_asked_for_neither() -> None:
    class OnlyLearns(adapters.OpenLoop):
        act = property()

    driver = Driver(Tiny())
    assert (driver.acts, driver.closed_loop) == (True, True)
    driver = Driver(OnlyLearns())
    assert (driver.acts, driver.closed_loop) == (False, False)


def test_steps_reach_the_agent() -> None:
    driver = Driver(Tiny())
    agent = driver.build(Config(gain=2.0), 3)
    assert driver.perform(agent, Learn(BATCH)) is None
    driver.perform(agent, Advance(4))
    assert agent.total_it == 5
    assert driver.perform(agent, Act(BATCH)).shape == (1,)
    assert driver.closed_loop
    assert not Driver(adapters.OpenLoop()).closed_loop


def test_a_step_of_many_updates_gives_each_the_batch_that_was_drawn() -> None:
    seen = []

    class InPlace(Tiny):
        def learn(self, agent: Agent, batch: Any) -> None:
            seen.append(tuple(batch))
            batch[0] += 1.0

    driver = Driver(InPlace())
    assert driver.perform(driver.build(Config(), 3), Repeat([1.0, -0.5], 3)) is None
    assert seen == [BATCH] * 3


def test_saving_and_loading_use_one_directory(tmp_path: Path) -> None:
    driver = Driver(Tiny())
    driver.save(trained(driver), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint"]
    assert driver.load(driver.build(Config(), 4), tmp_path).total_it == 1
    assert driver.reopen(Config(), 4, tmp_path).total_it == 1


def test_the_adapters_own_way_to_reopen_is_used(tmp_path: Path) -> None:
    class Reopens(Tiny):
        def reopen(self, config: Config, path: Path) -> Agent:
            agent = self.load(self.build(config, 0), path)
            agent.total_it += 100
            return agent

    driver = Driver(Reopens())
    driver.save(trained(driver), tmp_path)
    assert driver.reopen(Config(), 4, tmp_path).total_it == 101


def test_an_adapter_may_name_the_roots_and_what_is_volatile() -> None:
    class Narrow(Tiny):
        volatile = {"learner.mem*": "replayed", "net.weight": "for this test"}  # noqa: RUF012

        def state(self, agent: Agent) -> dict[str, object]:
            return {"learner": agent, "net": agent.net}

    driver = Driver(Narrow())
    agent = trained(driver)
    agent.memory.append(1.0)
    agent.memory_limit = 3
    leaves = driver.snapshot(agent).leaves
    assert "learner.net.weight" in leaves
    assert leaves["net"].value == "learner.net"
    assert [path for path in leaves if "memory" in path] == []


def test_a_volatile_path_covers_what_is_below_it_and_no_sibling() -> None:
    class Narrow(Tiny):
        volatile = {"agent.net": "for this test"}  # noqa: RUF012

    leaves = Driver(Narrow()).snapshot(Tiny().build(Config(), 0)).leaves
    assert "agent.net.weight" not in leaves
    assert "agent.net_target.weight" in leaves


def test_a_volatile_path_without_a_leaf_of_its_own_covers_what_is_below_it() -> None:
    class Narrow(Tiny):
        volatile = {"agent.optimizer.state": "for this test"}  # noqa: RUF012

    driver = Driver(Narrow())
    leaves = driver.snapshot(trained(driver)).leaves
    assert [path for path in leaves if path.startswith("agent.optimizer.state")] == []
    assert "agent.optimizer.param_groups[0]['lr']" in leaves


# -- whose fault -------------------------------------------------------------------------------------------


def test_an_adapters_mistake_is_an_error_that_names_member_and_line(tmp_path: Path) -> None:
    driver = Driver(adapters.LearnHasATypo())
    with pytest.raises(AdapterError) as caught:
        trained(driver)
    assert str(caught.value).startswith("the adapter 'tiny': learn() raised AttributeError: ")
    assert "has no attribute 'upate'" in str(caught.value)
    assert "(adapters.py:" in str(caught.value)


def test_a_mistake_in_the_adapters_load_is_not_the_agents_failure(tmp_path: Path) -> None:
    driver = Driver(adapters.LoadHasATypo())
    driver.save(trained(driver), tmp_path)
    with pytest.raises(AdapterError, match=r"load\(\) raised AttributeError.*adapters\.py"):
        driver.load(driver.build(Config(), 4), tmp_path)


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        (adapters.LoadReturnsNothing(), "load() returned None; return the restored agent"),
        (adapters.BuildReturnsNothing(), "build() returned None; return the agent"),
    ],
)
def test_a_forgotten_return_is_named(adapter: Any, message: str, tmp_path: Path) -> None:
    driver = Driver(adapter)
    good = Driver(Tiny())
    good.save(trained(good), tmp_path)
    with pytest.raises(AdapterError) as caught:
        driver.load(driver.build(Config(), 4), tmp_path)
    assert str(caught.value) == message


class Acts(Tiny):
    """Its action is what it is given."""

    def __init__(self, action: Any) -> None:
        super().__init__()
        self.action = action

    def act(self, agent: Agent, observation: Any) -> Any:
        return self.action


@pytest.mark.parametrize(
    "action", [None, (), {}, {"action": None}, (None, {}), object(), torch.zeros(0), np.zeros((0, 2)), len]
)
def test_an_action_without_content_is_the_adapters_mistake(action: Any) -> None:
    driver = Driver(Acts(action))
    with pytest.raises(AdapterError) as caught:
        driver.perform(driver.build(Config(), 3), Act(BATCH))
    what, _, advice = str(caught.value).partition("; ")
    assert what.startswith("act() returned ")
    assert what.endswith(", in which there is nothing to compare")
    assert advice == "return the action, as a tensor or an array"
    assert driver.perform(None, Act(BATCH), reloaded=True) is action  # compared with what it was before


@pytest.mark.parametrize(
    "action",
    [torch.zeros(1), np.zeros(1), np.float32(0), 0, 0.0, False, [0], {"arm": torch.zeros(1)}, "left"],
)
def test_any_other_action_is_one(action: Any) -> None:
    driver = Driver(Acts(action))
    assert driver.perform(driver.build(Config(), 3), Act(BATCH)) is action


def test_an_action_without_content_is_an_error_in_every_check_that_acts() -> None:
    report = check_agent(Acts(None), checks=["actions_survive_reload"], examples=3, seed=0)
    result = report.result("actions_survive_reload")
    assert result.verdict in {Verdict.ERROR, Verdict.BLOCKED}
    assert {one.verdict for one in report.results} <= {Verdict.PASSED, Verdict.ERROR, Verdict.BLOCKED}
    assert any("act() returned None" in one.sentence for one in report.results)


def test_an_agent_that_cannot_save_or_load_has_failed(tmp_path: Path) -> None:
    driver = Driver(Tiny("save raises"))
    with pytest.raises(
        CheckFailure, match=r"save\(\) raised AttributeError: .*cnn_extractor.*\(agents\.py:\d+\)"
    ):
        driver.save(trained(driver), tmp_path)
    driver = Driver(Tiny("load raises"))
    driver.save(trained(driver), tmp_path)
    with pytest.raises(CheckFailure, match=r"load\(\) raised KeyError: 'actor_cnn_state_dict'"):
        driver.load(driver.build(Config(), 4), tmp_path)


def test_a_step_that_raises_only_after_a_reload_is_the_agents_failure(tmp_path: Path) -> None:
    driver = Driver(Tiny("step after load raises"))
    driver.save(trained(driver), tmp_path)
    restored = driver.load(driver.build(Config(), 4), tmp_path)
    with pytest.raises(CheckFailure, match=r"learn\(\) raised AttributeError"):
        driver.perform(restored, Learn(BATCH), reloaded=True)
    with pytest.raises(AdapterError, match=r"learn\(\) raised AttributeError"):
        driver.perform(restored, Learn(BATCH))


class Local:
    """An agent whose class stands in its adapter's file; so does the function that helps its adapter."""

    def load(self) -> None:
        raise KeyError("actor_cnn_state_dict")


def _helps() -> None:
    raise KeyError("a typo")


def _decorated(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    return wrapper


class Mixed(Tiny):
    """Its load raises somewhere: in the agent's class, or in a place of the adapter's own."""

    where = ""

    def load(self, agent: Agent, path: Path) -> Agent:
        match self.where:
            case "agent":
                Local().load()
            case "function":
                _helps()
            case "inner function":
                inner = lambda: {}["a typo"]  # noqa: E731
                return inner()
            case "class inside":

                class Inner(Local):
                    def load(self) -> None:
                        raise KeyError("actor_cnn_state_dict")

                Inner().load()
            case "static":
                self.helps()
            case "decorated":
                self.helps_too()
            case "arguments":
                self.helps(1)  # type: ignore[call-arg]
            case "library":
                torch.load(path / "nowhere", weights_only=True)
        return agent

    @staticmethod
    def helps() -> None:
        raise KeyError("a typo")

    @_decorated
    def helps_too(self) -> None:
        raise KeyError("a typo")


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("agent", CheckFailure),
        ("class inside", CheckFailure),
        ("library", CheckFailure),
        ("function", AdapterError),
        ("inner function", AdapterError),
        ("static", AdapterError),
        ("decorated", AdapterError),
        ("arguments", AdapterError),
    ],
)
def test_the_raising_lines_decide_and_not_their_file(
    where: str, error: type[Exception], tmp_path: Path
) -> None:
    adapter = Mixed()
    adapter.where = where
    with pytest.raises(error, match=r"load\(\) raised (Key|Type|FileNotFound)Error"):
        Driver(adapter).load(None, tmp_path)


def test_a_member_with_other_parameters_is_the_adapters_mistake() -> None:
    class Short(Tiny):
        def load(self, agent: Agent) -> Agent:  # type: ignore[override]
            return agent

    with pytest.raises(AdapterError, match=r"load\(agent\) at test_driver.py:\d+ is not how the suite"):
        Driver(Short())


@pytest.mark.parametrize("limit", [0, -1.0, "60", None, float("nan")])
def test_a_time_limit_is_a_number_of_seconds(limit: Any) -> None:
    adapter = Tiny()
    adapter.time_limit = limit  # type: ignore[attr-defined]
    with pytest.raises(
        AdapterError, match=r"'tiny' has time_limit = .*; give the seconds that one operation"
    ):
        validate_adapter(adapter)


def test_messages_of_many_lines_and_of_none_are_one_line() -> None:
    class Raises(Tiny):
        text = ""

        def act(self, agent: Agent, observation: Any) -> Any:
            raise RuntimeError(self.text)

    adapter = Raises()
    driver = Driver(adapter)
    agent = driver.build(Config(), 0)
    with pytest.raises(AdapterError, match=r"RuntimeError: \(no message\) \("):
        driver.perform(agent, Act(BATCH))
    adapter.text = "first line\nsecond line"
    with pytest.raises(AdapterError) as caught:
        driver.perform(agent, Act(BATCH))
    assert "\n" not in str(caught.value)


# -- what is no training ---------------------------------------------------------------------------------


class Halves(Tiny):
    """Draws operations, and has a member that does them only where it is given one."""

    def operations(self, config: Config) -> Any:
        raise NotImplementedError


class Operates(Halves):
    def operate(self, agent: Agent, operation: tuple[str, float]) -> None:
        setattr(agent, *operation)


def test_operations_need_both_members() -> None:
    with pytest.raises(AdapterError, match=r"'tiny' has operations\(\), but no operate\(\); add it"):
        validate_adapter(Halves())


def test_an_operation_is_the_adapters() -> None:
    driver = Driver(Operates())
    agent = driver.build(Config(), 0)
    driver.perform(agent, Operate(("gain", 9.0)))
    assert agent.gain == 9.0


def test_an_implant_reaches_every_optimizer() -> None:
    driver = Driver(Tiny())
    agent = trained(driver)
    agent.memory.append(other := copy.deepcopy(agent.optimizer))
    driver.perform(agent, Implant(OptimizerState(moments="huge")))
    assert driver.optimizers(agent) == [other, agent.optimizer]
    for optimizer in driver.optimizers(agent):
        assert all(entry["momentum_buffer"].min() >= 64 for entry in optimizer.state.values())

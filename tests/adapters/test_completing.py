# SPDX-License-Identifier: MIT
"""Four functions are an adapter: what they lack has a default, and what cannot be known is not asked."""

from __future__ import annotations

import pickle
import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import adapters
import hypothesis.strategies as st
import pytest
import torch
from agents import DEFECTS, Agent, Config
from hypothesis.stateful import run_state_machine_as_test

from verification import (
    AdapterError,
    Report,
    UsageError,
    Verdict,
    check_agent,
    checkpoint_machine,
    conformance_suite,
)
from verification.adapters.completing import Completed, complete, of_functions
from verification.checks.registry import all_checks, select
from verification.engine.driver import Driver
from verification.engine.members import validate_adapter
from verification.errors import CheckFailure
from verification.levels import Level
from verification.program import Act
from verification.report.opening import first_screen
from verification.running.drawing import draw

if TYPE_CHECKING:
    from pathlib import Path


def build(seed: int) -> Agent:
    agent: Agent = DEFECTS[""](Config(), seed)
    return agent


def forgetful(seed: int) -> Agent:
    agent: Agent = DEFECTS["loses its target"](Config(), seed)
    return agent


def learn(agent: Agent) -> None:
    agent.explore()


def save(agent: Agent, path: Path) -> None:
    agent.save(path)


def load(agent: Agent, path: Path) -> Agent:
    agent.load(path)
    return agent


def act(agent: Agent, observation: Any) -> Any:
    return agent.predict(observation)


def observations() -> st.SearchStrategy[Any]:
    return st.tuples(st.floats(-1, 1, width=32), st.floats(-1, 1, width=32))


FOUR: dict[str, Any] = {"build": build, "learn": learn, "save": save, "load": load}


def check(**options: Any) -> Report:
    return check_agent(**{**FOUR, "examples": 3, "seed": 0, "shrink": False, **options})


class Few:
    """As a person writes it who reads only the first paragraph."""

    def build(self, seed: int) -> Agent:
        return build(seed)

    def learn(self, agent: Agent) -> None:
        agent.explore()

    def save(self, agent: Agent, path: Path) -> None:
        agent.save(path)

    def load(self, agent: Agent, path: Path) -> Agent:
        agent.load(path)
        return agent


# -- verdicts ----------------------------------------------------------------------------------------------


def test_four_functions_are_enough_for_a_verdict() -> None:
    report = check()
    assert report.ok
    assert report.adapter == "test_completing"
    counts = report.counts()
    assert counts[Verdict.PASSED] > 20
    assert set(counts) <= {Verdict.PASSED, Verdict.NOT_APPLICABLE}


def test_what_four_functions_lose_is_found() -> None:
    report = check(build=forgetful, level="training")
    assert [loss.path for loss in report.lost] == ["agent.net_target"]
    assert "adapter.build(seed=" in report.result("targets_survive_reload").program
    assert "adapter.learn(agent)" in report.result("targets_survive_reload").program
    assert "config" not in report.result("targets_survive_reload").program


def test_an_adapter_with_four_methods_is_checked_alike() -> None:
    options: dict[str, Any] = {"level": "training", "examples": 3, "seed": 0}
    one, other = check_agent(Few(), **options), check(level="training")
    assert one.adapter == "Few"
    assert [result.verdict for result in one.results] == [result.verdict for result in other.results]


def test_actions_are_compared_where_the_adapter_acts() -> None:
    named: dict[str, Any] = {"checks": ["actions_survive_reload"]}
    without = check(**named).result("actions_survive_reload")
    assert (without.verdict, without.sentence) == (
        Verdict.NOT_APPLICABLE,
        "the adapter has no act(agent, observation)",
    )
    assert check(**named, act=act, observations=observations).result("actions_survive_reload").verdict is (
        Verdict.PASSED
    )


def test_no_program_acts_where_the_adapter_does_not() -> None:
    bare = of_functions(FOUR)
    whole = of_functions({**FOUR, "act": act, "observations": observations})
    steps = [
        [step for program in draw(one, closed_loop=False, seed=0, examples=8) for step in program.steps]
        for one in (bare, whole)
    ]
    assert not any(isinstance(step, Act) for step in steps[0])
    assert any(isinstance(step, Act) for step in steps[1])


def test_the_report_says_what_would_have_told_more_and_why() -> None:
    (told,) = check(checks=["targets_survive_reload"]).not_run
    for member, reason in {
        "advance(agent, steps)": "the replay buffer",
        "act(agent, observation) and observations(config)": "actions",
        "batches(config)": "inputs",
        "configs()": "architectures",
        "variants(config)": "hyper-parameters",
    }.items():
        assert f"add {member}" in told
        assert reason in told
    assert check_agent(adapters.Tiny(), checks=["targets_survive_reload"], examples=1).not_run == ()


def test_a_quick_call_asks_what_is_cheap_and_says_what_it_left_out() -> None:
    report = check_agent(adapters.Tiny("loses its counter"), quick=True, seed=0, shrink=False)
    assert report.result("counters_survive_reload").verdict is Verdict.FAILED
    assert max(result.drawn for result in report.results) == 3
    asked = {result.check for result in report.results}
    left = {one.name for one in select("resume")} - asked
    assert left == {one.name for one in all_checks().values() if one.cost > 1 and one.level <= Level.RESUME}
    (told,) = report.not_run
    assert told.startswith("A quick run: few examples; not asked: ")
    assert all(name in told for name in left)
    assert told in first_screen(report)
    assert report.to_dict()["not_run"] == [told]


def test_less_is_said_to_who_asks_for_less() -> None:
    (told,) = check(level="protocol").not_run
    assert "advance" not in told
    assert "act(" not in told


def test_a_suite_of_four_functions_has_tests_by_its_name() -> None:
    suite: Any = conformance_suite(Few(), level="weights")
    marks = suite.test_actions_survive_reload.pytestmark
    (adapter,) = (parameter for mark in marks if mark.name == "parametrize" for parameter in mark.args[1])
    assert adapter.id == "Few"
    assert isinstance(adapter.values[0], Completed)


def test_a_machine_of_four_functions_runs() -> None:
    machine = checkpoint_machine(Few())  # type: ignore[arg-type]
    run_state_machine_as_test(machine, settings=_few_examples())


def _few_examples() -> Any:
    from hypothesis import settings

    return settings(max_examples=3, stateful_step_count=6, deadline=None, database=None)


# -- completing --------------------------------------------------------------------------------------------


def test_a_whole_adapter_is_left_as_it_is() -> None:
    adapter = adapters.Tiny()
    assert complete(adapter) is adapter  # type: ignore[comparison-overlap]
    completed = complete(Few())
    assert isinstance(completed, Completed)
    assert complete(completed) is completed


def test_a_completed_adapter_pickles_and_has_what_it_was_given() -> None:
    adapter = pickle.loads(pickle.dumps(of_functions({**FOUR, "time_limit": 7})))
    validate_adapter(adapter)
    assert (adapter.name, adapter.time_limit) == ("test_completing", 7)
    assert isinstance(adapter.build(None, 3), Agent)
    assert not hasattr(adapter, "act")
    assert not hasattr(adapter, "advance")


def test_without_a_seed_the_global_generators_decide() -> None:
    adapter = of_functions({**FOUR, "build": lambda: (torch.rand(1).item(), random.random())})
    assert adapter.build(None, 1) == adapter.build(None, 1)
    assert adapter.build(None, 1) != adapter.build(None, 2)


def test_a_load_of_a_path_alone_makes_a_new_agent(tmp_path: Path) -> None:
    adapter = of_functions({**FOUR, "load": lambda path: load(build(5), path)})
    driver = Driver(adapter)
    agent = driver.build(None, 0)
    driver.save(agent, tmp_path)
    restored = driver.load(driver.build(None, 1), tmp_path)
    assert torch.equal(restored.net.weight, agent.net.weight)


@pytest.mark.parametrize("member", ["load", "learn"])
def test_what_plain_functions_raise_after_a_reload_is_the_agents_failure(member: str, tmp_path: Path) -> None:
    """They are its own saving and training, and not an adapter's help."""

    def raises(agent: Agent, batch: Any = None) -> None:
        raise KeyError("critic")

    def raises_at(agent: Agent, path: Path) -> None:
        raises(agent)

    driver = Driver(of_functions({**FOUR, "learn": raises, "load": raises_at}))
    agent = driver.build(None, 0)
    driver.save(agent, tmp_path)
    with pytest.raises(CheckFailure, match=rf"{member}\(\) raised KeyError: 'critic'"):
        driver._call(member, agent, tmp_path, reloaded=True)
    with pytest.raises(AdapterError, match=rf"{member}\(\) raised KeyError: 'critic'"):
        driver._call(member, agent, tmp_path)


def test_the_methods_of_a_few_are_an_adapters(tmp_path: Path) -> None:
    class Typo(Few):
        def load(self, agent: Agent, path: Path) -> Agent:
            agent.laod(path)  # type: ignore[attr-defined]
            return agent

    driver = Driver(Typo())  # type: ignore[arg-type]
    with pytest.raises(AdapterError, match="laod"):
        driver._call("load", driver.build(None, 0), tmp_path, reloaded=True)


# -- refusals ----------------------------------------------------------------------------------------------


def without(member: str) -> Any:
    return SimpleNamespace(**{name: one for name, one in FOUR.items() if name != member}, name="mine")


def observes(agent: Agent, observation: Any) -> int:
    return 1


def takes_a_batch(agent: Agent, batch: Any) -> None:
    raise NotImplementedError


def takes_a_spec(spec: Any, seed: int) -> None:
    raise NotImplementedError


@pytest.mark.parametrize("member", FOUR)
def test_each_of_the_four_is_needed(member: str) -> None:
    with pytest.raises(AdapterError, match=rf"^the adapter 'mine' has no {member}\(\); add: def {member}\("):
        check_agent(without(member))
    with pytest.raises(AdapterError, match=rf" has no {member}\(\); four functions are needed"):
        check_agent(**{name: one for name, one in FOUR.items() if name != member})


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"act": observes}, r"act\(\) at test_completing.py:\d+ takes an observation, but there is no obs"),
        ({"learn": takes_a_batch}, r"learn\(\) at test_completing.py:\d+ takes a batch, but there is no bat"),
        ({"build": takes_a_spec}, r"build\(\) at test_completing.py:\d+ takes a config under another name"),
        ({"save": learn}, r"save\(agent\) at test_completing.py:\d+ is not how the suite calls it"),
        ({"volatile": ["agent.x"]}, r"has volatile = \['agent.x'\]; give a reason for each path"),
        ({"volatile": {"agent.x": None}}, "give a reason for each path"),
        ({"name": "a/b"}, r"the adapter 'a/b' has '/' in its name.*; write name = \"a-b\""),
        ({"name": ""}, "has name = ''; write a text"),
    ],
)
def test_a_mistake_is_one_sentence(more: dict[str, Any], message: str) -> None:
    with pytest.raises(AdapterError, match=message) as caught:
        check(**more)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "check_agent() needs an adapter, or the functions build, learn, save and load"),
        (
            {"adapter": Few(), "act": act},
            "check_agent() has an adapter, and act besides; give one",
        ),
        (
            {"adapter": Few(), "exampels": 3},
            "check_agent() has no argument 'exampels'; did you mean 'examp",
        ),
        ({**FOUR, "advnce": act}, "check_agent() has no argument 'advnce'; did you mean 'advance'?"),
    ],
)
def test_a_wrong_call_is_one_sentence(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_agent(**arguments)
    assert str(caught.value).startswith(message)

# SPDX-License-Identifier: MIT
"""One check becomes one verdict: passed, failed, inconclusive, not applicable or error, with a reason."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import adapters
import pytest
import torch
from adapters import Tiny
from hypothesis import settings
from run_options import run_one

from verification.checks.registry import Check, all_checks
from verification.counterexamples.store import FailureStore, read
from verification.engine.global_rng import global_states
from verification.errors import AdapterError, CheckFailure, Inconclusive, NotApplicable
from verification.levels import Level
from verification.report.model import Result, Verdict
from verification.running.drawing import ALIKE, check_settings
from verification.running.judging import Tally, judge
from verification.state import Difference, compare, take

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from verification.engine.experiment import Experiment

    Made = Callable[..., Check]


def run(check: str, adapter: Any, *, examples: int = 4, seed: int = 0) -> Result:
    return run_one(adapter, check, examples=examples, seed=seed)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """Makes a check that is in the registry for this test only."""

    def make(function: Callable[[Experiment], None], **options: Any) -> Check:
        check = Check("made_for_a_test", Level.PROTOCOL, function, **options)
        monkeypatch.setitem(all_checks(), check.name, check)
        return check

    return make


# -- verdicts ----------------------------------------------------------------------------------------------


def test_a_correct_agent_passes_with_every_example_counted() -> None:
    result = run("next_steps_survive_reload", Tiny())
    assert (result.verdict, result.sentence, result.differences) == (Verdict.PASSED, "", ())
    assert result.examples == result.drawn == 4
    assert result.level == "training"
    assert result.promise == all_checks()["next_steps_survive_reload"].promise


def test_a_failure_names_the_leaf_first_and_a_short_program() -> None:
    result = run("counters_survive_reload", Tiny("loses its counter"), examples=10)
    assert result.verdict is Verdict.FAILED
    assert result.paths[0] == "agent.total_it"
    assert re.fullmatch(r"agent\.total_it expected \d, got 0", result.differences[0])
    assert result.failure.splitlines() == [result.sentence, f"  {result.differences[0]}"]
    assert result.program.startswith("config = Config(gain=")
    assert "adapter.save(agent, path)" in result.program


@pytest.mark.parametrize("seed", range(2))
def test_a_nondeterministic_agent_is_inconclusive_and_never_failed(seed: int) -> None:
    for check in ("runs_are_repeatable", "optimizer_state_survives_reload", "next_steps_survive_reload"):
        result = run(check, Tiny("is nondeterministic"), seed=seed)
        assert result.verdict in {Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE}, check
        assert result.failure == ""
    assert "agent.net." in run("runs_are_repeatable", Tiny("is nondeterministic")).sentence


@pytest.mark.parametrize(
    ("adapter", "check", "sentence"),
    [
        (adapters.LearnHasATypo(), "runs_are_repeatable", "learn() raised AttributeError"),
        (adapters.LoadHasATypo(), "loading_restores_something", "load() raised AttributeError"),
        (
            adapters.LoadReturnsNothing(),
            "loading_restores_something",
            "load() returned None; return the restored agent",
        ),
        (adapters.BuildReturnsNothing(), "runs_are_repeatable", "build() returned None; return the agent"),
        (adapters.NoSave(), "runs_are_repeatable", "has no save(); add: def save(self, agent, path)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Tiny) else None,
)
def test_a_mistake_of_the_adapter_is_an_error(adapter: Any, check: str, sentence: str) -> None:
    result = run(check, adapter)
    assert result.verdict is Verdict.ERROR
    assert sentence in result.sentence


def test_an_agent_that_raises_has_failed() -> None:
    saves, loads = Tiny("save raises"), Tiny("load raises")
    assert run("saving_writes_a_checkpoint", saves).verdict is Verdict.FAILED
    assert run("loading_restores_something", loads).verdict is Verdict.FAILED
    assert "KeyError: 'actor_cnn_state_dict'" in run("loading_restores_something", loads).sentence


def test_what_no_example_can_tell_does_not_apply() -> None:
    class NoGenerators(Tiny):
        volatile = {"agent.noise": "for this test"}  # noqa: RUF012

    result = run("generators_survive_reload", NoGenerators())
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert result.sentence == "none of 4 examples had anything to compare"
    assert (result.examples, result.drawn) == (0, 4)


def test_an_agent_that_never_learns_fails_because_nothing_counted() -> None:
    result = run("training_changes_the_agent", Tiny("never learns"))
    assert result.verdict is Verdict.FAILED
    assert result.sentence == "training changed no weight in any example"


@pytest.mark.parametrize(
    ("outcome", "verdict", "sentence"),
    [
        (CheckFailure("it broke"), Verdict.FAILED, "it broke"),
        (Inconclusive("two runs differ"), Verdict.INCONCLUSIVE, "two runs differ"),
        (NotApplicable("no process"), Verdict.NOT_APPLICABLE, "no process"),
        (AdapterError("build() returned None"), Verdict.ERROR, "build() returned None"),
        (ZeroDivisionError("by zero"), Verdict.ERROR, "ZeroDivisionError: by zero"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_outcome_has_its_verdict(
    outcome: Exception, verdict: Verdict, sentence: str, made: Made
) -> None:
    result = judge(made(lambda _: None), Tally(drawn=3, counted=3), outcome, 0.5)
    assert result.verdict is verdict
    assert result.sentence.startswith(sentence)


def test_a_crash_of_the_suite_itself_is_an_error_and_not_a_pass(made: Made) -> None:
    def crashes(experiment: Experiment) -> None:
        raise IndexError("a bug of ours")

    result = run_one(Tiny(), made(crashes), examples=3, seed=0)
    assert (result.verdict, result.sentence) == (Verdict.ERROR, "IndexError: a bug of ours")


def test_a_failure_that_does_not_repeat_is_inconclusive_and_kept(tmp_path: Path, made: Made) -> None:
    runs: list[None] = []

    def fails_once(experiment: Experiment) -> None:
        experiment.counted = True
        runs.append(None)
        if len(runs) == 1:
            experiment.fail("it broke")

    store = FailureStore(tmp_path, "tests:Tiny")
    result = run_one(Tiny(), made(fails_once), examples=3, seed=0, store=store)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.sentence == "it failed, and passed when it was repeated: it broke"
    assert [one.id for one in read(tmp_path)[0]] == [result.replay]


def test_a_failure_keeps_its_leaves(made: Made) -> None:
    failure = CheckFailure("it broke", [Difference("agent.x", "value", "1", "2")], "agent = ...")
    result = judge(made(lambda _: None), Tally(), failure, 0.0)
    assert (result.paths, result.program) == (("agent.x",), "agent = ...")


# -- examples ----------------------------------------------------------------------------------------------


def test_one_seed_draws_the_same_programs_and_another_seed_others(made: Made) -> None:
    def programs(seed: int) -> list[str]:
        seen = []
        check = made(lambda experiment: seen.append(experiment.program.describe()))
        run_one(Tiny(), check, examples=5, seed=seed)
        return seen

    assert programs(1) == programs(1)
    assert programs(1) != programs(2)


def test_dear_checks_get_fewer_examples_and_profiles_are_respected(made: Made) -> None:
    check = made(lambda _: None)
    dear = made(lambda _: None, cost=10)
    assert check_settings(check, 30).max_examples == 30 + ALIKE
    assert check_settings(dear, 30).max_examples == 3 + ALIKE
    assert check_settings(dear, 5).max_examples == 1 + ALIKE
    parent = settings(max_examples=200, derandomize=True, database=None)
    settings.register_profile("of this test", parent)
    before = settings.get_current_profile_name()
    try:
        settings.load_profile("of this test")
        inherited = check_settings(check, None)
    finally:
        settings.load_profile(before)
    assert inherited.max_examples == 40 + ALIKE
    assert inherited.derandomize
    assert inherited.deadline is None
    assert not inherited.report_multiple_bugs


def test_a_run_leaves_global_generators_and_threads_alone() -> None:
    threads = torch.get_num_threads()
    before = take({name: state for name, state in global_states().items() if name != "random"})
    run("resume_equals_uninterrupted", Tiny(), examples=2)
    after = take({name: state for name, state in global_states().items() if name != "random"})
    assert compare(before, after) == []
    assert torch.get_num_threads() == threads


# -- a new process -----------------------------------------------------------------------------------------


def test_a_correct_agent_resumes_in_a_new_process() -> None:
    result = run("a_new_process_resumes_the_same", Tiny())
    assert (result.verdict, result.sentence) == (Verdict.PASSED, "")
    assert result.examples == 1


def test_an_adapter_that_does_not_pickle_cannot_be_asked_about_new_processes() -> None:
    class Local(Tiny):
        pass

    result = run("a_new_process_resumes_the_same", Local())
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert "Local cannot be sent to another process" in result.sentence
    assert "define it at a module's top level" in result.sentence

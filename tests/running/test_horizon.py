# SPDX-License-Identifier: MIT
"""A loss that begins late is found within the horizon, and the report says how far that was."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from adapters import Tiny
from rich.console import Console
from run_options import run_one

from verification import AdapterError, Report, Result, UsageError, Verdict, check_agent
from verification.engine.reduction import Reduction
from verification.program import HORIZON, Act, Advance, Learn, Program, Repeat, trained
from verification.report.as_json import as_json
from verification.report.html import html
from verification.report.junit import junit
from verification.report.markdown import markdown
from verification.report.opening import looked
from verification.report.text import render

if TYPE_CHECKING:
    from pathlib import Path

    from agents import Agent, Config

COUNTERS = "counters_survive_reload"


class Late(Tiny):
    """Counts its updates in a window: what is beyond that a load forgets."""

    def __init__(self, window: int, **members: Any) -> None:
        super().__init__()
        self.window = window
        vars(self).update(members)

    def load(self, agent: Agent, path: Path) -> Agent:
        agent.load(path)
        agent.total_it = min(agent.total_it, self.window)
        return agent


def ask(adapter: Tiny, seed: int, horizon: int | None = None) -> Result:
    """What the check of counters alone says, with as many examples as by default."""
    return run_one(adapter, COUNTERS, examples=20, seed=seed, shrink=False, horizon=horizon)


@pytest.mark.parametrize("seed", range(5))
def test_a_loss_that_begins_after_8_steps_is_found(seed: int) -> None:
    result = ask(Late(8), seed)
    assert (result.verdict, result.paths) == (Verdict.FAILED, ("agent.total_it",))


@pytest.mark.parametrize("seed", range(5))
def test_a_loss_that_begins_after_20_steps_is_found_within_a_larger_horizon(seed: int) -> None:
    result = ask(Late(20), seed, horizon=24)
    assert (result.verdict, result.paths) == (Verdict.FAILED, ("agent.total_it",))


def test_what_begins_beyond_the_horizon_is_not_seen_and_the_adapter_can_move_it() -> None:
    assert ask(Late(20), 0).verdict is Verdict.PASSED
    assert ask(Late(20, horizon=24), 0).verdict is Verdict.FAILED
    assert ask(Late(20, horizon=24), 0, horizon=12).verdict is Verdict.PASSED  # who asks decides


@pytest.mark.parametrize("step", [Repeat((1.0, 1.0), 40), Advance(40)])
def test_the_smallest_program_takes_no_more_steps_than_it_needs(step: Repeat | Advance) -> None:
    long = Program(
        config=None,
        receiver_config=None,
        seed=0,
        receiver_seed=1,
        steps=(Act((1.0, 1.0)), step, step, Learn((1.0, 1.0))),
        cuts=(1, 3),
        receiver_steps=(),
        probe=(1.0, 1.0),
        entropy=0,
    )
    search = Reduction(long, lambda one: trained(one.steps[: one.cuts[-1]]) >= 9, seconds=60)
    smallest = search.run(Tiny())
    assert len(smallest.steps) == 2
    assert trained(smallest.steps[:1]) == 9
    assert not search.ran_out


def test_a_failure_counts_the_updates_and_not_the_steps_of_its_program() -> None:
    result = ask(Late(8), 0)
    number = int(result.sentence.removeprefix("counters saved after ").split()[0])
    assert 9 <= number <= 12 + 6


class Stays(Tiny):
    """Holds its seed, which no load brings back and nothing reads."""

    def build(self, config: Config, seed: int) -> Agent:
        agent = super().build(config, seed)
        agent.seed = seed  # type: ignore[attr-defined]
        return agent


@pytest.mark.parametrize("horizon", [3, 12, 30])
def test_what_is_undecided_is_looked_at_for_so_many_steps_after_the_load(horizon: int) -> None:
    result = run_one(Stays(), "hyper_parameters_survive_reload", examples=2, horizon=horizon)
    (note,) = result.notes
    steps = int(note.reason.split(" steps")[0].split()[-1])
    assert horizon < steps <= horizon + 7


def test_an_agent_is_looked_at_again_with_a_larger_horizon() -> None:
    adapter = Stays()
    reports = [
        check_agent(adapter, checks=["hyper_parameters_survive_reload"], examples=2, seed=0, horizon=horizon)
        for horizon in (3, 30)
    ]
    first, second = [note.reason for report in reports for note in report.notes]
    assert first != second
    assert [report.horizon for report in reports] == [3, 30]


# -- what the report says ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "own", "told"), [(None, None, 12), (None, 7, 7), (24, 7, 24), (1, None, 1)]
)
def test_every_form_of_the_report_says_how_far_was_looked(
    given: int | None, own: int | None, told: int
) -> None:
    members = {} if own is None else {"horizon": own}
    report = check_agent(
        Late(99, **members), checks=["saving_writes_a_checkpoint"], examples=1, horizon=given
    )
    assert report.horizon == told
    sentence = f"Looked {told} {'step' if told == 1 else 'steps'} far: "
    assert looked(report).startswith(sentence)
    data = json.loads(as_json(report))
    assert data["horizon"] == told
    assert data["looked"] == looked(report)
    console = Console(file=io.StringIO(), width=500)
    render(report, console, command="verify check")
    assert isinstance(console.file, io.StringIO)
    for text in (console.file.getvalue(), html(report), markdown(report), junit(report)):
        assert sentence in text


def test_nothing_is_said_of_a_run_without_examples() -> None:
    assert looked(Report("mine", "resume", (), 1, {})) == ""
    assert Report("mine", "resume", (), 1, {}).horizon == HORIZON


# -- what is no horizon ------------------------------------------------------------------------------------


@pytest.mark.parametrize("horizon", [0, -1, 2.5, "12", None, True])
def test_a_horizon_is_a_number_of_steps(horizon: Any) -> None:
    with pytest.raises(AdapterError, match=r"'tiny' has horizon = .*; give the number of steps, at least 1"):
        check_agent(Late(8, horizon=horizon))


def test_a_caller_cannot_look_less_than_a_step_far() -> None:
    with pytest.raises(UsageError, match="horizon is 0; give a number of steps from 1 on"):
        check_agent(Tiny(), horizon=0)

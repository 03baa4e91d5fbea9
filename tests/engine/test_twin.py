# SPDX-License-Identifier: MIT
"""Beside a run that is never saved, one that is saved and loaded goes on alike, or is told what it lost."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from forgetful import Forgetful, KeepsItsOwn

from verification.engine.twin import Twin
from verification.errors import CheckFailure
from verification.program import Act, Learn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def adds_bonus(agent: Any, batch: int) -> None:
    agent.total += batch * agent.bonus


def seeded(seed: int) -> int:
    return 10 * seed


@pytest.fixture
def twin(tmp_path: Path) -> Callable[..., Twin]:
    def make(lost: str = "", update: Any = adds_bonus, kind: Any = Forgetful, **start: Any) -> Twin:
        adapter = kind({"bonus": seeded, **start}, update, lost)
        return Twin(adapter, tmp_path, config=None, seed=1, receiver_config=None, receiver_seed=2, entropy=5)

    return make


def test_an_agent_that_comes_back_whole_goes_on_alike(twin: Any) -> None:
    pair = twin()
    pair.step(Learn(3))
    assert pair.save() == 0
    pair.step(Learn(4))
    assert pair.save() == 1
    pair.load(1)
    pair.step(Learn(5))
    pair.step(Act(None))
    assert pair.history == [Learn(3), Learn(4), Learn(5), Act(None)]


def test_what_is_lost_parts_them_at_the_first_step_that_reads_it(twin: Any) -> None:
    pair = twin("bonus")
    pair.step(Learn(3))
    pair.load(pair.save())
    pair.step(Act(None))
    with pytest.raises(CheckFailure, match="this step parts the run that is saved") as caught:
        pair.step(Learn(4))
    assert "since agent.bonus came back different" in str(caught.value)
    assert "agent.total expected 71, got 111" in str(caught.value)


def test_what_nothing_reads_may_be_lost(twin: Any) -> None:
    pair = twin("spare", spare=seeded)
    pair.step(Learn(3))
    pair.load(pair.save())
    pair.step(Learn(4))


def test_an_action_parts_them_too(twin: Any) -> None:
    pair = twin("total", update=lambda *_: None)
    pair.load(pair.save())
    with pytest.raises(CheckFailure, match="this step parts") as caught:
        pair.step(Act(None))
    assert "action expected 1.0, got 2.0" in str(caught.value)


def test_an_older_checkpoint_leads_both_back(twin: Any) -> None:
    pair = twin()
    pair.step(Learn(3))
    pair.save()
    pair.step(Learn(4))
    pair.step(Learn(5))
    pair.load(0)
    assert pair.history == [Learn(3)]
    pair.step(Learn(6))
    assert pair.history == [Learn(3), Learn(6)]


def test_a_used_receiver_has_a_past(twin: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += batch + len(agent.seen)
        agent.seen = [*agent.seen, batch]

    pair = twin(update=update, kind=KeepsItsOwn, seen=lambda _: [])
    for batch in (3, 4):
        pair.step(Learn(batch))
    number = pair.save()
    pair.load(number)
    pair.step(Learn(5))
    pair.load(number, used=True)
    with pytest.raises(CheckFailure, match=r"since agent\.seen"):
        pair.step(Learn(5))


def test_what_saving_changes_is_told(twin: Any) -> None:
    class StepsWhenSaved(Forgetful):
        def save(self, agent: Any, path: Path) -> None:
            super().save(agent, path)
            agent.bonus += 1

    pair = twin(kind=StepsWhenSaved)
    pair.save()
    with pytest.raises(CheckFailure, match=r"since agent\.bonus"):
        pair.step(Learn(1))


def test_what_two_runs_differ_in_anyway_is_set_aside(twin: Any) -> None:
    numbers = itertools.count()

    def update(agent: Any, batch: int) -> None:
        agent.total += batch
        agent.stamp = next(numbers)

    pair = twin(update=update, stamp=0)
    pair.step(Learn(1))
    pair.load(pair.save())
    pair.step(Learn(2))


def test_a_script_does_the_same_again(twin: Any) -> None:
    pair = twin()
    pair.step(Learn(3))
    pair.load(pair.save(), used=True)
    lines = pair.script().splitlines()
    assert lines[-3:] == ["twin.step(Learn(batch=3))", "twin.save()", "twin.load(0, used=True)"]
    assert "    entropy=5," in lines
    assert "from verification.engine.twin import Twin" in lines


def test_a_value_without_a_form_as_source_is_shown_as_it_is_printed(twin: Any) -> None:
    class Batch(int):
        def __repr__(self) -> str:
            return "<a batch of 3>"

    pair = twin()
    pair.step(Learn(Batch(3)))
    assert pair.script().splitlines()[-1] == "twin.step(Learn(batch=<a batch of 3>))"


class Pickles(Forgetful):
    """It says how it is made."""

    def __reduce__(self) -> Any:
        return pickled, (" ".join(self.lost),)


def pickled(lost: str) -> Pickles:
    return Pickles({"bonus": seeded}, adds_bonus, lost)


@pytest.mark.parametrize(
    ("kind", "line", "name"),
    [(Forgetful, "Forgetful()", "Forgetful"), (Pickles, "pickled('bonus')", "pickled")],
)
def test_a_script_makes_the_adapter_as_it_pickles_if_it_says_so(
    kind: type[Forgetful], line: str, name: str, twin: Any
) -> None:
    lines = twin("bonus", kind=kind).script().splitlines()
    assert f"    {line}," in lines
    assert [one for one in lines if one.endswith(f" import {name}")]


def test_the_process_does_not_notice(twin: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += random.random()
        np.seterr(under="raise")

    pair = twin(update=update)
    before = random.getstate(), np.geterr()
    pair.step(Learn(1))
    pair.load(pair.save())
    pair.step(Learn(1))
    assert (random.getstate(), np.geterr()) == before

# SPDX-License-Identifier: MIT
"""Harmless changes: nobody is blamed for what has no consequence, and a difference is noted."""

from __future__ import annotations

import pickle

import pytest

from verification.errors import UsageError
from verification.mutants.harmless import changed, harmless_changes
from verification.mutants.spared import choose, spare

# Two programs each, of which one chooses an action; `verify mutants --harmless` asks about every change in
# every agent.
AGENTS = ("cloning", "dqn")


@pytest.mark.parametrize("number", range(len(harmless_changes())))
def test_a_harmless_change_is_noted_and_nobody_is_blamed(number: int) -> None:
    change = [*harmless_changes()][number]
    row = spare(AGENTS[number % len(AGENTS)], change, seed=0, examples=2)
    assert row.ok, f"{row.agent} with {change}: {row}"


def test_there_are_as_many_ideas_as_promised() -> None:
    assert len(harmless_changes()) >= 40


def test_a_change_is_planted_again_in_another_process() -> None:
    adapter = pickle.loads(pickle.dumps(changed("dqn", "clock")))
    assert adapter.name == "dqn-clock"


def test_an_unknown_change_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean"):
        choose(["clokc"])

# SPDX-License-Identifier: MIT
"""The kill matrix: exactly which checks fail for which planted bug."""

from __future__ import annotations

import functools

import pytest

from verification.adapters.find import load_adapter
from verification.checks.registry import all_checks
from verification.levels import Level
from verification.mutants.causes import accused, explained
from verification.mutants.hunt import Drawn, draw_programs, hunt, level_of
from verification.mutants.matrix import WRITTEN_SEED
from verification.mutants.model import mutants, planted


@functools.cache
def programs_of(agent: str) -> Drawn:
    """What the default settings draw for a correct agent, and so for its mutants."""
    return draw_programs(load_adapter(agent), seed=WRITTEN_SEED)


# What happens to files takes processes of its own; see test_durable.py and test_portable.py.
RESUMED = [name for name, mutant in mutants().items() if level_of(mutant) < Level.DURABLE]


# As the command asks: where warnings are errors, torch's about schedules without steps would kill, too.
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", RESUMED)
def test_a_mutant_is_killed_by_exactly_its_checks_and_nothing_but_its_piece_is_named(name: str) -> None:
    mutant = mutants()[name]
    level = max(level_of(mutant), Level.RESUME)
    kill = hunt(planted(name), programs_of(mutant.agent), level=level, wanted=mutant.killed_by)
    assert kill.checks == mutant.killed_by
    named = [*kill.lost, *kill.leaves] or [""]
    assert any(mutant.leaf in name for name in named), named
    assert not accused(mutant, kill.lost)


def test_what_is_accused_besides_is_said_of_mutants_that_exist() -> None:
    assert explained() <= mutants().keys()
    counter = mutants()["total_it_lost"]
    assert accused(counter, ["agent.total_it", "agent.critic"]) == ("agent.critic",)


def test_every_check_has_a_mutant_that_it_kills_first() -> None:
    assert set(all_checks()) == {mutant.killed_by[0] for mutant in mutants().values()}

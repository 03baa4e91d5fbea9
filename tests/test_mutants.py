# SPDX-License-Identifier: MIT
"""The suite bites: every planted bug is found by the check that is meant for it, and its leaf is named."""

from __future__ import annotations

import pytest

from verification import Verdict, check_agent
from verification.mutants.model import mutants, planted
from verification.registry import all_checks

# Experiments a check, where 8 are not enough: a swap needs equal CNNs, and new processes are fewer.
EXAMPLES = {"cnns_swapped": 20, "moments_in_the_order_of_a_set": 15}


@pytest.mark.parametrize("name", mutants())
def test_a_mutant_is_killed_first_by_its_check_and_its_leaf_is_named(name: str) -> None:
    mutant = mutants()[name]
    examples = EXAMPLES.get(name, 8)
    report = check_agent(planted(name), checks=mutant.killed_by[:1], examples=examples, seed=0, shrink=False)
    verdicts = {result.check: result.verdict for result in report.results}
    told = [
        check
        for check, verdict in verdicts.items()
        if verdict not in (Verdict.PASSED, Verdict.NOT_APPLICABLE)
    ]
    assert told[:1] == [mutant.killed_by[0]], report.summary()
    result = report.result(mutant.killed_by[0])
    if name == "training_is_not_repeatable":
        assert result.verdict is Verdict.INCONCLUSIVE
    else:
        assert result.verdict is Verdict.FAILED
    if mutant.leaf:
        assert any(mutant.leaf in path for path in result.paths), result.failure


def test_every_check_has_a_mutant_that_it_kills_first() -> None:
    assert set(all_checks()) == {mutant.killed_by[0] for mutant in mutants().values()}


def test_a_lost_counter_is_found_although_the_save_may_fall_on_an_even_update() -> None:
    """With a delay of two updates, a counter lost after an even number of them changes no later update."""
    adapter = planted("total_it_lost")
    report = check_agent(adapter, checks=["counters_survive_reload"], examples=8, seed=1)
    result = report.result("counters_survive_reload")
    assert result.verdict is Verdict.FAILED
    assert "agent.total_it" in result.paths

# SPDX-License-Identifier: MIT
"""td3_core keeps every promise up to level ``resume``, and is never blamed."""

from __future__ import annotations

import pytest

from verification import Verdict, check_agent, conformance_suite
from verification.adapters.td3_core import TD3Core
from verification.checks.registry import select
from verification.levels import Level

TestConformance = conformance_suite(TD3Core(), level="resume", examples=3)


@pytest.mark.parametrize("seed", range(10))
def test_a_correct_agent_is_never_blamed(seed: int) -> None:
    checks = [
        one.name for one in select(Level.RESUME) if one.name != "a_new_process_resumes_the_same"
    ]  # seconds each
    # The first of three programs is the simplest one, whatever the seed.
    report = check_agent(TD3Core(), checks=checks, examples=3, seed=seed)
    blamed = {
        result.check: result.failure or result.sentence
        for result in report.results
        if result.verdict not in (Verdict.PASSED, Verdict.NOT_APPLICABLE)
    }
    assert blamed == {}


def test_no_check_passes_without_anything_to_compare() -> None:
    report = check_agent(TD3Core(), level="resume", examples=6, seed=0)
    empty = {result.check: str(result.verdict) for result in report.results if result.examples == 0}
    assert empty == {"loading_keeps_what_is_the_callers": "not_applicable"}  # nothing is, in this agent
    assert report.ok

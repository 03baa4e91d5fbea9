# SPDX-License-Identifier: MIT
"""The specimens keep every promise up to level ``resume``: the suite blames none of them."""

from __future__ import annotations

import pytest

from verification import Verdict, check_agent
from verification.adapters.find import load_adapter
from verification.checks.registry import select
from verification.levels import Level
from verification.specimens import SPECIMENS

GOOD = (Verdict.PASSED, Verdict.NOT_APPLICABLE)


@pytest.mark.parametrize("name", SPECIMENS)
def test_a_specimen_is_never_blamed(name: str) -> None:
    report = check_agent(load_adapter(name), examples=4, seed=0, shrink=False)
    assert all(result.verdict in GOOD for result in report.results), report.summary()
    report.require(18)


@pytest.mark.parametrize("name", SPECIMENS)
def test_a_specimen_is_not_blamed_on_other_programs(name: str) -> None:
    checks = [
        check.name for check in select(Level.RESUME) if check.name != "a_new_process_resumes_the_same"
    ]  # seconds each
    report = check_agent(load_adapter(name), checks=checks, examples=2, seed=1, shrink=False)
    assert all(result.verdict in GOOD for result in report.results), report.summary()

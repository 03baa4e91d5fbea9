# SPDX-License-Identifier: MIT
"""The specimens keep every promise up to level ``resume``: the suite blames none of them."""

from __future__ import annotations

import pytest

from verification import Verdict, check_agent
from verification.registry import all_checks
from verification.specimens import SPECIMENS
from verification.targets import load_adapter

# Starting a process takes seconds, so one example of it must do.
DEAR = "a_new_process_resumes_the_same"
GOOD = (Verdict.PASSED, Verdict.NOT_APPLICABLE)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", SPECIMENS)
def test_a_specimen_is_never_blamed(name: str, seed: int) -> None:
    checks = [check for check in all_checks() if check != DEAR]
    report = check_agent(load_adapter(name), checks=checks, examples=2, seed=seed, shrink=False)
    assert all(result.verdict in GOOD for result in report.results), report.summary()


@pytest.mark.parametrize("name", SPECIMENS)
def test_a_specimen_resumes_in_a_new_process(name: str) -> None:
    report = check_agent(load_adapter(name), checks=[DEAR], examples=1, seed=2, shrink=False)
    assert all(result.verdict in GOOD for result in report.results), report.summary()
    assert report.result(DEAR).verdict is Verdict.PASSED, report.summary()

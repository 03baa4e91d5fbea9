# SPDX-License-Identifier: MIT
"""The suite's verdicts on other people's libraries; test_third_party_by_hand.py confirms them without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from verification import Report, Verdict, adapters, check_agent
from verification.adapters.find import load_adapter
from verification.expected_failures.entries import load_expected
from verification.report.verdicts import mark_expected

_ADAPTERS = Path(adapters.__file__).parent
_GOOD = (Verdict.PASSED, Verdict.NOT_APPLICABLE, Verdict.BLOCKED)


def _report(name: str, level: str) -> Report:
    return check_agent(load_adapter(name), level=level, examples=3, seed=1, shrink=False)


def _failures(report: Report) -> dict[str, Verdict]:
    return {result.check: result.verdict for result in report.results if result.verdict not in _GOOD}


def _all_excused(report: Report) -> bool:
    """Whether the adapter's file of expected failures names what fails, and nothing else that was asked."""
    expected = load_expected(_ADAPTERS / f"{report.adapter}.toml")
    marked = {result.check: result.verdict for result in mark_expected(report.results, expected)}
    named = marked.keys() & {*_failures(report), *expected}
    return all(marked[name] is Verdict.XFAILED for name in named)


def test_stable_baselines3_keeps_what_updates_need_and_loses_its_place_in_the_environment() -> None:
    pytest.importorskip("stable_baselines3")
    report = _report("stable_baselines3", "resume")
    assert _failures(report) == {
        "generators_survive_reload": Verdict.FAILED,
        "every_leaf_survives_reload": Verdict.FAILED,
        "resume_equals_uninterrupted": Verdict.FAILED,
    }
    assert _all_excused(report)
    names = [loss.name for loss in report.lost]
    assert "agent._last_obs" in names
    assert any(name.startswith("agent.env") for name in names)
    report.require(17)


def test_tianshou_loses_its_place_in_the_policy_delay_and_its_schedules() -> None:
    pytest.importorskip("tianshou")
    report = _report("tianshou", "training")
    assert _failures(report) == {
        "counters_survive_reload": Verdict.FAILED,
        "schedules_survive_reload": Verdict.FAILED,
    }
    assert _all_excused(report)
    assert "agent._cnt" in report.result("counters_survive_reload").paths
    assert any("lr_schedulers" in path for path in report.result("schedules_survive_reload").paths)
    for kept in ("online_networks", "targets", "optimizer_state"):
        check = next(result.check for result in report.results if result.check.startswith(kept))
        assert report.result(check).verdict is Verdict.PASSED

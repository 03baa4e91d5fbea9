# SPDX-License-Identifier: MIT
"""A plain call without pytest: levels, prerequisites, expected failures, progress, and the report."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import adapters
import pytest
from adapters import Tiny

import verification
from verification import AdapterError, Level, Report, UsageError, Verdict, check_agent
from verification.checks.registry import prerequisites, select

if TYPE_CHECKING:
    from pathlib import Path

COUNTERS = "counters_survive_reload"


def check(defect: str = "", *, level: str = "training", **options: Any) -> Report:
    return check_agent(Tiny(defect), level=level, **{"examples": 3, "seed": 1, **options})


def verdicts(report: Report) -> dict[str, Verdict]:
    return {result.check: result.verdict for result in report.results}


def test_a_correct_agent_is_conformant() -> None:
    report = check()
    assert report.ok
    passed = len(select("training")) - 1
    assert report.summary() == f"tiny at level training: {passed} passed, 1 not applicable"  # callers
    assert str(report) == report.summary()
    assert [result.check for result in report.results] == [one.name for one in select("training")]
    assert report.require(10) is report
    assert report.environment["torch"]


def test_lost_state_is_one_failure_that_names_it_and_hides_nothing_behind_it() -> None:
    report = check("loses its counter")
    found = verdicts(report)
    assert not report.ok
    assert [name for name, verdict in found.items() if verdict is Verdict.FAILED] == [COUNTERS]
    assert report.result(COUNTERS).paths == ("agent.total_it",)
    assert [loss.name for loss in report.lost] == ["agent.total_it"]
    # With the counter put back, what follows is as it was.
    assert found["next_steps_survive_reload"] is Verdict.PASSED
    assert Verdict.BLOCKED not in found.values()


def test_a_nondeterministic_agent_is_inconclusive_never_failed() -> None:
    report = check("is nondeterministic")
    assert not report.ok
    found = verdicts(report)
    assert found["runs_are_repeatable"] is Verdict.INCONCLUSIVE
    assert Verdict.FAILED not in found.values()
    assert int(report.exit_code) == 3


def test_an_adapter_with_a_bug_is_an_error_that_names_the_member() -> None:
    report = check_agent(adapters.LearnHasATypo(), level="protocol", examples=2, seed=0)
    (first, *_) = report.results
    assert first.verdict is Verdict.ERROR
    assert first.sentence.startswith("the adapter 'tiny': learn() raised AttributeError")
    assert int(report.exit_code) == 1


def test_named_checks_run_with_their_prerequisites_only() -> None:
    report = check(checks=["targets_survive_reload"])
    assert {result.check for result in report.results} == {
        "targets_survive_reload",
        *prerequisites("targets_survive_reload"),
    }


def test_a_seed_repeats_a_run_and_is_chosen_if_not_given() -> None:
    class Remembers(Tiny):
        def build(self, config: Any, seed: int) -> Any:
            built.append((config, seed))
            return super().build(config, seed)

    def run(seed: int | None) -> tuple[int, list[Any]]:
        built.clear()
        report = check_agent(Remembers(), checks=["runs_are_repeatable"], examples=5, seed=seed)
        return report.seed, list(built)

    built: list[Any] = []
    seed, agents = run(None)
    assert run(seed) == (seed, agents)
    assert run(None) != (seed, agents)


def test_an_expected_failure_is_excused_and_put_back() -> None:
    report = check("loses its counter", expected_failures={COUNTERS: "issue 7"})
    assert report.ok
    assert report.result(COUNTERS).verdict is Verdict.XFAILED
    assert "issue 7" in report.result(COUNTERS).sentence
    assert report.result("next_steps_survive_reload").verdict is Verdict.PASSED


def test_an_unexpected_pass_is_stale_and_fails() -> None:
    report = check(checks=[COUNTERS], expected_failures={COUNTERS: "issue 7"})
    assert not report.ok
    assert report.result(COUNTERS).verdict is Verdict.STALE
    assert int(report.exit_code) == 1


def test_an_expired_entry_excuses_nothing_and_says_so() -> None:
    known = {COUNTERS: {"reason": "issue 7", "expires": "2025-01-31"}}
    result = check("loses its counter", checks=[COUNTERS], expected_failures=known).result(COUNTERS)
    assert result.verdict is Verdict.FAILED
    assert result.sentence.endswith("[it was excused until 2025-01-31, which has expired: issue 7]")
    assert check(checks=[COUNTERS], expected_failures=known).ok


def test_an_expected_failure_is_not_shrunk() -> None:
    class Counts(Tiny):
        built = 0

        def build(self, config: Any, seed: int) -> Any:
            self.built += 1
            return super().build(config, seed)

    def built(**options: Any) -> int:
        adapter = Counts("loses its counter")
        report = check_agent(adapter, checks=[COUNTERS], examples=3, seed=1, **options)
        assert not report.result("training_changes_the_agent").failure
        return adapter.built

    assert built(expected_failures={COUNTERS: "issue 7"}) == built(shrink=False) < built()


def test_progress_is_told_when_a_check_is_first_asked_and_when_it_has_ended() -> None:
    told: list[tuple[str, str]] = []
    check(
        level="protocol",
        progress=lambda one, result: told.append((one.name, str(result.verdict) if result else "")),
    )
    names = [one.name for one in select("protocol")]
    assert told == [(name, said) for said in ("", "passed") for name in names]


def test_levels_are_given_by_name_or_as_members() -> None:
    assert check_agent(Tiny(), level=Level.PROTOCOL, examples=1).level == "protocol"
    assert check_agent(Tiny(), level="Protocol", examples=1).level == "protocol"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "resum"}, "there is no level 'resum'; did you mean 'resume'"),
        (
            {"checks": ["counter_survives"]},
            "there is no check 'counter_survives'; did you mean",
        ),
        ({"expected_failures": {"nothing": "x"}}, "expected failures name 'nothing', which is no check"),
        ({"expected_failures": "nowhere.toml"}, "cannot read the expected failures in nowhere.toml"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_runs(options: dict[str, Any], message: str) -> None:
    calls: list[object] = []
    with pytest.raises(UsageError) as caught:
        check(**{**options, "progress": lambda *said: calls.append(said)})
    assert str(caught.value).startswith(message)
    assert calls == []


@pytest.mark.parametrize("adapter", [Tiny, adapters.NoSave(), Tiny(name="")])
def test_an_incomplete_adapter_is_refused_at_once(adapter: Any) -> None:
    with pytest.raises(AdapterError):
        check_agent(adapter, level="protocol", examples=1)


def test_public_names_are_loaded_on_first_use(tmp_path: Path) -> None:
    assert set(verification.__all__) <= set(dir(verification))
    assert all(getattr(verification, name) is not None for name in verification.__all__)
    with pytest.raises(AttributeError, match="no attribute 'check_agnt'"):
        verification.check_agnt  # noqa: B018
    code = "import sys, verification; print('torch' in sys.modules, 'hypothesis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]

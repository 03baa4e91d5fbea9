# SPDX-License-Identifier: MIT
"""One line makes pytest tests of an adapter: ids, selection, statistics, expected failures."""

from __future__ import annotations

import json
import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import adapters
import hypothesis.core
import pytest
from adapters import Tiny

from verification import AdapterError, UsageError, check_agent, conformance_suite
from verification.checks.registry import select
from verification.pytest_plugin import PROPERTY
from verification.running.drawing import ALIKE

pytest_plugins = ["pytester"]

# A checkout that is not installed has no entry point.
INSTALLED = "verification.pytest_plugin" in {one.value for one in entry_points(group="pytest11")}
PLUGIN = [] if INSTALLED else ["-p", "verification.pytest_plugin"]
ARGUMENTS = [*PLUGIN, "-p", "no:cacheprovider", "-p", "no:randomly", "--hypothesis-seed=0"]
COUNTERS = "counters_survive_reload"


@pytest.fixture(scope="module", autouse=True)
def _everything_is_imported() -> None:
    """What is first imported by an inner run is forgotten behind it, and torch cannot be imported twice."""
    check_agent(Tiny(), examples=1, checks=["resume_equals_uninterrupted"])


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project of its own, in which the hand-made adapters can be imported."""
    monkeypatch.setattr(
        hypothesis.core, "global_force_seed", None
    )  # the option sets it for the whole process
    paths = [str(Path(adapters.__file__).parent), str(Path(__file__).parents[2])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")]))
    return pytester


def suite(project: pytest.Pytester, *definitions: str) -> None:
    lines = ["from adapters import *", "from verification import conformance_suite"]
    project.makepyfile(test_mine="\n".join([*lines, *definitions]))


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_inprocess(*ARGUMENTS, *arguments)


def results(project: pytest.Pytester, *arguments: str) -> dict[str, dict[str, Any]]:
    """The results that tests attach to their reports, by the end of the test's id."""
    found = {}
    record = project.inline_run(*ARGUMENTS, *arguments)
    for report in record.getreports("pytest_runtest_logreport"):
        if report.when == "teardown":
            name = report.nodeid.partition("::")[2]
            found[name] = json.loads(dict(report.user_properties)[PROPERTY])
    return found


# -- tests like any other ----------------------------------------------------------------------------------


def test_ids_name_class_check_and_adapter(project: pytest.Pytester) -> None:
    suite(project, "TestConformance = conformance_suite(Tiny())")
    listed = run(project, "--collect-only", "-q").outlines
    wanted = [f"test_mine.py::TestConformance::test_{one.name}[tiny]" for one in select("resume")]
    assert [line for line in listed if "::" in line] == wanted


def test_the_name_given_to_the_class_is_the_name_of_the_class(project: pytest.Pytester) -> None:
    suite(project, "TestCheckpoints = conformance_suite(Tiny(name='my_td3'), level='protocol')")
    listed = run(project, "--collect-only", "-q").outlines
    assert "test_mine.py::TestCheckpoints::test_runs_are_repeatable[my_td3]" in listed


def test_a_correct_agent_passes_and_the_summary_counts_verdicts(project: pytest.Pytester) -> None:
    suite(project, "TestConformance = conformance_suite(Tiny(), level='protocol', examples=2)")
    result = run(project)
    result.assert_outcomes(passed=len(select("protocol")))
    result.stdout.fnmatch_lines(["*= conformance =*", f"{len(select('protocol'))} passed"])


def test_selection_by_keyword_and_by_id(project: pytest.Pytester) -> None:
    suite(project, "TestConformance = conformance_suite(Tiny(), examples=1)")
    run(project, "-k", "repeatable or writes").assert_outcomes(passed=2, deselected=len(select("resume")) - 2)
    run(project, "test_mine.py::TestConformance::test_modes_survive_reload[tiny]").assert_outcomes(passed=1)


def test_statistics_show_what_was_reached(project: pytest.Pytester) -> None:
    suite(project, "TestConformance = conformance_suite(Tiny(), level='protocol', examples=5)")
    result = run(project, "--hypothesis-show-statistics", "-k", "repeatable")
    result.stdout.fnmatch_lines(
        [
            "test_mine.py::TestConformance::test_runs_are_repeatable?tiny?:",
            f"*{5 + ALIKE} passing, 0 failing*",
            "*cut after training steps*",
        ]
    )


def test_the_number_of_examples_follows_the_active_profile(project: pytest.Pytester) -> None:
    suite(
        project,
        "import hypothesis",
        "hypothesis.settings.register_profile('many', max_examples=15, database=None)",
        "before = hypothesis.settings.get_current_profile_name()",
        "hypothesis.settings.load_profile('many')",
        "TestConformance = conformance_suite(Tiny())",
        "hypothesis.settings.load_profile(before)",
    )
    (result,) = results(project, "-k", "repeatable").values()
    assert (result["drawn"], result["examples"]) == (3, 3)


def test_methods_have_the_promise_as_their_docstring() -> None:
    made = conformance_suite(Tiny(), level="protocol")
    for one in select("protocol"):
        assert getattr(made, f"test_{one.name}").__doc__ == one.promise


# -- failures ----------------------------------------------------------------------------------------------


def test_a_failure_names_the_leaf_and_is_told_once(project: pytest.Pytester) -> None:
    suite(
        project,
        "TestConformance = conformance_suite(Tiny('loses its counter'), level='training', examples=5)",
    )
    result = run(project, "-rf")
    checks = select("training")
    result.assert_outcomes(failed=1, skipped=1, passed=len(checks) - 2)  # nothing is the caller's
    result.stdout.fnmatch_lines(
        [
            "*CheckFailure: counters saved after * step* came back different*",
            "*agent.total_it expected *, got *",
        ]
    )
    result.stdout.fnmatch_lines([f"{len(checks) - 2} passed, 1 not_applicable, 1 failed"])
    result.stdout.fnmatch_lines([f"FAILED test_mine.py::TestConformance::test_{COUNTERS}?tiny?*"])


def test_the_failing_program_is_printed(project: pytest.Pytester) -> None:
    suite(project, f"TestConformance = conformance_suite(Tiny('loses its counter'), checks=['{COUNTERS}'])")
    run(project, "-k", COUNTERS).stdout.fnmatch_lines(["*agent = adapter.build(*", "*adapter.learn(agent, *"])


def test_nothing_to_compare_is_skipped_and_says_so(project: pytest.Pytester) -> None:
    suite(
        project,
        "class Quiet(Tiny):",
        "    volatile = {'agent.noise': 'for this test'}",
        "TestConformance = conformance_suite(Quiet(), examples=3)",
    )
    result = run(project, "-rs", "-k", "generators_survive_reload")
    result.assert_outcomes(skipped=1, deselected=len(select("resume")) - 1)
    result.stdout.fnmatch_lines(["1 not_applicable", "SKIPPED*none of 3 examples had anything to compare"])


def test_an_agent_that_never_learns_fails_although_nothing_raised(project: pytest.Pytester) -> None:
    suite(project, "TestConformance = conformance_suite(Tiny('never learns'), level='protocol', examples=2)")
    result = run(project)
    result.stdout.fnmatch_lines(["*CheckFailure: training changed no weight in any example"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1, passed=2, skipped=3)


def test_a_nondeterministic_agent_is_inconclusive_and_not_failed(project: pytest.Pytester) -> None:
    suite(
        project,
        "TestConformance = conformance_suite(Tiny('is nondeterministic'), level='weights', examples=3)",
    )
    found = results(project)
    verdicts = [result["verdict"] for result in found.values()]
    assert verdicts[0] == "inconclusive"
    assert "failed" not in verdicts
    assert verdicts.count("blocked") >= len(verdicts) - 3


def test_a_mistake_of_the_adapter_is_an_error_even_where_a_failure_is_expected(
    project: pytest.Pytester,
) -> None:
    suite(
        project,
        "known = {'runs_are_repeatable': 'for this test'}",
        "adapter = LearnHasATypo()",
        "TestConformance = conformance_suite(adapter, level='protocol', examples=2, expected_failures=known)",
    )
    result = run(project, "-k", "repeatable")
    result.assert_outcomes(failed=1, deselected=len(select("protocol")) - 1)
    result.stdout.fnmatch_lines(
        ["*AdapterError: the adapter 'tiny': learn() raised AttributeError*", "1 error"]
    )


# -- expected failures -------------------------------------------------------------------------------------


def test_an_expected_failure_is_xfailed_and_what_follows_is_asked(project: pytest.Pytester) -> None:
    project.makefile(".toml", known=f'[expected_failures]\n{COUNTERS} = "issue 7"\n')
    suite(
        project,
        "TestConformance = conformance_suite(",
        f"    Tiny('loses its counter'), checks=['{COUNTERS}', 'next_steps_survive_reload'], examples=5,",
        "    expected_failures='known.toml')",
    )
    result = run(project, "-rx")
    assert result.ret == pytest.ExitCode.OK
    outcomes = result.parseoutcomes()
    assert (outcomes["xfailed"], outcomes.get("skipped", 0)) == (1, 0)
    result.stdout.fnmatch_lines([f"XFAIL*test_{COUNTERS}?tiny? - issue 7"])


def test_an_expected_failure_of_a_check_that_nothing_counted_for_is_xfailed(project: pytest.Pytester) -> None:
    suite(
        project,
        "known = {'training_changes_the_agent': 'a stub'}",
        "adapter = Tiny('never learns')",
        "TestConformance = conformance_suite(adapter, level='protocol', examples=2, expected_failures=known)",
    )
    result = run(project)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(xfailed=1, passed=2, skipped=3)


def test_verdicts_on_expected_failures_are_those_of_a_plain_call(project: pytest.Pytester) -> None:
    suite(
        project,
        "old = {'reason': 'issue 7', 'expires': '2025-01-31'}",
        f"new = {{'{COUNTERS}': 'issue 7', 'targets_survive_reload': 'issue 8',",
        "    'schedules_survive_reload': {'reason': 'for this test', 'torch': '<2'}}",
        "options = {'checks': list(new), 'examples': 12}",
        "adapter = Tiny('loses its counter')",
        "TestNew = conformance_suite(adapter, expected_failures=new, **options)",
        f"TestOld = conformance_suite(adapter, expected_failures={{'{COUNTERS}': old}}, **options)",
    )
    found = {name: result["verdict"] for name, result in results(project).items()}
    assert found[f"TestNew::test_{COUNTERS}[tiny]"] == "xfailed"
    assert found["TestNew::test_targets_survive_reload[tiny]"] == "stale"
    assert found["TestNew::test_schedules_survive_reload[tiny]"] == "passed"
    assert found[f"TestOld::test_{COUNTERS}[tiny]"] == "failed"
    told = run(project, "-k", f"TestOld and {COUNTERS}")
    told.stdout.fnmatch_lines(["*[[]it was excused until 2025-01-31, which has expired: issue 7]"])


def test_an_unexpected_pass_fails(project: pytest.Pytester) -> None:
    suite(
        project,
        "known = {'runs_are_repeatable': 'issue 8'}",
        "TestConformance = conformance_suite(Tiny(), level='protocol', examples=2, expected_failures=known)",
    )
    result = run(project, "-k", "repeatable")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*XPASS(strict)*issue 8*"])


# -- failures that are kept --------------------------------------------------------------------------------


def test_a_kept_failure_comes_first_and_is_forgotten_once_it_passes(project: pytest.Pytester) -> None:
    def found(defect: str) -> dict[str, Any]:
        suite(
            project,
            "from verification import FailureStore",
            "store = FailureStore('kept', 'adapters:Tiny')",
            f"options = {{'checks': ['{COUNTERS}'], 'examples': 6, 'store': store}}",
            f"TestConformance = conformance_suite(Tiny({defect!r}), **options)",
        )
        (one,) = results(project, "-k", COUNTERS).values()
        return one

    def kept() -> list[str]:
        return [file.stem for file in project.path.glob("kept/*.failure")]

    first = found("loses its counter")
    assert (first["verdict"], first["remembered"], kept()) == ("failed", False, [first["replay"]])
    again = found("loses its counter")
    assert (again["verdict"], again["remembered"], kept()) == ("failed", True, [first["replay"]])
    assert (again["drawn"], again["program"]) == (1, first["program"])
    assert found("")["verdict"] == "passed"
    assert kept() == []


# -- several ---------------------------------------------------------------------------------------------


def test_adapters_of_one_class_are_judged_apart(project: pytest.Pytester) -> None:
    suite(
        project,
        "TestConformance = conformance_suite(",
        "    Tiny('loses its counter', 'bad'), Tiny('', 'good'),",
        f"    checks=['{COUNTERS}', 'next_steps_survive_reload'], examples=5)",
    )
    found = results(project)
    verdicts = {name.partition("::test_")[2]: result["verdict"] for name, result in found.items()}
    assert verdicts[f"{COUNTERS}[bad]"] == "failed"
    assert verdicts["next_steps_survive_reload[bad]"] == "passed"  # the counter is put back, and told once
    assert {verdict for name, verdict in verdicts.items() if name.endswith("[good]")} == {"passed"}


def test_classes_of_one_module_are_judged_apart(project: pytest.Pytester) -> None:
    suite(
        project,
        "def made(defect):",
        "    return conformance_suite(Tiny(defect), checks=['loading_restores_something'], examples=2)",
        "TestBad, TestGood = made('load raises'), made('')",
        "class TestChild(TestGood): pass",
    )
    found = {
        name: result["verdict"] for name, result in results(project, "-k", "TestBad or TestGood").items()
    }
    assert found["TestBad::test_loading_restores_something[tiny]"] == "failed"
    assert {verdict for name, verdict in found.items() if "Good" in name} == {"passed"}
    assert len(found) == 8


def counts(result: pytest.RunResult) -> dict[str, int]:
    """The numbers of the plugin's section, by verdict."""
    lines = result.stdout.lines
    summary = lines[next(index for index, line in enumerate(lines) if "= conformance =" in line) + 1]
    return {verdict: int(number) for number, verdict in (one.split() for one in summary.split(", "))}


def test_verdicts_reach_the_summary_from_other_workers(project: pytest.Pytester) -> None:
    suite(project, "TestConformance = conformance_suite(Tiny('load raises'), level='protocol', examples=2)")
    result = project.runpytest_subprocess(*ARGUMENTS, "-n", "2", "--dist=loadscope", timeout=300)
    result.assert_outcomes(failed=1, passed=3, skipped=2)
    assert counts(result) == {"passed": 3, "failed": 1, "blocked": 2}


def test_without_its_prerequisites_a_check_is_judged_by_what_it_sees(project: pytest.Pytester) -> None:
    """Another worker may be at work on them: each failure is one, and none becomes a pass."""
    suite(project, "TestConformance = conformance_suite(Tiny('load raises'), level='protocol', examples=2)")
    result = project.runpytest_subprocess(*ARGUMENTS, "-n", "2", "--dist=load", timeout=300)
    found = counts(result)
    assert found.pop("passed") == 3
    assert found.pop("failed") + found.pop("blocked", 0) == 3
    assert found == {}


def test_without_the_plugin_no_test_passes(project: pytest.Pytester) -> None:
    suite(project, "TestConformance = conformance_suite(Tiny(), level='protocol', examples=1)")
    result = project.runpytest_inprocess("-p", "no:td3-verification", *ARGUMENTS[len(PLUGIN) :])
    result.assert_outcomes(failed=len(select("protocol")))
    result.stdout.fnmatch_lines(
        ["*UsageError: the plugin * is not loaded; run pytest with -p verification.*"]
    )


# -- wrong arguments ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((), {}, UsageError, "conformance_suite() needs at least one adapter"),
        ((Tiny(), Tiny()), {}, UsageError, "adapters need different names, not tiny, tiny"),
        ((Tiny(),), {"level": "resum"}, UsageError, "there is no level 'resum'"),
        ((Tiny(),), {"checks": ["nothing"]}, UsageError, "there is no check 'nothing'"),
        ((Tiny(),), {"expected_failures": {"nothing": "x"}}, UsageError, "expected failures name 'nothing'"),
        ((Tiny(),), {"expected_failures": "nowhere.toml"}, UsageError, "cannot read the expected failures"),
        ((Tiny,), {}, AdapterError, "Tiny is a class; pass an instance: Tiny()"),
        ((adapters.NoSave(),), {}, AdapterError, "the adapter 'tiny' has no save(); add: "),
    ],
)
def test_a_wrong_argument_is_refused_when_the_class_is_made(
    arguments: Any, options: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        conformance_suite(*arguments, **options)
    assert str(caught.value).startswith(message)

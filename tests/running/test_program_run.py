# SPDX-License-Identifier: MIT
"""Checks come behind what they build on, none behind a failure; each reports what no other has."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from adapters import LearnHasATypo, Tiny

from verification.checks.registry import all_checks, earlier, prerequisites, select
from verification.engine.experiment import Experiment
from verification.engine.inventory import Inventory
from verification.errors import AdapterError
from verification.report.model import Verdict
from verification.running.drawing import draw, examples_of
from verification.running.history import History
from verification.running.program_run import run_on_program, turns

if TYPE_CHECKING:
    from verification.checks.registry import Check
    from verification.running.check_run import CheckRun
    from verification.running.program_run import Known

COUNTERS = "counters_survive_reload"


def run_check(adapter: Tiny, checks: list[Check], known: Known | None = None) -> list[CheckRun]:
    """What checks say about one program."""
    with tempfile.TemporaryDirectory() as folder:
        experiments = {}
        for kind in (False, True):
            (program,) = draw(adapter, closed_loop=kind, seed=1, examples=1)
            directory = Path(folder, str(kind))
            directory.mkdir()
            experiments[kind] = Experiment(adapter, program, directory, closed_loop=kind)
        known = known or History(checks, 1).known
        return list(run_on_program(checks, known, lambda check: experiments[check.closed_loop]))


def test_checks_are_listed_behind_all_that_go_before_them() -> None:
    names = list(all_checks())
    for number, name in enumerate(names):
        assert earlier(name) <= set(names[:number])


def test_each_check_is_run_once_in_their_order() -> None:
    checks = select("weights")
    runs = run_check(Tiny(), checks)
    assert [run.check for run in runs] == [check.name for check in checks]
    assert all(run.counted and run.outcome is None for run in runs)


def test_what_needs_a_failed_check_is_not_asked() -> None:
    runs = run_check(Tiny("load raises"), select("training"))
    assert runs[-1].outcome is None  # it needs no load
    failed = [run.check for run in runs if run.failure]
    assert failed == ["loading_restores_something"]
    assert not any(failed[0] in prerequisites(run.check) for run in runs)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_what_failed_with_another_program_blocks_here_too(verdict: Verdict) -> None:
    checks = select("protocol")
    known = History(checks, 1).known
    first, *others = [check.name for check in checks]
    known = type(known)({**known.verdicts, first: verdict}, {first: ()}, known.inventories, known.programs)
    blocking = verdict in {Verdict.FAILED, Verdict.XFAILED, Verdict.ERROR, Verdict.INCONCLUSIVE}
    asked = [name for name in others if not (blocking and first in prerequisites(name))]
    assert [run.check for run in run_check(Tiny(), checks[1:], known)] == asked
    assert [check.name for check in checks if known.wants(check, 0)] == asked


def test_a_loss_is_told_by_the_first_that_may_and_put_back_for_the_others() -> None:
    runs = {run.check: run for run in run_check(Tiny("loses its counter"), select("training"))}
    assert [name for name, run in runs.items() if run.failure] == [COUNTERS]
    assert runs[COUNTERS].lost == ("agent.total_it",)
    assert runs["next_steps_survive_reload"].reported == ("agent.total_it",)


def test_what_needs_a_check_to_count_waits_until_it_has() -> None:
    runs = run_check(Tiny("never learns"), select("protocol"))
    assert [run.check for run in runs] == [
        "runs_are_repeatable",
        "saving_writes_a_checkpoint",
        "training_changes_the_agent",
    ]


def test_what_no_experiment_can_be_made_for_is_an_error_of_each_check() -> None:
    def nothing(_: Check) -> Experiment:
        raise AdapterError("configs() can draw nothing")

    checks = select("protocol")
    runs = list(run_on_program(checks, History(checks, 1).known, nothing))
    assert {str(run.outcome) for run in runs} == {"configs() can draw nothing"}
    assert len(runs) == 2  # the others need them


def test_runs_hold_nothing_of_an_experiment() -> None:
    for adapter in (Tiny("loses its counter"), LearnHasATypo()):
        for run in run_check(adapter, select("training")):
            if run.outcome is not None:
                assert run.outcome.__traceback__ is None
                assert run.outcome.__cause__ is None
                assert run.outcome.__context__ is None


def test_a_crash_becomes_what_another_process_knows() -> None:
    class OfThisTestError(Exception):
        pass

    def crashes(_: Check) -> Experiment:
        raise OfThisTestError("by zero")

    checks = select("protocol")[:1]
    (run,) = run_on_program(checks, History(checks, 1).known, crashes)
    assert (type(run.outcome), str(run.outcome)) == (AdapterError, "OfThisTestError: by zero")


@pytest.mark.parametrize("programs", [1, 2, 3, 7, 20, 23])
def test_a_dear_check_is_asked_about_fewer_programs_and_one_at_least(programs: int) -> None:
    for check in all_checks().values():
        asked = turns(check, programs)
        assert len(asked) == examples_of(check, programs)
        assert set(asked) <= set(range(programs))
    assert list(turns(select("protocol")[0], 0)) == []


def test_an_inventory_learns_what_a_copy_of_it_has_learned() -> None:
    runs = History(select("protocol"), 1)
    known = runs.known.inventories[False]
    copy = known.copy()
    assert not copy.wants("agent.x", used=False, times=0, reach=9)
    assert known == Inventory()
    known.learn(copy.since(Inventory()))
    assert known.wants("agent.x", used=False, times=2, reach=9)
    assert not known.wants("agent.x", used=False, times=2, reach=9)

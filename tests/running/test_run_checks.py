# SPDX-License-Identifier: MIT
"""A run goes through the programs, not through the checks: what is wrong shows at once, nothing piles up."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from adapters import LearnHasATypo, Tiny

from verification.checks.registry import Check, all_checks, select
from verification.counterexamples.store import FailureStore, read
from verification.engine import experiment
from verification.engine.experiment import Experiment
from verification.expected_failures.entries import Expectation
from verification.processes.pool import ThisProcess
from verification.processes.time_limits import LastWords
from verification.processes.worker import WorkerDied
from verification.report.model import Result, Verdict
from verification.running.drawing import examples_of, names_drawn
from verification.running.jobs import RunOptions
from verification.running.rounds import Listener
from verification.running.run_checks import Interrupted, run_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from verification.running.check_run import CheckRun

COUNTERS = "counters_survive_reload"
DEAR = "a_new_process_resumes_the_same"


class Remembers(Listener):
    """What it has heard, in its order."""

    def __init__(self) -> None:
        self.runs: list[CheckRun] = []
        self.results: list[Result] = []

    def ran(self, check: Check, run: CheckRun) -> None:
        assert check.name == run.check
        self.runs.append(run)

    def ended(self, check: Check, result: Result) -> None:
        assert check.name == result.check
        self.results.append(result)


def run(
    adapter: Any,
    checks: Sequence[Check],
    *,
    examples: int = 3,
    executor: Executor | None = None,
    at_once: int | None = 1,
    **options: Any,
) -> tuple[list[Result], Remembers]:
    heard = Remembers()
    results = run_checks(
        lambda: adapter,
        checks,
        RunOptions(1, examples, **options),
        expected={},
        executor=executor or ThisProcess(),
        at_once=at_once,
        listener=heard,
    )
    return results, heard


# -- breadth first -----------------------------------------------------------------------------------------


def test_every_check_is_run_on_the_first_program_before_any_is_on_the_second() -> None:
    checks = select("training")
    _, heard = run(Tiny(), checks)
    names = [run.check for run in heard.runs]
    callers = "loading_keeps_what_is_the_callers"  # does not apply, so that once is enough
    again = [check.name for check in checks if check.name != callers]
    assert names == [check.name for check in checks] + 2 * again
    assert [result.check for result in heard.results] == [check.name for check in checks]


def test_a_check_that_has_failed_is_run_no_more_and_the_others_are() -> None:
    results, heard = run(Tiny("loses its counter"), select("training"), shrink=False)
    named = [run.check for run in heard.runs]
    assert named.count(COUNTERS) == 1
    assert named.count("next_steps_survive_reload") == 3
    (failed,) = [result for result in results if result.verdict is Verdict.FAILED]
    assert (failed.check, failed.drawn) == (COUNTERS, 1)


def test_each_check_counts_as_many_examples_as_it_is_to_be_run_on() -> None:
    checks = [check for check in select("resume") if check.name != DEAR]  # seconds each
    results, _ = run(Tiny(), checks, examples=5)
    for check, result in zip(checks, results, strict=True):
        wanted = 1 if result.verdict is Verdict.NOT_APPLICABLE else examples_of(check, 5)
        assert result.drawn == wanted, check.name


def test_no_experiment_outlives_its_program(monkeypatch: pytest.MonkeyPatch) -> None:
    made: weakref.WeakSet[Experiment] = weakref.WeakSet()
    alive: list[int] = []
    begin = Experiment.__init__

    def remember(self: Experiment, *arguments: Any, **options: Any) -> None:
        gc.collect()
        alive.append(len(made))
        begin(self, *arguments, **options)
        made.add(self)

    monkeypatch.setattr(experiment.Experiment, "__init__", remember)
    checks = [check for check in select("resume") if check.name != DEAR]
    gc.freeze()  # what is there already, torch's objects by the hundred thousand, is not looked at each time
    try:
        results, _ = run(Tiny("loses its counter"), checks, examples=4, shrink=False)
        gc.collect()
    finally:
        gc.unfreeze()
    assert len(results) == len(checks)
    assert max(alive) <= 2  # on given batches, and in closed loop
    assert len(made) == 0


def test_what_had_to_wait_for_a_check_to_count_is_made_up_for() -> None:
    counted: list[bool] = []

    def counts_late(one: Experiment) -> None:
        one.counted = len(counted) > 1
        counted.append(one.counted)

    training = all_checks()["training_changes_the_agent"]
    late = dataclasses.replace(training, function=counts_late)
    checks = [late if check.name == late.name else check for check in select("protocol")]
    results, heard = run(Tiny(), checks, examples=4)
    assert {(str(result.verdict), result.drawn) for result in results} == {("passed", 4)}
    names = [run.check for run in heard.runs]
    assert names[: names.index("loading_restores_something")].count(late.name) == 3


# -- the same for any number of workers --------------------------------------------------------------------


@pytest.mark.parametrize("defect", ["", "loses its noise", "hides in deque", "drifts", "is nondeterministic"])
def test_many_at_once_come_to_the_same_as_one(defect: str) -> None:
    checks = [check for check in select("resume") if check.name != DEAR]
    one, _ = run(Tiny(defect), checks, examples=7, shrink=False)
    with ThreadPoolExecutor(5) as threads:
        many, _ = run(Tiny(defect), checks, examples=7, shrink=False, executor=threads, at_once=None)
    if defect == "is nondeterministic":  # whose numbers differ
        assert [result.verdict for result in one] == [result.verdict for result in many]
    else:
        assert [timeless(result) for result in one] == [timeless(result) for result in many]


def timeless(result: Result) -> Result:
    return dataclasses.replace(result, seconds=0.0)


def test_the_first_program_is_run_alone_and_then_ever_more_at_once() -> None:
    class Counts(Executor):
        def __init__(self) -> None:
            self.waiting: list[Future[Any]] = []
            self.most: list[int] = []

        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            undone = [one for one in self.waiting if not one.done()]
            self.most.append(len(undone))
            self.waiting.append(threads.submit(fn, *args, **kwargs))
            return self.waiting[-1]

    with ThreadPoolExecutor(1) as threads:
        executor = Counts()
        run(Tiny(), select("protocol"), examples=12, executor=executor, at_once=None)
    assert executor.most[:2] == [0, 0]
    assert len(executor.most) == 12
    assert max(executor.most) >= 4


# -- what ends it ------------------------------------------------------------------------------------------


class _Gone(BaseException):
    """The end of a process."""


class Mortal(ThisProcess):
    """Its process ends where an agent says so, and another takes its place."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        try:
            return super().submit(fn, *args, **kwargs)
        except _Gone:
            future: Future[Any] = Future()
            future.set_exception(WorkerDied(LastWords("the adapter 'tiny': act()", 60.0)))
            return future


class Ends(Tiny):
    """Ends its process, or the run, when a loaded agent acts, the given time."""

    def __init__(self, by: type[BaseException], time: int = 1) -> None:
        super().__init__()
        self.by = by
        self.left = time
        self.loaded: weakref.WeakSet[Any] = weakref.WeakSet()

    def load(self, agent: Any, path: Path) -> Any:
        self.loaded.add(agent)
        return super().load(agent, path)

    def act(self, agent: Any, observation: Any) -> Any:
        if agent in self.loaded:
            self.left -= 1
            if not self.left:
                raise self.by
        return super().act(agent, observation)


def test_a_worker_that_dies_ends_the_check_that_it_was_running_and_no_other() -> None:
    results, heard = run(Ends(_Gone), select("weights"), executor=Mortal(), examples=3)
    found = {result.check: result for result in results}
    error = found.pop("actions_survive_reload")
    assert (error.verdict, error.drawn) == (Verdict.ERROR, 1)
    assert error.sentence == "the adapter 'tiny': act() was running when its process died"
    assert {(result.verdict, result.drawn) for result in found.values()} == {(Verdict.PASSED, 3)}
    assert len(heard.runs) == 3 * len(found) + 1


def test_what_was_run_until_an_interruption_is_known() -> None:
    checks = select("training")
    with pytest.raises(Interrupted) as caught:
        run(Ends(KeyboardInterrupt), checks, examples=3)
    results = {result.check: result for result in caught.value.results}
    assert list(results) == [check.name for check in select("protocol")] + ["online_networks_survive_reload"]
    assert {(result.verdict, result.examples, result.drawn) for result in results.values()} == {
        (Verdict.PASSED, 1, 1)
    }


class GivesUp(Listener):
    """Is interrupted when the first verdict is known, behind the last check."""

    def ended(self, check: Check, result: Result) -> None:
        raise KeyboardInterrupt


def test_an_interruption_behind_the_last_check_loses_no_result() -> None:
    checks, options = select("protocol"), RunOptions(1, 2)
    with pytest.raises(Interrupted) as caught:
        run_checks(Tiny, checks, options, expected={}, executor=ThisProcess(), listener=GivesUp())
    assert [(one.check, one.drawn) for one in caught.value.results] == [(check.name, 2) for check in checks]


def test_a_check_in_the_middle_of_its_examples_is_known_after_an_interruption() -> None:
    checks = [all_checks()[name] for name in ("runs_are_repeatable", "actions_survive_reload")]
    with pytest.raises(Interrupted) as caught:
        run(Ends(KeyboardInterrupt, time=8), checks, examples=20)
    first, second = caught.value.results
    assert first.drawn == second.drawn + 1
    assert 0 < second.examples <= second.drawn < 20


def test_nothing_is_said_of_a_check_that_may_still_count_or_fail_after_an_interruption() -> None:
    checks = [all_checks()[name] for name in ("generators_survive_reload", "actions_survive_reload")]
    quiet = Ends(KeyboardInterrupt, time=8)
    quiet.volatile = {"agent.noise": "for this test"}  # type: ignore[attr-defined]
    with pytest.raises(Interrupted) as caught:
        run_checks(
            lambda: quiet,
            checks,
            RunOptions(1, 20),
            expected={"actions_survive_reload": Expectation("issue 7")},
            executor=ThisProcess(),
            at_once=1,
        )
    assert caught.value.results == []


# -- what an earlier run has kept --------------------------------------------------------------------------


def test_a_kept_program_is_run_first_and_forgotten_once_it_passes(tmp_path: Path) -> None:
    store = FailureStore(tmp_path, "adapters:LosesItsCounter")
    checks = select("protocol", [COUNTERS])
    *_, first = run(Tiny("loses its counter"), checks, store=store)[0]
    assert store.clean(lambda: names_drawn(Tiny())) == []
    results, heard = run(Tiny("loses its counter"), checks, store=store)
    again = results[-1]
    assert (again.remembered, again.drawn, again.replay) == (True, 1, first.replay)
    assert again.program == first.program
    assert [run.check for run in heard.runs].index(COUNTERS) == 0
    *_, mended = run(Tiny(), checks, store=store)[0]
    assert (mended.verdict, mended.drawn, mended.remembered) == (Verdict.PASSED, 3, False)
    assert read(tmp_path) == ([], [])


def test_what_is_kept_may_not_be_run_any_more(tmp_path: Path) -> None:
    store = FailureStore(tmp_path, "adapters:LosesItsCounter")
    checks = [all_checks()[COUNTERS]]
    run(Tiny("loses its counter"), checks, store=store)
    store.clean(lambda: names_drawn(Tiny()))
    (broken,), _ = run(LearnHasATypo(), checks, store=store)
    assert (broken.verdict, broken.remembered) == (Verdict.ERROR, False)
    assert len(read(tmp_path)[0]) == 1


def test_workers_that_the_first_program_leaves_idle_draw_the_others_meanwhile() -> None:
    class Notes(ThisProcess):
        def __init__(self) -> None:
            self.submitted: list[str] = []

        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            self.submitted.append(fn.__name__)
            return super().submit(fn, *args, **kwargs)

    executor = Notes()
    run(Tiny("loses its counter"), select("training"), executor=executor, at_once=3)
    first = ["run_task", "prepare", "prepare", "run_task", "run_task"]
    assert executor.submitted == [*first, "conclude"]

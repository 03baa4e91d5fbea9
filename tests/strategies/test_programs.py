# SPDX-License-Identifier: MIT
"""Programs reach the states in which checkpoint bugs show, discard little, and shrink well."""

from __future__ import annotations

import dataclasses
import importlib
import pickle
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from adapters import Tiny
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from verification.adapters.td3_core import TD3Core
from verification.mutants.hunt import draw_programs
from verification.program import HORIZON, Act, Advance, Implant, Learn, Operate, Program, Repeat, trained
from verification.strategies import OptimizerState, programs

if TYPE_CHECKING:
    from pathlib import Path

    from verification.adapter import Adapter

WIDE = settings(
    max_examples=250, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def _drawn(closed_loop: bool, adapter: Adapter | None = None, **bounds: int) -> tuple[list[Program], int]:
    """Programs, and how many attempts were discarded on the way."""
    drawn: list[Program] = []
    started = 0

    @WIDE
    @given(data=st.data())
    def collect(data: st.DataObject) -> None:
        nonlocal started
        started += 1
        drawn.append(data.draw(programs(adapter or TD3Core(), closed_loop=closed_loop, **bounds)))

    collect()
    return drawn, started - len(drawn)


@pytest.fixture(scope="module")
def trained_on_batches() -> tuple[list[Program], int]:
    return _drawn(closed_loop=False)


def test_few_draws_are_discarded(trained_on_batches: tuple[list[Program], int]) -> None:
    drawn, discarded = trained_on_batches
    assert len(drawn) >= 200
    assert discarded <= 0.05 * len(drawn)


def test_every_interesting_state_is_reached(trained_on_batches: tuple[list[Program], int]) -> None:
    drawn, _ = trained_on_batches
    cuts, residues = Counter[int](), Counter[tuple[int, int]]()
    kinds, optimizers = Counter[str](), Counter[str]()
    for program in drawn:
        kinds[program.config.observation_kind] += 1
        optimizers[program.config.actor_optimizer.name] += 1
        for cut in program.cuts:
            learned = trained(program.steps[:cut])
            cuts[cut] += 1
            residues[program.config.policy_freq, learned % program.config.policy_freq] += 1
    assert set(cuts) == set(range(8))
    assert set(residues) == {(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)}
    assert set(kinds) == {"vector", "image", "dict"}
    assert set(optimizers) == {"Adam", "AdamW", "SGD", "RMSprop"}
    rarest = min(*cuts.values(), *residues.values(), *kinds.values(), *optimizers.values())
    assert rarest >= 5, (cuts, residues, kinds, optimizers)


@pytest.mark.parametrize("closed_loop", [False, True])
def test_every_third_program_trains_as_long_as_its_horizon_before_a_cut(closed_loop: bool) -> None:
    horizon = 200  # more than any other program trains
    drawn, _ = _drawn(closed_loop, Tiny(), horizon=horizon)
    longest = [max(trained(program.steps[:cut]) for cut in program.cuts) for program in drawn]
    long = Counter(number for number in longest if number > 100)
    assert set(long) == {horizon, horizon - 1, horizon - 2}
    assert 0.2 < long.total() / len(drawn) < 0.5
    assert {program.horizon for program in drawn} == {horizon}
    # One step of the program, and so one snapshot, whatever the horizon.
    assert max(max(program.cuts) for program in drawn) == 7


@pytest.mark.parametrize("closed_loop", [False, True])
def test_a_seed_draws_the_same_for_any_horizon_but_for_the_long_run(closed_loop: bool) -> None:
    (near, _), (far, _) = (_drawn(closed_loop, Tiny(), horizon=horizon) for horizon in (1, 200))
    for pair in zip(near, far, strict=True):
        fewest = min(len(program.steps) for program in pair)
        # Of both the first step may be the long run.
        one, other = (
            dataclasses.replace(program, horizon=0, steps=program.steps[-fewest:][1:], cuts=())
            for program in pair
        )
        assert one == other


def test_an_adapter_may_have_a_horizon_of_its_own() -> None:
    adapter = Tiny()
    assert _first(programs(adapter)).horizon == HORIZON == 12
    adapter.horizon = 30  # type: ignore[attr-defined]
    assert _first(programs(adapter)).horizon == 30
    assert _first(programs(adapter, horizon=5)).horizon == 5


def _first(strategy: st.SearchStrategy[Program]) -> Program:
    return find(strategy, lambda _: True, settings=settings(WIDE, phases=[Phase.generate]))


def test_a_step_of_many_updates_is_one_line() -> None:
    program = dataclasses.replace(_first(programs(Tiny())), steps=(Repeat((1.0, -1.0), 9), Learn((1.0, 1.0))))
    lines = program.describe().splitlines()
    assert "for _ in range(9): adapter.learn(agent, (1.0, -1.0))" in lines
    assert "adapter.learn(agent, (1.0, 1.0))" in lines


def test_a_program_always_trains_after_its_last_cut(trained_on_batches: tuple[list[Program], int]) -> None:
    for program in trained_on_batches[0]:
        assert isinstance(program.steps[-1], Learn)
        assert max(program.cuts) < len(program.steps)
        assert list(program.cuts) == sorted(set(program.cuts))
        assert program.seed != program.receiver_seed
        pickle.loads(pickle.dumps(program))


def test_a_used_receiver_has_trained_and_acted(trained_on_batches: tuple[list[Program], int]) -> None:
    for program in trained_on_batches[0]:
        *trained, last = program.receiver_steps
        assert {type(step) for step in trained} == {Learn}
        assert isinstance(last, Act)


def test_what_is_no_training_is_drawn_but_seldom(trained_on_batches: tuple[list[Program], int]) -> None:
    drawn, _ = trained_on_batches
    steps = [step for program in drawn for step in program.steps]
    share = {kind: sum(isinstance(step, kind) for step in steps) / len(steps) for kind in (Implant, Operate)}
    assert all(0.02 < part < 0.15 for part in share.values()), share
    assert len({step.state for step in steps if isinstance(step, Implant)}) > 1
    assert len({step.operation[0] for step in steps if isinstance(step, Operate)}) > 1
    assert 0 < sum(program.bystander for program in drawn) / len(drawn) < 0.2


def test_closed_loops_advance_instead_of_learning_from_given_batches() -> None:
    drawn, _ = _drawn(closed_loop=True)
    steps = [step for program in drawn for step in program.steps]
    assert {type(step) for step in steps} == {Act, Advance, Implant, Operate}


def test_the_smallest_program_is_one_step_with_one_cut_before_it() -> None:
    quick = settings(WIDE, phases=[Phase.generate, Phase.shrink])
    program = find(programs(TD3Core()), lambda _: True, settings=quick)
    assert (len(program.steps), program.cuts, program.seed) == (1, (0,), 0)
    assert program.receiver_seed == 1
    assert not program.bystander
    lines = program.describe().splitlines()
    assert len(lines) == 5
    assert lines[2] == "agent = adapter.build(config, seed=0)"
    assert lines[3].startswith("adapter.save(agent, path)  # resumed from here: adapter.load(")


def test_a_counter_lost_needs_a_training_step_before_the_cut() -> None:
    quick = settings(WIDE, phases=[Phase.generate, Phase.shrink])
    program = find(
        programs(TD3Core()),
        lambda one: any(isinstance(step, Learn) for step in one.steps[: max(one.cuts)]),
        settings=quick,
    )
    assert len(program.steps) == 2
    assert program.cuts == (1,)


class Operated(Tiny):
    """Whose gain users may set."""

    def operations(self, config: object) -> st.SearchStrategy[tuple[str, float]]:
        return st.tuples(st.just("gain"), st.sampled_from((0.5, 2.0)))

    def operate(self, agent: object, operation: tuple[str, float]) -> None:
        setattr(agent, *operation)


def test_an_implant_shrinks_to_one_step_and_tells_itself() -> None:
    quick = settings(WIDE, phases=[Phase.generate, Phase.shrink])
    program = find(
        programs(Operated()),
        lambda one: any(isinstance(step, Implant) and step.state.step for step in one.steps),
        settings=quick,
    )
    assert [type(step) for step in program.steps] == [Implant, Learn]
    assert program.steps[0] == Implant(OptimizerState(step=2**24 + 2))
    line = "for optimizer in optimizers_of(agent): implant(optimizer, OptimizerState(step=16777218))"
    assert line in program.describe().splitlines()


def test_an_operation_shrinks_to_one_step_and_tells_itself() -> None:
    quick = settings(WIDE, phases=[Phase.generate, Phase.shrink])
    program = find(
        programs(Operated()), lambda one: any(isinstance(step, Operate) for step in one.steps), settings=quick
    )
    assert [type(step) for step in program.steps] == [Operate, Learn]
    assert "adapter.operate(agent, ('gain', 0.5))" in program.describe().splitlines()


def test_a_bystander_is_the_last_thing_left_only_if_it_matters() -> None:
    quick = settings(WIDE, phases=[Phase.generate, Phase.shrink])
    program = find(programs(Operated()), lambda one: one.bystander, settings=quick)
    assert len(program.steps) == 1
    assert program.describe().splitlines()[-1].startswith("# Another agent is built and trained")


def test_a_seed_draws_the_same_whatever_files_are_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hypothesis would draw the constants of a file that is not installed."""
    before = draw_programs(TD3Core(), seed=1)
    (tmp_path / "local_numbers.py").write_text(f"NUMBERS = {list(range(300))}\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("local_numbers")
    after = draw_programs(TD3Core(), seed=1)
    assert [str(program) for program in before.on_batches] == [str(program) for program in after.on_batches]

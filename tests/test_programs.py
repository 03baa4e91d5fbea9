# SPDX-License-Identifier: MIT
"""Programs reach the states in which checkpoint bugs show, discard little, and shrink well."""

from __future__ import annotations

import pickle
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from verification.adapters.td3_core import TD3Core
from verification.strategies import Act, Advance, Learn, Program, programs

WIDE = settings(
    max_examples=400, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def _drawn(closed_loop: bool) -> tuple[list[Program], int]:
    """Programs, and how many attempts were discarded on the way."""
    drawn: list[Program] = []
    started = 0

    @WIDE
    @given(data=st.data())
    def collect(data: st.DataObject) -> None:
        nonlocal started
        started += 1
        drawn.append(data.draw(programs(TD3Core(), closed_loop=closed_loop)))

    collect()
    return drawn, started - len(drawn)


@pytest.fixture(scope="module")
def trained_on_batches() -> tuple[list[Program], int]:
    return _drawn(closed_loop=False)


def test_few_draws_are_discarded(trained_on_batches: tuple[list[Program], int]) -> None:
    drawn, discarded = trained_on_batches
    assert len(drawn) >= 300
    assert discarded <= 0.05 * len(drawn)


def test_every_interesting_state_is_reached(trained_on_batches: tuple[list[Program], int]) -> None:
    drawn, _ = trained_on_batches
    cuts, residues = Counter[int](), Counter[tuple[int, int]]()
    kinds, optimizers = Counter[str](), Counter[str]()
    for program in drawn:
        kinds[program.config.observation_kind] += 1
        optimizers[program.config.actor_optimizer.name] += 1
        for cut in program.cuts:
            learned = sum(isinstance(step, Learn) for step in program.steps[:cut])
            cuts[cut] += 1
            residues[program.config.policy_freq, learned % program.config.policy_freq] += 1
    assert set(cuts) == set(range(7))
    assert set(residues) == {(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)}
    assert set(kinds) == {"vector", "image", "dict"}
    assert set(optimizers) == {"Adam", "AdamW", "SGD", "RMSprop"}
    rarest = min(*cuts.values(), *residues.values(), *kinds.values(), *optimizers.values())
    assert rarest >= 8, (cuts, residues, kinds, optimizers)


def test_a_program_always_trains_after_its_last_cut(trained_on_batches: tuple[list[Program], int]) -> None:
    for program in trained_on_batches[0]:
        assert isinstance(program.steps[-1], Learn)
        assert max(program.cuts) < len(program.steps)
        assert list(program.cuts) == sorted(set(program.cuts))
        assert program.seed != program.receiver_seed
        pickle.loads(pickle.dumps(program))


def test_closed_loops_advance_instead_of_learning_from_given_batches() -> None:
    drawn, _ = _drawn(closed_loop=True)
    steps = [step for program in drawn for step in program.steps]
    assert {type(step) for step in steps} == {Act, Advance}


def test_the_smallest_program_is_one_step_with_one_cut_before_it() -> None:
    quick = settings(WIDE, phases=[Phase.generate, Phase.shrink])
    program = find(programs(TD3Core()), lambda _: True, settings=quick)
    assert (len(program.steps), program.cuts, program.seed) == (1, (0,), 0)
    assert program.receiver_seed == 1
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

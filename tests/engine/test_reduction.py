# SPDX-License-Identifier: MIT
"""Failing programs become small by their structure, within their time, and fail as they did."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import hypothesis.strategies as st
import pytest
from adapters import Tiny
from agents import Config

from verification.engine.reduction import Reduction, _fewer_steps, _shorter
from verification.program import Act, Advance, Implant, Learn, Program, Repeat, trained
from verification.strategies.moments import OptimizerState

if TYPE_CHECKING:
    from collections.abc import Callable

    from verification.program import Step

PLAIN = (-1.0, -1.0)
WRITTEN = Implant(OptimizerState(step=7))
LARGE = Program(
    config=Config(2.0),
    receiver_config=Config(2.25),
    seed=3,
    receiver_seed=9,
    steps=(
        Repeat((0.5, 1.0), 8),
        Act((0.25, 0.5)),
        Learn((0.25, 1.0)),
        WRITTEN,
        Learn((0.5, 0.5)),
        Act((1.0, 1.0)),
        Learn((1.0, 0.25)),
    ),
    cuts=(1, 3, 5),
    receiver_steps=(Learn((1.0, 1.0)), Learn((0.5, 0.5))),
    probe=(0.5, -0.25),
    entropy=11,
    bystander=True,
)


def before(program: Program) -> int:
    """Updates before the last checkpoint."""
    return trained(program.steps[: program.cuts[-1]])


def reduced(fails: Callable[[Program], bool], seconds: float = 60.0) -> tuple[Program, Reduction]:
    assert fails(LARGE)
    search = Reduction(LARGE, fails, seconds)
    smallest = search.run(Tiny())
    assert fails(smallest)
    return smallest, search


def test_what_always_fails_is_learn_save_load_learn() -> None:
    smallest, search = reduced(lambda _: True)
    assert [type(step) for step in smallest.steps] == [Learn, Learn]
    assert (smallest.cuts, len(smallest.receiver_steps), smallest.bystander) == ((1,), 1, False)
    assert smallest.config == smallest.receiver_config == Config(0.5)
    assert {step.batch for step in (*smallest.steps, *smallest.receiver_steps)} == {PLAIN}
    assert (smallest.seed, smallest.receiver_seed, smallest.entropy) == (0, 1, 0)
    assert not search.ran_out


@pytest.mark.parametrize("number", [1, 2, 3, 5, 9])
def test_as_much_training_is_left_as_it_needs(number: int) -> None:
    smallest, _ = reduced(lambda program: before(program) >= number)
    assert before(smallest) == number
    assert len(smallest.cuts) == 1


def test_a_config_that_it_needs_stays_and_the_rest_is_plain() -> None:
    smallest, _ = reduced(lambda program: program.config.gain == 2.0)
    assert smallest.config == smallest.receiver_config == Config(2.0)
    assert [type(step) for step in smallest.steps] == [Learn, Learn]


def test_a_number_of_the_config_is_carried_into_the_simplest_of_its_kind() -> None:
    @dataclasses.dataclass(frozen=True)
    class Wide:
        delay: int
        width: int
        name: str

    class Wider(Tiny):
        def configs(self) -> st.SearchStrategy[Wide]:
            return st.builds(Wide, st.integers(1, 3), st.integers(1, 9), st.sampled_from(["a", "b"]))

        def variants(self, config: Wide) -> st.SearchStrategy[Wide]:
            return st.just(config)

    large = dataclasses.replace(LARGE, config=Wide(3, 7, "b"), receiver_config=Wide(3, 7, "b"))
    smallest = Reduction(large, lambda one: one.config.delay == 3, 60).run(Wider())
    assert smallest.config.delay == 3
    assert smallest.config.name == "a"


def test_a_step_that_it_needs_stays() -> None:
    smallest, _ = reduced(lambda program: WRITTEN in program.steps)
    assert [type(step) for step in smallest.steps] == [Learn, Implant, Learn]
    assert (len(smallest.receiver_steps), smallest.bystander) == (1, False)
    assert (smallest.seed, smallest.receiver_seed, smallest.entropy) == (0, 1, 0)


def test_another_past_and_another_config_stay_where_they_are_needed() -> None:
    smallest, _ = reduced(lambda one: len(one.receiver_steps) > 1 and one.receiver_config != one.config)
    assert len(smallest.receiver_steps) == 2
    assert smallest.receiver_config == Config(2.25)


def test_without_time_nothing_is_left_out_and_it_is_said() -> None:
    smallest, search = reduced(lambda _: True, seconds=0.0)
    assert smallest is LARGE
    assert search.ran_out


def test_no_program_is_tried_twice() -> None:
    seen: list[str] = []

    def fails(program: Program) -> bool:
        seen.append(repr(program))
        return program is LARGE

    reduced(fails)
    assert len(seen[2:]) == len(set(seen[2:]))


@pytest.mark.parametrize(
    ("cuts", "left"),
    [
        ((1, 3), [("014", (1, 2)), ("0234", (1, 2)), ("0134", (1, 2)), ("0124", (1, 3))]),
        (
            (0,),
            [
                ("4", (0,)),
                ("234", (0,)),
                ("014", (0,)),
                *((one, (0,)) for one in ("1234", "0234", "0134", "0124")),
            ],
        ),
        ((4,), [("234", (2,)), ("014", (2,)), *((one, (3,)) for one in ("1234", "0234", "0134", "0124"))]),
    ],
)
def test_fewer_steps_leave_something_trained_before_a_checkpoint(
    cuts: tuple[int, ...], left: list[tuple[str, tuple[int, ...]]]
) -> None:
    """Half of them are left out, then a quarter, and so on; the last one stays."""
    program = dataclasses.replace(LARGE, steps=tuple(Learn(str(number)) for number in range(5)), cuts=cuts)
    found = [("".join(step.batch for step in one.steps), one.cuts) for one in _fewer_steps(program)]  # type: ignore[union-attr]
    assert found == left


@pytest.mark.parametrize(
    ("step", "shorter"),
    [
        (Repeat(1, 8), [Learn(1), Repeat(1, 5), Repeat(1, 7)]),
        (Repeat(1, 2), [Learn(1)]),
        (Advance(5), [Advance(1), Advance(3), Advance(4)]),
        (Advance(1), []),
        (Learn(1), []),
        (Act(1), []),
    ],
    ids=repr,
)
def test_a_step_becomes_shorter_by_most_of_it_first(step: Step, shorter: list[Step]) -> None:
    assert list(_shorter(step)) == shorter

# SPDX-License-Identifier: MIT
"""Equal programs share one experiment, whatever their batches are made of; other programs never do."""

from __future__ import annotations

import copy
import dataclasses
import logging
from typing import Any

import numpy as np
import pytest
import torch
from adapters import Tiny
from forgetful import program_of
from hypothesis import strategies as st

from verification.engine.fingerprint import fingerprint
from verification.mutants.hunt import draw_programs
from verification.program import Learn
from verification.running.check_agent import check_agent

_PAIRS = st.tuples(*[st.floats(-1, 1, width=32)] * 2)


class Counting(Tiny):
    """Counts training steps on batches that are made by ``make``."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.make = make
        self.steps = 0

    def batches(self, config: Any) -> st.SearchStrategy[Any]:
        return _PAIRS.map(self.make)

    def learn(self, agent: Any, batch: Any) -> None:
        self.steps += 1
        agent.update(tuple(map(float, batch)))


def test_tensors_cost_no_more_steps_than_arrays() -> None:
    steps = []
    for make in (tuple, np.asarray, torch.tensor):
        adapter = Counting(make)
        assert check_agent(adapter, level="training", examples=4, seed=0).ok
        steps.append(adapter.steps)
    assert steps[0] == steps[1] == steps[2] > 0


@pytest.mark.parametrize("make", [tuple, np.asarray, torch.tensor])
def test_equal_programs_have_one_fingerprint_and_others_another(make: Any) -> None:
    drawn = [draw_programs(Counting(make), seed=5, examples=6).on_batches for _ in range(2)]
    prints = [[fingerprint(program) for program in programs] for programs in drawn]
    assert prints[0] == prints[1]
    assert len(set(prints[0])) == len(prints[0])
    first = drawn[0][0]
    assert fingerprint(dataclasses.replace(first, entropy=first.entropy + 1)) != prints[0][0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros((2, 1)), np.zeros((1, 2))),
        (np.zeros(1, np.int64), np.zeros(1)),
        (torch.zeros(2, 1), torch.zeros(1, 2)),
        (torch.zeros(1, dtype=torch.int32), torch.zeros(1)),
        (1, True),
    ],
    ids=["shape", "dtype", "shape of a tensor", "dtype of a tensor", "type"],
)
def test_programs_of_the_same_bytes_in_another_form_are_others(one: Any, other: Any) -> None:
    first = program_of(Learn(one))
    assert fingerprint(first) == fingerprint(program_of(Learn(copy.deepcopy(one))))
    assert fingerprint(first) != fingerprint(program_of(Learn(other)))


def test_what_cannot_be_looked_into_still_tells_programs_apart() -> None:
    first = draw_programs(Counting(tuple), seed=5, examples=1).on_batches[0]
    for probes in ([iter(range(n)) for n in (3, 3, 4)], [logging.getLogger(name) for name in "aab"]):
        prints = [fingerprint(dataclasses.replace(first, probe=probe)) for probe in probes]
        assert prints[0] == prints[1] != prints[2]

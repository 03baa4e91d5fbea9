# SPDX-License-Identifier: MIT
"""Every check alone, or in any order: no arm is run that moves another arm's random streams."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import agents
import numpy as np
import pytest
import torch
from adapters import Tiny

from verification.adapters.find import load_adapter
from verification.checks.registry import Check, all_checks, select
from verification.engine.experiment import Experiment
from verification.engine.global_rng import global_states, isolated, restore_globals
from verification.errors import NotApplicable
from verification.levels import Level
from verification.mutants.hunt import draw_programs
from verification.running.check_run import run_check, run_check_alone
from verification.specimens import SPECIMENS

if TYPE_CHECKING:
    from verification.adapter import Adapter

# What needs a process of its own takes seconds.
CHECKS = [one for one in select(Level.RESUME) if one.name != "a_new_process_resumes_the_same"]
ORDERS = 6


class KeepsGlobalGenerators(agents.Agent):
    """Draws its noise from three global generators, and keeps their states in its checkpoint."""

    def draw(self) -> float:
        return random.random() + float(np.random.rand()) + float(torch.rand(()))

    def contents(self) -> dict[str, Any]:
        kind, keys, *rest = np.random.get_state()
        states = {**global_states(), "numpy.random": (kind, keys.tolist(), *rest)}  # type: ignore[union-attr]
        return {**super().contents(), "global generators": states}

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore({name: one for name, one in contents.items() if name != "global generators"})
        restore_globals(contents["global generators"])


class Keeper(Tiny):
    """Drives it."""

    def build(self, config: Any, seed: int) -> KeepsGlobalGenerators:
        return KeepsGlobalGenerators(config, seed)


KEEPER = Keeper()


def run_on_all(check: Check, adapter: Adapter, examples: int) -> None:
    drawn = draw_programs(adapter, seed=3, examples=examples)
    for program in drawn.closed_loop if check.closed_loop else drawn.on_batches:
        outcome = run_check_alone(check, adapter, program).outcome
        if isinstance(outcome, NotApplicable):
            return
        assert outcome is None


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_an_agent_that_keeps_global_generators_is_never_blamed(check: Check) -> None:
    run_on_all(check, KEEPER, examples=6)


def test_it_is_not_blamed_in_a_new_process_either() -> None:
    run_on_all(all_checks()["a_new_process_resumes_the_same"], Keeper(), examples=2)


@pytest.mark.parametrize("name", SPECIMENS)
def test_a_specimen_is_never_blamed(name: str) -> None:
    adapter = load_adapter(name)  # once, so that its programs are drawn once
    for check in CHECKS:
        run_on_all(check, adapter, examples=2)


@pytest.mark.parametrize("adapter", [Keeper(), *map(load_adapter, SPECIMENS)], ids=lambda one: one.name)
def test_the_order_of_the_checks_does_not_matter(adapter: Adapter) -> None:
    drawn = draw_programs(adapter, seed=4, examples=ORDERS)
    orders = random.Random(0)
    for closed_loop, programs in ((False, drawn.on_batches), (True, drawn.closed_loop)):
        for program in programs[:ORDERS]:
            checks = [check for check in CHECKS if check.closed_loop == closed_loop]
            orders.shuffle(checks)
            with isolated(), tempfile.TemporaryDirectory() as folder:
                experiment = Experiment(adapter, program, Path(folder), closed_loop=closed_loop)
                for check in checks:
                    outcome = run_check(check, experiment).outcome
                    assert outcome is None or isinstance(outcome, NotApplicable)

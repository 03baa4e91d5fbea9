# SPDX-License-Identifier: MIT
"""One experiment serves all checks of a program, as long as it is kept."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from adapters import Tiny
from forgetful import program_of

from verification.engine import cache
from verification.engine.cache import inventory_of, shared_experiment
from verification.program import Learn

if TYPE_CHECKING:
    import pytest

    from verification.program import Program

PROGRAM = program_of(Learn((1.0, 1.0)))


def other(seed: int) -> Program:
    return dataclasses.replace(PROGRAM, seed=seed)


def test_the_same_program_is_the_same_experiment() -> None:
    adapter = Tiny()
    one = shared_experiment(adapter, PROGRAM, closed_loop=False)
    assert shared_experiment(adapter, other(1), closed_loop=False) is one
    assert shared_experiment(adapter, other(5), closed_loop=False) is not one
    assert shared_experiment(adapter, PROGRAM, closed_loop=True) is not one
    assert shared_experiment(Tiny(), PROGRAM, closed_loop=False) is not one
    assert one.closed_loop is False
    assert shared_experiment(adapter, PROGRAM, closed_loop=True).closed_loop is True


def test_what_is_known_is_shared_by_programs_of_one_regime_and_horizon() -> None:
    adapter = Tiny()
    one, two = (shared_experiment(adapter, other(seed), closed_loop=False) for seed in (7, 8))
    known = inventory_of(adapter, closed_loop=False, horizon=PROGRAM.horizon)
    assert one.inventory is two.inventory is known
    assert inventory_of(adapter, closed_loop=True, horizon=PROGRAM.horizon) is not known
    assert inventory_of(adapter, closed_loop=False, horizon=PROGRAM.horizon + 1) is not known
    assert inventory_of(Tiny(), closed_loop=False, horizon=PROGRAM.horizon) is not known


def test_the_one_that_was_asked_least_recently_goes_with_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = Tiny()
    monkeypatch.setattr(cache, "_kept", {})
    monkeypatch.setattr(cache, "_MOST", 2)
    first, second = (shared_experiment(adapter, other(seed), closed_loop=False) for seed in (1, 2))
    assert shared_experiment(adapter, other(1), closed_loop=False) is first
    shared_experiment(adapter, other(3), closed_loop=False)
    kept = cache._kept[os.getpid()]
    assert next(one for one, _ in kept.values()) is first
    assert len(kept) == 2
    assert first._directory.exists()
    assert not second._directory.exists()
    assert shared_experiment(adapter, other(2), closed_loop=False) is not second
    for _, folder in kept.values():
        folder.cleanup()

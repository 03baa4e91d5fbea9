# SPDX-License-Identifier: MIT
"""Level ``durable``: each check kills the mutant that is meant for it before any other check does."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import pytest

from verification import Verdict, check_agent
from verification.adapters.td3_core import TD3Core
from verification.checks.registry import Check, all_checks
from verification.engine.experiment import Experiment
from verification.errors import CheckFailure, NotApplicable
from verification.levels import Level
from verification.mutants.hunt import Drawn, draw_programs
from verification.mutants.model import mutants, planted

CHECKS = {name: check for name, check in all_checks().items() if check.level == Level.DURABLE}
MUTANTS = {name: mutant for name, mutant in mutants().items() if mutant.killed_by[0] in CHECKS}


@functools.cache
def programs() -> Drawn:
    return draw_programs(TD3Core(), seed=0, examples=5)


def asked(name: str) -> list[Check]:
    """The checks of damaged files, or, for a mutant whose files are sound, those of interrupted saves."""
    names = list(CHECKS)
    split = names.index("killed_save_leaves_a_checkpoint")
    saves = names.index(MUTANTS[name].killed_by[0]) >= split
    return [CHECKS[one] for one in (names[split:] if saves else names[:split])]


def first_failure(name: str) -> tuple[str, CheckFailure] | None:
    """The first check, program by program, that fails the mutant."""
    for program in programs().closed_loop[1:]:
        with tempfile.TemporaryDirectory() as directory:
            experiment = Experiment(planted(name), program, Path(directory), closed_loop=True)
            for check in asked(name):
                try:
                    check.function(experiment)
                except NotApplicable:
                    continue
                except CheckFailure as failure:
                    return check.name, failure
    return None


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_killed_first_by_its_check(name: str) -> None:
    killed = first_failure(name)
    assert killed is not None
    assert killed[0] == MUTANTS[name].killed_by[0], killed[1]
    assert not MUTANTS[name].leaf or any(MUTANTS[name].leaf in one.path for one in killed[1].differences), (
        killed
    )


def test_every_check_has_a_mutant() -> None:
    assert {mutant.killed_by[0] for mutant in MUTANTS.values()} == set(CHECKS)


def test_td3_core_keeps_the_promise() -> None:
    report = check_agent(TD3Core(), checks=list(CHECKS), examples=7, seed=3)
    verdicts = {result.check: result.verdict for result in report.results if result.check in CHECKS}
    # One file has no other file to be exchanged with.
    assert verdicts.pop("exchanged_file_is_rejected") is Verdict.NOT_APPLICABLE
    assert set(verdicts.values()) == {Verdict.PASSED}, report.summary()

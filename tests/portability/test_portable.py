# SPDX-License-Identifier: MIT
"""Level ``portable``: each check kills the mutant that is meant for it, and no other check does."""

from __future__ import annotations

import functools
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from adapters import Tiny

from verification.adapters.find import load_adapter
from verification.checks.registry import all_checks
from verification.engine.experiment import Experiment
from verification.errors import CheckFailure, Inconclusive, NotApplicable
from verification.levels import Level
from verification.mutants.model import mutants, planted
from verification.program import Program, trained
from verification.running.drawing import draw
from verification.specimens import SPECIMENS

if TYPE_CHECKING:
    from agents import Agent

CHECKS = {name: check for name, check in all_checks().items() if check.level == Level.PORTABLE}
MUTANTS = {name: mutant for name, mutant in mutants().items() if mutant.killed_by[0] in CHECKS}
#: Takes a new interpreter, seconds each, so that only its own mutant is asked, and correct agents.
LOCALE = "another_locale_resumes_the_same"


@functools.cache
def program_of(name: str) -> Program:
    """A program of the agent in its own loop that trains, but not for long."""
    drawn = draw(load_adapter(name), closed_loop=True, seed=0, examples=6)
    return min((one for one in drawn if one.cuts[-1]), key=lambda one: trained(one.steps[: one.cuts[-1] + 3]))


def failures(adapter: Any, names: Any, program: Any) -> dict[str, CheckFailure]:
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        experiment = Experiment(adapter, program, Path(directory), closed_loop=True)
        for name in names:
            experiment.begin()
            try:
                CHECKS[name].function(experiment)
            except NotApplicable:
                continue
            except CheckFailure as failure:
                found[name] = failure
    return found


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_killed_by_its_check_and_no_other(name: str) -> None:
    (own,) = MUTANTS[name].killed_by
    asked = [check for check in CHECKS if check in {own, *CHECKS} - ({LOCALE} - {own})]
    found = failures(planted(name), asked, program_of("td3_core"))
    assert set(found) == {own}
    leaf = MUTANTS[name].leaf
    assert not leaf or any(leaf in one.path for one in found[own].differences), found[own]


def test_every_check_has_a_mutant() -> None:
    assert {mutant.killed_by[0] for mutant in MUTANTS.values()} == set(CHECKS)


@pytest.mark.parametrize("name", ["td3_core", *SPECIMENS])
def test_a_correct_agent_keeps_the_promise(name: str, tmp_path: Path) -> None:
    for check in CHECKS.keys() - ({LOCALE} if name not in {"td3_core", "sac"} else set()):
        folder = tmp_path / check
        folder.mkdir()
        experiment = Experiment(load_adapter(name), program_of(name), folder, closed_loop=True)
        CHECKS[check].function(experiment)
        assert experiment.counted, check


# -- who is not to blame -----------------------------------------------------------------------------------


@functools.cache
def tiny_program() -> Program:
    return draw(Tiny(), closed_loop=True, seed=0, examples=2)[1]


class NeedsAPath(Tiny):
    """Its adapter, not its agent, does with the path what only a ``Path`` can."""

    def save(self, agent: Agent, path: Path) -> None:
        agent.save(path.with_suffix(".pt"))

    def load(self, agent: Agent, path: Path) -> Agent:
        agent.load(path.with_suffix(".pt"))
        return agent


def test_an_adapter_that_needs_a_path_is_not_the_agents_fault(tmp_path: Path) -> None:
    experiment = Experiment(NeedsAPath(), tiny_program(), tmp_path, closed_loop=True)
    with pytest.raises(NotApplicable, match="the adapter itself needs a Path"):
        CHECKS["text_paths_are_accepted"].function(experiment)


def test_an_agent_that_does_not_load_at_all_is_not_judged(tmp_path: Path) -> None:
    experiment = Experiment(Tiny("load raises"), tiny_program(), tmp_path, closed_loop=True)
    with pytest.raises(Inconclusive, match="a load fails where nothing is unusual"):
        CHECKS["long_paths_are_accepted"].function(experiment)


class RemembersItsPlace(Tiny):
    """Its agent keeps the path of its checkpoint, which no training reads."""

    def load(self, agent: Agent, path: Path) -> Agent:
        agent.load(path)
        agent.came_from = str(path)  # type: ignore[attr-defined]
        agent.working_directory = os.getcwd()  # type: ignore[attr-defined]
        return agent


def test_a_path_that_is_only_remembered_is_no_difference() -> None:
    assert failures(RemembersItsPlace(), set(CHECKS) - {LOCALE}, tiny_program()) == {}


class Leaks(Tiny):
    """Lets everybody read what nobody else was to read."""

    def save(self, agent: Agent, path: Path) -> None:
        agent.save(path)
        path.chmod(0o644)


def test_permissions_that_the_umask_takes_away_are_not_to_be_given() -> None:
    failure = failures(Leaks(), ["permissions_follow_the_umask"], tiny_program())
    assert (
        "saved under the umask 027, the file checkpoint has the permissions 644, where other files have "
        in (failure["permissions_follow_the_umask"].sentence)
    )


def test_the_process_that_asks_is_left_as_it_is(tmp_path: Path) -> None:
    umask = os.umask(0o022)
    os.umask(umask)
    before = (Path.cwd(), torch.get_num_threads(), torch.get_default_dtype())
    failures(Tiny(), set(CHECKS) - {LOCALE}, tiny_program())
    assert (Path.cwd(), torch.get_num_threads(), torch.get_default_dtype()) == before
    (tmp_path / "new").touch()
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~umask

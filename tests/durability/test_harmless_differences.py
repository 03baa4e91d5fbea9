# SPDX-License-Identifier: MIT
"""Level ``durable``: what differs after a load without any consequence breaks no promise here either."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

import pytest

from verification.adapters.td3_core import TD3Core
from verification.checks.registry import all_checks
from verification.engine.experiment import Experiment
from verification.engine.inventory import Inventory
from verification.errors import CheckFailure
from verification.losses import Note
from verification.mutants.hunt import draw_programs

if TYPE_CHECKING:
    from pathlib import Path

    from verification.program import Program


class Clocked(TD3Core):
    """Notes when it was loaded."""

    def load(self, agent: Any, path: Path) -> Any:
        loaded = super().load(agent, path)
        loaded.agent.loaded_at = time.time_ns()
        return loaded


class Remembering(TD3Core):
    """Notes what it was to load, even if it cannot."""

    def load(self, agent: Any, path: Path) -> Any:
        agent.agent.tried = str(path)
        return super().load(agent, path)


@functools.cache
def program() -> Program:
    return draw_programs(TD3Core(), seed=0, examples=2).closed_loop[-1]


@pytest.mark.parametrize("name", ["full_disk_leaves_the_old_checkpoint", "links_are_followed"])
def test_what_two_loads_of_one_checkpoint_differ_in_is_set_aside(name: str, tmp_path: Path) -> None:
    experiment = Experiment(Clocked(), program(), tmp_path, closed_loop=True)
    all_checks()[name].function(experiment)
    assert experiment.counted


def test_what_is_known_to_be_harmless_may_be_changed_by_a_load_that_fails(tmp_path: Path) -> None:
    check = all_checks()["failed_load_leaves_the_agent_unchanged"].function
    unknown = Experiment(Remembering(), program(), tmp_path / "unknown", closed_loop=True)
    with pytest.raises(CheckFailure) as caught:
        check(unknown)
    (path,) = {one.path for one in caught.value.differences}
    assert path.endswith(".tried")
    noted = Inventory(notes={path: Note(path, path, "nothing followed")})
    known = Experiment(Remembering(), program(), tmp_path / "known", closed_loop=True, inventory=noted)
    check(known)
    assert known.counted

# SPDX-License-Identifier: MIT
"""``verify state`` shows every component of an agent, what a load makes of it, and what is read."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import adapters
import pytest
import torch
from adapters import Tiny
from agents import Agent, Config
from typer.testing import CliRunner

from verification.cli.app import app
from verification.cli.state import _survey, in_bytes
from verification.engine.experiment import Experiment
from verification.engine.survey import AS_BUILT, COMES_BACK, LOST, NOT_SEEN, READ, Component, survey
from verification.running.drawing import draw
from verification.state import Part

if TYPE_CHECKING:
    from verification.engine.survey import Survey


class Every(NamedTuple):
    """A number that cannot be set, which no question about what is read may stumble over."""

    number: int
    unit: str


class Rich(Agent):
    """With what nothing reads, what cannot be looked into, and two networks in one module."""

    def __init__(self, config: Config, seed: int) -> None:
        super().__init__(config, seed)
        self.log = [0.0]
        self.every = Every(4, "step")
        self.fixed = torch.ones(5, dtype=torch.float64)
        self.both = torch.nn.ModuleDict({"online": self.net, "target": self.net_target})
        self.lock = memoryview(b"unseen").cast("B").__iter__()

    def update(self, batch: Any) -> None:
        super().update(batch)
        self.log = [*self.log, float(batch[0])][-3:]


class RichAdapter(Tiny):
    def build(self, config: Config, seed: int) -> Agent:
        return Rich(config, seed)


def looked_at(adapter: Any, tmp_path: Path) -> Survey:
    programs = draw(adapter, closed_loop=True, seed=0, examples=6)
    program = max(programs, key=lambda one: one.cuts[-1])
    return survey(Experiment(adapter, program, tmp_path, closed_loop=True))


def by_path(found: Survey) -> dict[str, Component]:
    return {(f"{one.path}.{','.join(one.names)}" if one.names else one.path): one for one in found.components}


def test_every_leaf_belongs_to_one_component(tmp_path: Path) -> None:
    found = by_path(looked_at(Tiny(), tmp_path))
    parts = {path: one.part for path, one in found.items()}
    assert parts["agent.net"] is Part.ONLINE
    assert parts["agent.net_target"] is Part.TARGET
    assert parts["agent.optimizer"] is Part.OPTIMIZER
    assert parts["agent.schedule"] is Part.SCHEDULE
    assert parts["agent.noise"] is Part.GENERATOR
    assert parts["agent.memory"] is not Part.OPTIMIZER
    assert parts["agent.gain"] is Part.HYPER_PARAMETER
    assert parts["agent.total_it"] is Part.COUNTER


def test_what_a_load_makes_of_each_is_told(tmp_path: Path) -> None:
    whole = by_path(looked_at(Tiny(), tmp_path))
    for name in ("net", "net_target", "optimizer", "noise", "memory"):
        assert whole[f"agent.{name}"].after == COMES_BACK
    (folder := tmp_path / "again").mkdir()
    lossy = by_path(looked_at(Tiny("loses its target"), folder))
    assert lossy["agent.net_target"].after == LOST
    assert lossy["agent.net"].after == COMES_BACK


def test_what_is_read_and_what_is_not_is_told(tmp_path: Path) -> None:
    found = looked_at(RichAdapter(), tmp_path)
    components = by_path(found)
    assert components["agent.net"].read == READ
    assert components["agent.net_target"].read == READ
    assert components["agent.fixed"].read == NOT_SEEN
    assert components["agent.fixed"].after == AS_BUILT
    assert components["agent.fixed"].size == 40
    assert components["agent.log"].read == NOT_SEEN
    assert list(found.opaque) == ["agent.lock"]
    assert components["agent.every"].read == NOT_SEEN
    assert found.problem == ""


def test_a_load_that_raises_leaves_the_rest_to_be_seen(tmp_path: Path) -> None:
    found = looked_at(Tiny("load raises"), tmp_path)
    assert "load() raised KeyError" in found.problem
    assert by_path(found)["agent.net"].part is Part.ONLINE
    assert {one.after for one in found.components} == {"unknown"}


def test_the_command_fits_into_80_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(adapters.__file__).parent)])
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    result = CliRunner().invoke(app, ["state", "adapters:LosesItsCounter", "--seed", "1"])
    assert result.exit_code == 0, result.output
    assert max(map(len, result.output.splitlines())) <= 80
    assert re.search(r"^ agent.net_target +target network +\d+ +\d+ B +comes back +yes", result.output, re.M)
    assert re.search(r"^ agent.total_it +changing +1 +\d B +lost +yes", result.output, re.M)
    refused = CliRunner().invoke(app, ["state", "adapters:NoSave"])
    assert refused.exit_code == 2
    assert refused.output.startswith("verify: the adapter 'tiny' has no save(); add: ")


def test_the_survey_is_the_same_for_one_seed() -> None:
    assert _survey("adapters:LosesItsCounter", 1) == _survey("adapters:LosesItsCounter", 1)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (172_400, "172 kB"), (2_500_000, "2.5 MB")],
)
def test_sizes_are_readable(number: int, text: str) -> None:
    assert in_bytes(number) == text

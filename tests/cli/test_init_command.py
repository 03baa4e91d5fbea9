# SPDX-License-Identifier: MIT
"""``verify init`` writes an adapter that runs as it is, or with the lines that it marks filled in."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from verification import Verdict, check_agent
from verification.adapters.find import load_adapter
from verification.cli.app import app
from verification.running.rehearsal import rehearse_here
from verification.scaffolding.writing import FILL_IN, marks, snake

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
RAN = "A rehearsal ran: it builds, trains, saves and loads."


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder with the agents in it, whose modules are forgotten afterwards."""
    known = set(sys.modules)
    for name in ("own_agents.py", "cleanrl_style.py"):
        shutil.copy(HERE / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(HERE)])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


def init(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["init", *arguments], prog_name="verify")
    assert result.exit_code == 0, result.output
    return str(result.output)


# -- classes that run unchanged ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Deterministic", "SmallDQN", "Recurrent"])
def test_what_is_written_for_an_agent_runs_unchanged(folder: Path, name: str) -> None:
    told = init(f"own_agents.py:{name}")
    assert RAN in told
    module = f"{snake(name)}_adapter"
    text = (folder / f"{module}.py").read_text()
    for number, line in marks(text):
        assert f"line {number}: {line}" in told
    assert FILL_IN not in "".join(line for _, line in marks(text))
    assert f"verify check {module}:{name}Adapter --report text,junit" in told
    compile((folder / f"test_{snake(name)}.py").read_text(), "test", "exec")


def test_what_an_agent_forgets_is_found_by_what_was_written(folder: Path) -> None:
    init("own_agents.py:SmallDQN")
    report = check_agent(
        load_adapter("small_dqn_adapter.py:SmallDQNAdapter"),
        checks=["actions_survive_reload", "targets_survive_reload"],
        examples=3,
        seed=1,
        shrink=False,
    )
    assert report.result("targets_survive_reload").verdict is Verdict.FAILED
    assert [loss.path for loss in report.lost] == ["agent.q_target"]
    assert report.result("actions_survive_reload").verdict is Verdict.PASSED


def test_the_form_in_which_an_agent_takes_observations_is_tried_out(folder: Path) -> None:
    init("own_agents.py:SmallDQN")
    assert "return agent.act(observation)" in (folder / "small_dqn_adapter.py").read_text()
    init("own_agents.py:Deterministic")
    text = (folder / "deterministic_adapter.py").read_text()
    assert "return agent.select_action(torch.as_tensor(observation))" in text
    assert "agent.update(torch.as_tensor(batch.observation), torch.as_tensor(batch.action), " in text


def test_a_class_that_trains_in_its_environment_gets_advance(folder: Path) -> None:
    init("own_agents.py:Recurrent")
    adapter: Any = load_adapter("recurrent_adapter.py:RecurrentAdapter")
    agent = adapter.build(None, 1)
    before = agent.cell.weight.clone()
    adapter.advance(agent, 3)
    assert not before.equal(agent.cell.weight)
    assert "agent = Recurrent.load(path, env=environment())" in (folder / "recurrent_adapter.py").read_text()


def test_the_written_test_is_one_line_that_pytest_collects(folder: Path) -> None:
    init("own_agents.py:Deterministic")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--collect-only",
            "-q",
            "-p",
            "no:cacheprovider",
            "test_deterministic.py",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "TestDeterministicCheckpoints::test_targets_survive_reload[deterministic]" in done.stdout, (
        done.stdout
    )


@pytest.mark.parametrize("name", ["TD3", "SAC", "DQN", "PPO"])
def test_what_is_written_for_stable_baselines3_runs_unchanged(folder: Path, name: str) -> None:
    pytest.importorskip("stable_baselines3")
    assert RAN in init(f"stable_baselines3:{name}")
    text = (folder / f"{name.lower()}_adapter.py").read_text()
    assert ("load_replay_buffer" in text) is (name != "PPO")


# -- classes with lines to fill in -------------------------------------------------------------------------


def test_a_script_runs_with_the_marked_line_filled_in(folder: Path) -> None:
    told = init("cleanrl_style.py")
    file = folder / "cleanrl_style_adapter.py"
    (number,) = (number for number, line in marks(file.read_text()) if FILL_IN in line)
    assert f"line {number}: raise NotImplementedError  # FILL IN: one training step" in told
    lines = file.read_text().splitlines()
    lines[number - 1] = (
        "        x = torch.randn(4, 3)\n"
        "        agent.optimizer.zero_grad()\n"
        "        agent.q_network(x, agent.actor(x)).mean().backward()\n"
        "        agent.optimizer.step()"
    )
    file.write_text("\n".join(lines))
    adapter = load_adapter("cleanrl_style_adapter.py:CleanrlStyleAdapter")
    rehearse_here(adapter)
    checks = ["optimizer_state_survives_reload", "next_steps_survive_reload"]
    assert check_agent(adapter, checks=checks, examples=2, seed=0).ok


def test_tianshou_runs_with_the_marked_lines_filled_in(folder: Path) -> None:
    pytest.importorskip("tianshou")
    told = init("tianshou.algorithm:TD3")
    file = folder / "td3_adapter.py"
    marked = [(number, line) for number, line in marks(file.read_text()) if FILL_IN in line]
    assert [line.rpartition(": ")[2] for _, line in marked] == [
        "policy, policy_optim, critic, critic_optim",
        "buffer, sample_size",
    ]
    assert all(f"line {number}: {line}" in told for number, line in marked)
    lines = file.read_text().splitlines()
    lines[marked[0][0] - 1] = "        return made()"
    lines[marked[1][0] - 1] = "        step(agent)"
    lines.insert(lines.index(next(line for line in lines if line.startswith("class "))), _TIANSHOU)
    file.write_text("\n".join(lines))
    rehearse_here(load_adapter("td3_adapter.py:TD3Adapter"))


_TIANSHOU = """
import numpy as np
from tianshou import data
from tianshou.utils import torch_utils
from verification.adapters.tianshou import Tianshou
from verification.strategies import agent_configs
from hypothesis import find, settings

TIANSHOU = Tianshou()
CONFIG = find(TIANSHOU.configs(), lambda _: True, settings=settings(database=None, deadline=None))

def made():
    from verification.adapters import tianshou
    return tianshou._td3(CONFIG)

def step(agent):
    batch = find(TIANSHOU.batches(CONFIG), lambda _: True, settings=settings(database=None, deadline=None))
    from types import SimpleNamespace
    TIANSHOU.learn(SimpleNamespace(algorithm=agent), batch)

"""


# -- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["json:dumps"], "json:dumps is no class, but function; name the class of your agents"),
        (["own_agents.py:Missing"], "the module own_agents.py has no 'Missing'; "),
        (["empty.py"], "empty.py defines no network; name the class of your agents: empty.py:MyAgent"),
        (["own_agents.py:SmallDQN", "--output", "no"], "--output is no, which is no folder"),
    ],
)
def test_what_cannot_be_inspected_is_one_sentence(folder: Path, arguments: list[str], message: str) -> None:
    (folder / "empty.py").write_text("x = 1\n")
    result = CliRunner().invoke(app, ["init", *arguments], prog_name="verify")
    assert result.exit_code == 2
    (line,) = result.output.strip().splitlines()
    assert line.startswith(f"verify: {message}")


def test_nothing_is_written_over_unless_forced(folder: Path) -> None:
    (folder / "test_small_dqn.py").write_text("mine")
    result = CliRunner().invoke(app, ["init", "own_agents.py:SmallDQN"], prog_name="verify")
    assert result.exit_code == 2
    assert "test_small_dqn.py is there already; --force writes over it" in result.output
    assert (folder / "test_small_dqn.py").read_text() == "mine"
    assert not (folder / "small_dqn_adapter.py").exists()
    init("own_agents.py:SmallDQN", "--force")
    assert re.search(r"^TestSmallDQN", (folder / "test_small_dqn.py").read_text(), re.M)


@pytest.mark.parametrize(
    ("name", "module"), [("SmallDQN", "small_dqn"), ("TD3", "td3"), ("MyAgent", "my_agent"), ("PPO2", "ppo2")]
)
def test_a_class_is_called_as_its_module_would_be(name: str, module: str) -> None:
    assert snake(name) == module

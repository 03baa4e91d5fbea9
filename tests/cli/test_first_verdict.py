# SPDX-License-Identifier: MIT
"""From somebody's script to a verdict by the command: scripts are targets, and mistakes are said at once."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import adapters
import pytest
from typer.testing import CliRunner

from verification.adapters import find
from verification.checks.registry import all_checks
from verification.cli.app import app
from verification.levels import Level

SCRIPT = """
from agents import Agent, Config

def build(seed):
    return Agent(Config(), seed)

def learn(agent):
    agent.explore()

def save(agent, path):
    agent.save(path)

def load(agent, path):
    agent.load(path)
    return agent
"""
FORGETS = SCRIPT.replace("agent.load(path)", "agent.load(path)\n    agent.total_it = 0")

#: Lines of a class ``A``, which has what an adapter needs, and the sentence about the mistake in them.
MISTAKES = {
    "a path that is no mapping": (
        "volatile = ['agent.x']",
        "the adapter 'A' has volatile = ['agent.x']; give a reason for each path: volatile = {",
    ),
    "a list as state": (
        "def state(self, agent): return ['agent']",
        "the adapter 'A': state() returned ['agent']; return what to watch by name: {\"agent\": agent}",
    ),
    "no config": (
        "def configs(self): return st.nothing()",
        "the adapter 'A': configs() can draw nothing; let it",
    ),
    "no config that is left": (
        "def configs(self): return st.integers().filter(lambda _: False)",
        "the adapter 'A': configs() can draw nothing; let it return a strategy",
    ),
    "no batch": (
        "def learn(self, agent, batch): pass\n    def batches(self): return st.nothing()",
        "the adapter 'A': batches() can draw nothing; let it return a strategy",
    ),
    "a strategy that is wrong": (
        "def configs(self): return st.integers(5, 1)",
        "the adapter 'A': a strategy cannot be drawn from: Cannot have max_value=1 < min_value=5",
    ),
    "a strategy that raises": (
        "def configs(self): return st.none().map(lambda _: {}['no'])",
        "the adapter 'A': drawing from configs(), batches() and observations() raised KeyError: 'no' (mine.p",
    ),
    "a name that is no file's": (
        "name = 'group/agent'",
        "the adapter 'group/agent' has '/' in its name, which files of reports are called by; write name = "
        '"group-agent"',
    ),
    "another signature": (
        "def save(self, path): pass",
        "the adapter 'A': save(path) at mine.py:10 is not how the suite calls it; write save(agent, path)",
    ),
    "an action that is none": (
        "def act(self, agent, observation): agent.predict(observation)\n"
        "    def observations(self): return st.just((0.0, 0.0))",
        "act() returned None, in which there is nothing to compare; return the action",
    ),
    "a build that raises": (
        "def build(self, seed): return Agnt(Config(), seed)",
        "the adapter 'A': build() raised NameError: name 'Agnt' is not defined (mine.py:10)",
    ),
    "a slow import": (
        "time_limit = 0.5\n    def build(self, seed):\n        import slow",
        "the adapter 'A': build() was still importing slow after 0.5 s; import it at the top of the",
    ),
}
_CLASS = """
import hypothesis.strategies as st
from agents import Agent, Config
class A:
    def build(self, seed): return Agent(Config(), seed)
    def learn(self, agent): agent.explore()
    def save(self, agent, path): agent.save(path)
    def load(self, agent, path): agent.load(path); return agent
class A(A):
    {}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A current folder, whose modules are forgotten afterwards, and the test agents for processes besides."""
    known = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(adapters.__file__).parent)])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


def verify(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), prog_name="verify")


def refusal(*arguments: str) -> str:
    """The one sentence that a command says."""
    result = verify(*arguments)
    assert result.exit_code == 2, result.output
    (line,) = result.output.strip().splitlines()
    assert line.startswith("verify: ")
    return str(line.removeprefix("verify: "))


# -- scripts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["mine.py", "inside/mine.py", "package/sub/mine.py"])
def test_a_script_of_four_functions_gets_a_verdict(folder: Path, target: str) -> None:
    (folder / target).parent.mkdir(parents=True, exist_ok=True)
    if target.startswith("package"):
        (folder / "package/__init__.py").touch()
        (folder / "package/sub/__init__.py").touch()
    (folder / target).write_text(FORGETS)
    name = "counters_survive_reload"
    result = verify("check", target, "-n", "1", "--check", name, "--examples", "4", "--seed", "1")
    assert result.exit_code == 1, result.output
    assert "mine at level resume: " in result.output
    assert "agent.total_it" in result.output
    assert "The adapter could have more told: add advance(agent, steps) to have" in result.output
    (kept,) = re.findall(r"verify replay (\w+)\n", result.output)
    assert verify("replay", kept).exit_code == 1
    assert f"adapter = load_adapter({target!r})" in verify("replay", kept, "--script").output


def test_a_script_is_an_adapter_by_its_functions_and_what_it_declares(folder: Path) -> None:
    declared = "\nname = 'CartPole'\nhorizon = 2048\nstate = [1]\ntime_limit = 7\nvolatile = {'a.x': 'log'}\n"
    (folder / "mine.py").write_text(SCRIPT + declared)
    adapter: Any = find.load_adapter("mine.py")
    assert (adapter.name, adapter.time_limit, adapter.volatile) == ("mine", 7, {"a.x": "log"})
    assert not hasattr(adapter, "horizon")
    assert not hasattr(adapter, "state")


def test_an_object_of_a_file_is_an_adapter(folder: Path) -> None:
    (folder / "mine.py").write_text(_CLASS.format("pass"))
    assert find.load_adapter("mine.py:A").name == "A"
    assert find.load_adapter("./mine.py:A").name == "A"


def test_a_script_does_not_see_the_arguments_of_the_command(folder: Path) -> None:
    (folder / "mine.py").write_text(f"import sys\nassert len(sys.argv) == 1\n{SCRIPT}")
    before = list(sys.argv)
    assert find.load_adapter("mine.py").name == "mine"
    assert sys.argv == before


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere.py", "there is no file nowhere.py; name it as for Python"),
        ("three.py", "three has no load(); four functions are needed: build, learn, save and load"),
        ("two.dots.py", "two.dots.py has a dot in its name, so that nothing can import it; rename the file"),
        ("json.py", "json.py is hidden by another module of its name ("),
        ("leaves.py", "the module leaves ends the program at its import (2); put what it does"),
        ("breaks.py", "the module breaks does not import: ZeroDivisionError: division by zero"),
        ("./three:A", "there is no module './three'; a file is named with its ending, as ./three.py:A"),
        ("three.py:A", "the module three.py has no 'A'; check the name behind the colon"),
        ("three.py:", "'three.py:' names no adapter; write module:object"),
        ("./three", "there is no adapter './three'; did you mean ./three.py? built-in adapters are"),
    ],
)
def test_a_script_that_is_none_is_one_sentence(folder: Path, target: str, message: str) -> None:
    for name, text in {
        "three": SCRIPT.partition("def load")[0],
        "two.dots": SCRIPT,
        "json": SCRIPT,
        "leaves": "raise SystemExit(2)",
        "breaks": "1 / 0",
    }.items():
        (folder / f"{name}.py").write_text(text)
    assert refusal("check", target).startswith(message)


def test_a_script_that_trains_when_it_is_imported_is_given_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "_IMPORT_LIMIT", 0.3)
    (folder / "mine.py").write_text("import time\ntime.sleep(30)\n")
    (folder / "other.py").write_text("import mine\n")
    guard = 'put what it does when it is run under `if __name__ == "__main__":`'
    assert refusal("check", "mine.py") == f"the module mine was not imported within 0.3 s; {guard}"
    sentence = refusal("check", "other.py")
    assert sentence == f"the module other was not imported within 0.3 s (it was importing mine); {guard}"


# -- mistakes before the first experiment ------------------------------------------------------------------


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_before_the_first_experiment(folder: Path, mistake: str) -> None:
    lines, message = MISTAKES[mistake]
    (folder / "mine.py").write_text(_CLASS.format(lines))
    (folder / "slow.py").write_text("import time\ntime.sleep(30)\n")
    assert refusal("check", "mine:A", "-n", "1", "--examples", "2").startswith(message)


def test_what_is_wrong_with_the_agent_is_left_to_the_checks(folder: Path) -> None:
    """A load that raises has a verdict, and no rehearsal that ends the command."""
    (folder / "mine.py").write_text(SCRIPT.replace("agent.load(path)", "raise KeyError('critic')"))
    result = verify("check", "mine.py", "-n", "1", "--level", "protocol", "--examples", "2")
    assert result.exit_code == 1
    assert "load() raised KeyError: 'critic' (mine.py:" in result.output
    assert "failed loading_restores_something" in result.output


@pytest.mark.parametrize("forms", ["", ",", " , "])
def test_a_report_of_no_form_is_refused(forms: str) -> None:
    assert refusal("check", "td3_core", "--report", forms) == (
        "--report names no form; forms are text, json, html, junit, md, sarif"
    )


# -- options -----------------------------------------------------------------------------------------------


def test_the_version_is_told() -> None:
    result = verify("--version")
    assert (result.exit_code, result.output.split()[0]) == (0, "verify")
    assert re.fullmatch(r"verify \d+\.\d+\.\d+\S*\n", result.output)


def test_the_help_lists_the_levels_that_exist() -> None:
    told = " ".join(re.sub(r"[│╭╮╰╯─]", " ", verify("check", "--help").output).split())
    existing = [str(one) for one in Level if any(check.level == one for check in all_checks().values())]
    assert f"{', '.join(existing[:-1])} or {existing[-1]}; each includes those before" in told


def test_a_quick_run_says_what_it_did_not_ask(folder: Path) -> None:
    (folder / "mine.py").write_text(FORGETS)
    result = verify("check", "mine.py", "-n", "1", "--quick", "--seed", "1", "--level", "training")
    assert result.exit_code == 1
    assert "agent.total_it" in result.output
    assert "A quick run: few examples. A run that is not quick asks more." in result.output
    assert "verify check mine.py --level training --quick --check counters_survive_reload --seed 1" in (
        result.output
    )
    assert re.search(r"runs_are_repeatable +passed +3/3 ", result.output)
    told = " ".join(re.sub(r"[│╭╮╰╯─]", " ", verify("check", "--help").output).split())
    assert "in about 20 seconds for a small agent" in told

# SPDX-License-Identifier: MIT
"""What the documents tell people to type: every command is parsed or run, every piece of Python runs."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

import verification
from td3_core.training import command as train
from verification.adapter import Adapter, OptionalMembers
from verification.checks.registry import all_checks
from verification.cli import app as cli
from verification.expected_failures.entries import load_expected
from verification.levels import Level
from verification.report.model import Verdict

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/adapters.md",
    "docs/durability.md",
    "docs/performance.md",
    "docs/preemption.md",
    "docs/reports.md",
    "docs/strategies.md",
    "docs/versions.md",
)
pytestmark = pytest.mark.skipif(
    not all((ROOT / name).exists() for name in (*DOCUMENTS, "tox.ini", ".ci/run")),
    reason="the documents are in the repository, not in the distribution",
)


def blocks(document: str, language: str) -> list[str]:
    """The contents of a document's fenced blocks in a language."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def commands(document: str) -> list[str]:
    """Every command of a document, one line each."""
    return [line for block in blocks(document, "sh") for line in block.splitlines() if line]


def tox_environments() -> set[str]:
    """The names of tox.ini's environments, with the factors in their sections' names written out."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini")
    names = set()
    for section in parser.sections():
        if section.startswith("testenv:"):
            stem, _, factors = section.removeprefix("testenv:").partition("{")
            names |= {stem + factor for factor in factors.rstrip("}").split(",")}
    return names


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run this Python in a folder, on the code that is tested here."""
    path = os.pathsep.join([str(folder), str(Path(verification.__file__).parents[1])])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


# -- commands --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "command"), [(name, one) for name in DOCUMENTS for one in commands(name)] or [("", "")]
)
def test_every_command_exists_and_has_these_options(document: str, command: str) -> None:
    for part in command.split(" && "):
        words = part.split()
        match words:
            case ["python", "-m", "pip", "install", "tox"]:
                pass
            case ["python", "-m", "tox", "run", "-m", label]:
                assert re.search(rf"^    {label} = ", (ROOT / "tox.ini").read_text(encoding="utf-8"), re.M)
            case ["python", "-m", "tox", "run", "-e", names, *rest]:
                assert set(names.split(",")) <= tox_environments()
                assert not rest or rest[0] == "--"
                if names.startswith("verify"):
                    assert_parses("verify", ["check", "td3_core", *rest[1:]])
            case ["pytest", _, "--hypothesis-show-statistics"]:
                pass
            case [("verify" | "td3-train") as program, *arguments]:
                assert_parses(program, arguments)
            case _:
                pytest.fail(f"no test knows what to do with `{part}` in {document}")


def assert_parses(program: str, arguments: list[str]) -> None:
    """An option that does not exist is refused even in front of ``--help``, which runs nothing."""
    result = CliRunner().invoke({"verify": cli, "td3-train": train}[program].app, [*arguments, "--help"])
    assert result.exit_code == 0, result.output


def test_a_command_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(AssertionError):
        assert_parses("verify", ["check", "td3_core", "--no-such-option"])
    assert "no-such-environment" not in tox_environments()
    assert {"tests", "tests-torch26", "verify", "lint", "typing"} <= tox_environments()


def test_readme_begins_with_the_two_commands_and_ci_runs_them() -> None:
    verify, tests = commands("README.md")[:2]
    assert verify == "python -m pip install tox && python -m tox run -e verify"
    assert tests == "python -m pip install tox && python -m tox run -e tests"
    script = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert tests in script
    assert verify.partition(" && ")[2] in script
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    assert f"run: {verify}\n" in workflow
    assert f"run: {tests.removesuffix('tests')}${{{{ matrix.env }}}}\n" in workflow
    assert set(re.search(r"env: \[(.*)\]", workflow)[1].split(", ")) <= tox_environments()


def test_contributing_begins_with_three_commands() -> None:
    assert len(blocks("CONTRIBUTING.md", "sh")[0].splitlines()) == 3


def test_training_and_resuming_as_the_readme_says(tmp_path: Path) -> None:
    (training,) = (block for block in blocks("README.md", "sh") if block.startswith("td3-train"))
    for command in training.splitlines():
        assert command.startswith("td3-train ")
        smaller = [] if "--resume" in command else ["--preset=tiny"]
        done = run("-m", "td3_core.training", *command.split()[1:], *smaller, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "checkpoints/td3_2000.pth").exists()


# -- Python ----------------------------------------------------------------------------------------------

# What the README leaves to its reader: an agent, its spaces, and the imports.
_READER = """
import hypothesis, hypothesis.strategies as st, torch
from gymnasium.spaces import Box
from verification.strategies import observations, transition_batches

hypothesis.settings.register_profile("few", max_examples=10, database=None)
hypothesis.settings.load_profile("few")
OBSERVATIONS, ACTIONS = Box(-1, 1, (3,)), Box(-1, 1, (2,))

class MyAgent:
    def __init__(self, observation_space, action_space, *, lr, seed):
        torch.manual_seed(seed)
        self.actor = torch.nn.Linear(*observation_space.shape, *action_space.shape)
        self.optimizer = torch.optim.Adam(self.actor.parameters(), lr=lr)

    def select_action(self, observation):
        return self.actor(torch.as_tensor(observation)).detach()

    def update(self, batch):
        self.optimizer.zero_grad()
        action = self.actor(torch.as_tensor(batch.observation))
        torch.nn.functional.mse_loss(action, torch.as_tensor(batch.action)).backward()
        self.optimizer.step()

    def save(self, path):
        torch.save([self.actor.state_dict(), self.optimizer.state_dict()], path)

    def load(self, path):
        actor, optimizer = torch.load(path, weights_only=True)
        self.actor.load_state_dict(actor)
        self.optimizer.load_state_dict(optimizer)
"""


def test_python_in_the_readme_runs(tmp_path: Path) -> None:
    *adapter, agent = blocks("README.md", "python")
    (tmp_path / "my_adapter.py").write_text("\n".join([_READER, *adapter]), encoding="utf-8")
    checked = run("my_adapter.py", folder=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert re.search(r"my_agent at level training: \d+ passed, \d+ not applicable\n", checked.stdout)
    (tmp_path / "agent.py").write_text(agent, encoding="utf-8")
    printed = run("agent.py", folder=tmp_path)
    assert printed.returncode == 0, printed.stderr
    assert "'total_it'" in printed.stdout


def test_expected_failures_in_the_readme_are_accepted(tmp_path: Path) -> None:
    (table,) = blocks("README.md", "toml")
    (tmp_path / "conformance.toml").write_text(table, encoding="utf-8")
    assert load_expected(tmp_path / "conformance.toml")


# -- the adapter guide -----------------------------------------------------------------------------------


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    """A folder with the guide's files; each block of Python begins with the name of its file."""
    for block in blocks("docs/adapters.md", "python"):
        name, _, rest = block.removeprefix("# ").partition("\n")
        if "," not in name:
            (tmp_path / name).write_text(rest, encoding="utf-8")
    return tmp_path


def correct(guide: Path) -> None:
    """Put the guide's correction in the place of what its agent saves and loads."""
    (block,) = (one for one in blocks("docs/adapters.md", "python") if "corrected" in one.splitlines()[0])
    agent = guide / "my_agent.py"
    kept = agent.read_text(encoding="utf-8").partition("    def save(")[0]
    agent.write_text(kept + block.partition("\n")[2], encoding="utf-8")


def verify(guide: Path, *options: str) -> subprocess.CompletedProcess[str]:
    program, *arguments = commands("docs/adapters.md")[0].split()
    assert program == "verify"
    return run("-m", "verification", *arguments, "--seed=1", "--workers=1", *options, folder=guide)


def test_example_adapter_is_short(guide: Path) -> None:
    assert len((guide / "my_adapter.py").read_text(encoding="utf-8").splitlines()) < 40


def test_example_agent_fails_as_the_guide_says(guide: Path) -> None:
    failed = verify(guide, "--check=targets_survive_reload", "--examples=10")
    assert failed.returncode == 1, failed.stderr
    (told,) = blocks("docs/adapters.md", "text")
    opening, loss = blocks("README.md", "text")
    assert told == loss
    # What is changed first, when, and by how much, depends on the program that was found.
    found = " ".join(failed.stdout.split())
    opening = " ".join(opening.split())
    assert opening.partition(";")[0] in found
    assert opening.rpartition(". ")[2] in found
    title, *facts = told.splitlines()
    assert f"{title.partition(':')[0]}: " in found
    for fact in facts[:7]:
        assert re.sub(r"after \d+ steps?", "after", fact).strip() in re.sub(
            r"after \d+ steps?", "after", found
        )
    assert facts[7].strip() == "What differs:"
    assert facts[8].split()[0] in found


def test_corrected_example_agent_passes(guide: Path) -> None:
    correct(guide)
    passed = verify(guide, "--examples=3")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert " failed" not in passed.stdout


def test_four_functions_of_the_guide_are_checked(guide: Path) -> None:
    assert "verify check my_train.py" in commands("docs/adapters.md")
    name = "targets_survive_reload"
    arguments = ["my_train.py", "--seed=1", "--workers=1", f"--check={name}", "--examples=2"]
    failed = run("-m", "verification", "check", *arguments, folder=guide)
    assert failed.returncode == 1, failed.stderr
    assert "my_train at level resume: " in failed.stdout
    assert "agent.actor_target" in failed.stdout


def test_the_loop_of_the_guide_loses_no_episode(guide: Path) -> None:
    name = "resume_equals_uninterrupted"
    arguments = ["looping:LoopingAdapter", "--seed=1", "--workers=1", f"--check={name}", "--examples=3"]
    passed = run("-m", "verification", "check", *arguments, folder=guide)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert f"passed {name}" in passed.stdout


def test_other_doors_of_the_guide_work(guide: Path) -> None:
    called = run("call.py", folder=guide)
    assert called.returncode == 0, called.stderr
    assert "targets_survive_reload failed" in called.stdout
    kept = run("kept.py", folder=guide)
    assert kept.returncode == 0, kept.stderr
    assert (guide / f".verify/failures/{kept.stdout.strip()}.failure").exists()
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "targets_survive", "test_my_agent.py"]
    if "verification.pytest_plugin" not in entry_points():
        arguments += ["-p", "verification.pytest_plugin"]
    assert run(*arguments, folder=guide).returncode == 1
    correct(guide)
    tested = run(*arguments, folder=guide)
    assert tested.returncode == 0, tested.stdout
    assert "1 passed" in tested.stdout


def entry_points() -> set[str]:
    """The modules of the pytest plugins that are installed."""
    return {one.value for one in metadata.entry_points(group="pytest11")}


# -- facts -----------------------------------------------------------------------------------------------


def test_levels_and_verdicts_of_the_readme_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `([a-z ]+)` \| (.*) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    levels = {one for one in Level if any(check.level == one for check in all_checks().values())}
    assert {(str(one), one.promise) for one in levels} <= set(rows)
    assert {str(one).replace("_", " ") for one in Verdict} == {name for name, _ in rows} - set(
        map(str, levels)
    )


def test_members_in_the_guide_are_those_of_the_protocol() -> None:
    text = (ROOT / "docs/adapters.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(\w+)", text, flags=re.M))
    members = {
        name
        for protocol in (Adapter, OptionalMembers)
        for name in {*vars(protocol), *protocol.__annotations__}
        if not name.startswith("_")
    }
    assert documented == members


@pytest.mark.parametrize("document", [*DOCUMENTS, "CHANGELOG.md"])
def test_links_lead_to_files(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert link.startswith("https://") or (ROOT / document).parent.joinpath(link).exists(), link

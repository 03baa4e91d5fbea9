# SPDX-License-Identifier: MIT
"""The guide to the strategies: its Python runs, fails and shrinks as it says, and it names all there is."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import seed
from hypothesis.strategies import SearchStrategy
from test_readme import ROOT, blocks, run

from verification import Verdict, check_agent, strategies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GUIDE = "docs/strategies.md"
pytestmark = pytest.mark.skipif(
    not (ROOT / GUIDE).exists(), reason="the documents are in the repository, not in the distribution"
)


@pytest.fixture
def guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the guide's files, from which they can be imported."""
    for block in blocks(GUIDE, "python"):
        name, _, rest = block.removeprefix("# ").partition("\n")
        if "," not in name:
            (tmp_path / name).write_text(rest, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if (tmp_path / f"{name}.py").exists():
            del sys.modules[name]


def correct(guide: Path) -> None:
    """Put the guide's correction in the place of what its agent saves and loads."""
    (block,) = (one for one in blocks(GUIDE, "python") if "corrected" in one.splitlines()[0])
    agent = guide / "dqn.py"
    kept = agent.read_text(encoding="utf-8").partition("    def save(")[0]
    agent.write_text(kept + block.partition("\n")[2], encoding="utf-8")


def plain(text: str) -> str:
    """``text`` without white space, and without shapes, which only some versions of numpy print."""
    return re.sub(r"shape=\([\d,]*\),", "", "".join(text.split()))


def test_the_guide_names_everything_public() -> None:
    text = (ROOT / GUIDE).read_text(encoding="utf-8")
    assert [name for name in strategies.__all__ if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("name", [name for name in strategies.__all__ if name.islower()])
def test_every_function_documents_its_arguments_with_an_example(name: str) -> None:
    documentation = inspect.getdoc(getattr(strategies, name)) or ""
    assert "\nArgs:\n" in documentation
    assert "\nExample:\n" in documentation


def test_the_bounds_of_the_guide_are_accepted(guide: Path) -> None:
    assert isinstance(importlib.import_module("plain").images, SearchStrategy)


def test_the_example_fails_and_shrinks_as_the_guide_says(guide: Path) -> None:
    module = importlib.import_module("test_dqn")
    with pytest.raises(AssertionError) as caught:
        seed(1)(module.test_training_goes_on_from_a_checkpoint)()
    (told,) = (one for one in blocks(GUIDE, "text") if one.startswith("Draw 1"))
    assert plain(told) in plain("\n".join(caught.value.__notes__))


def test_the_corrected_example_passes_and_counts_what_was_drawn(guide: Path) -> None:
    correct(guide)
    (command,) = (one for one in blocks(GUIDE, "sh") if one.startswith("pytest"))
    arguments = [*command.split(), "test_optimizers.py", "-p", "no:cacheprovider", "--hypothesis-seed=1"]
    tested = run("-m", *arguments, folder=guide)
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout
    assert re.search(r"- Events:\n +\* [\d.]+%, optimizer: \w+\n", tested.stdout)


def test_the_suite_judges_the_adapter_as_the_guide_says(guide: Path) -> None:
    name = "counters_survive_reload"
    adapter = importlib.import_module("dqn_adapter").DQNAdapter
    assert check_agent(adapter(), checks=[name], examples=10, seed=1).result(name).verdict is Verdict.FAILED
    correct(guide)
    for module in ("dqn", "dqn_adapter"):
        del sys.modules[module]
    adapter = importlib.import_module("dqn_adapter").DQNAdapter
    assert check_agent(adapter(), checks=[name], examples=10, seed=1).result(name).verdict is Verdict.PASSED


def test_the_program_shrinks_as_the_guide_says(guide: Path, capsys: pytest.CaptureFixture[str]) -> None:
    importlib.import_module("shrunk")
    (told,) = (one for one in blocks(GUIDE, "text") if one.startswith("config = "))
    assert plain(capsys.readouterr().out) == plain(told)

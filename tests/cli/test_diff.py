# SPDX-License-Identifier: MIT
"""The command ``verify diff``: exit codes, the order of what is told, 80 columns, and no traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from typer.testing import CliRunner

from td3_core import TD3, TD3Config
from verification.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


def diff(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["diff", *arguments], prog_name="verify")


def lines(result: Any) -> list[str]:
    return [line.rstrip() for line in result.output.splitlines()]


def test_equal_checkpoints_end_with_0(tmp_path: Path) -> None:
    for name in ("a.pth", "b.pth"):
        TD3(TD3Config.tiny("vector"), seed=0).save_checkpoint(tmp_path / name)
    result = diff("a.pth", "b.pth")
    assert result.exit_code == 0
    assert lines(result)[0].startswith("Equal, bit for bit: ")
    assert "differ" not in result.output


def test_different_checkpoints_end_with_1_and_the_components_come_first(tmp_path: Path) -> None:
    agent = TD3(TD3Config.tiny("vector"), seed=0)
    agent.save_checkpoint(tmp_path / "a.pth")
    with torch.no_grad():
        agent.actor[0].weight[0, 0] += 1
    agent.total_it += 2
    agent.save_checkpoint(tmp_path / "b.pth")
    result = diff("a.pth", "b.pth")
    assert result.exit_code == 1
    told = lines(result)
    assert told[0].startswith("They differ in 2 of ")
    assert told[0].endswith(" components: total_it, actor_state_dict.")
    assert told[1:3] == ["A: a.pth", "B: b.pth"]
    start = told.index("What differs, by component:")
    assert told[start + 1] == "  total_it: 1 of 1 differ"
    assert told[start + 2].startswith("  actor_state_dict: 1 of 4 differ, by up to 1, from the 1st digit on")
    start = told.index("What differs, value by value:")
    assert told[start + 1] == "  total_it: 0 in A, 2 in B"
    assert told[start + 2].startswith("  actor_state_dict['0.weight']: [0]=")
    assert any(line.startswith("Equal, bit for bit: ") and "config" in line for line in told)


def test_of_many_values_some_are_told_unless_all_are_asked_for() -> None:
    torch.save({"net": {f"[b]{i}": torch.zeros(1) for i in range(9)}, "x": 1}, "a.pth")
    torch.save({"net": {f"[b]{i}": torch.ones(1) for i in range(9)}, "x": 1}, "b.pth")
    some, every = diff("a.pth", "b.pth"), diff("a.pth", "b.pth", "--all")
    assert some.output.count("=0.0 in A") == 6
    assert "  and 3 more" in lines(some)
    assert every.output.count("=0.0 in A") == 9
    assert "net['[b]8']: " in every.output  # nothing is taken for markup
    assert "more" not in every.output
    assert max(map(len, lines(every))) <= 80


def test_what_only_one_has_is_told_by_where_it_is_missing() -> None:
    torch.save({"opt": {"state": {0: {"a": 1, "b": 2}}, "groups": [1]}, "x": 1}, "a.pth")
    torch.save({"opt": {"state": {}, "groups": [1]}, "y": 1}, "b.pth")
    told = lines(diff("a.pth", "b.pth"))
    assert "  opt: 2 of 3 only in A" in told
    assert "  opt['state'][0] (2 values) is only in A" in told
    assert "  x: only in A" in told
    assert "  y: only in B" in told
    assert "  x is only in A" not in told  # said already


def test_what_is_compared_by_its_bytes_is_named_with_the_reason(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for name in ("x.txt", "y.txt"):
            (tmp_path / folder / name).write_text("hello")
        (tmp_path / folder / "empty").write_text("")
    (tmp_path / "b/y.txt").write_text("hollo")
    result = diff("a", "b")
    assert result.exit_code == 1
    told = lines(result)
    assert "  y.txt: 5 bytes in A, other 5 in B" in told
    start = told.index("Compared by its bytes alone:")
    assert told[start + 1] == "  empty is empty"
    assert told[start + 2].startswith("  x.txt, y.txt, each of which is no checkpoint of a known format")


@pytest.mark.parametrize("order", [("a.pth", "b.pth"), ("b.pth", "a.pth")])
def test_a_file_that_cannot_be_read_ends_with_2_and_one_sentence(
    tmp_path: Path, order: tuple[str, str]
) -> None:
    torch.save({"x": 1}, "a.pth")
    torch.save({"x": torch.nn.Linear(1, 1)}, "b.pth")
    result = diff(*order)
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "verify: b.pth holds torch.nn.modules.linear.Linear, which only running code"
    )
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_exit_codes_are_explained() -> None:
    told = " ".join(diff("--help").output.split())
    assert "0 equal, 1 different, 2 a file cannot be read" in told

# SPDX-License-Identifier: MIT
"""The command ``verify mutants``: of built-in agents and of anybody's, what it says, and what it refuses."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import controls
import pytest
from typer.testing import CliRunner

from verification.cli.app import app
from verification.mutants import matrix, spared
from verification.mutants.classes import CLASSES, NOT_PLANTED
from verification.mutants.hunt import Kill
from verification.mutants.matrix import Row, choose, hunt_all, summary
from verification.mutants.model import mutants
from verification.mutants.page import page

if TYPE_CHECKING:
    from collections.abc import Callable


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["mutants", *arguments], env={"COLUMNS": "160"})
    return result.exit_code, result.output


def test_a_killed_mutant_is_shown_with_its_killer() -> None:
    code, output = invoke("--only", "actor_lost", "-n", "1")
    assert code == 0
    assert "online_networks_survive_reload" in output
    assert "1 of 1 killed" in output


def test_a_mutant_that_another_check_kills_is_no_success() -> None:
    kill = Kill(("targets_survive_reload",), (), (), 1, 0.1)
    assert not Row("a", 0, kill, ("online_networks_survive_reload",)).ok
    assert not Row("a", 0, Kill((), (), (), 20, 0.1), ()).ok
    assert Row("a", 0, Kill((), (), (), 20, 0.1), (), effective=False).ok


@pytest.mark.parametrize("options", [(), ("--exhaustive",)], ids=["usual", "exhaustive"])
def test_options_reach_the_hunt(options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    def pretend(*_: object, **wanted: object) -> list[Row]:
        asked.append(wanted)
        return []

    monkeypatch.setattr(matrix, "hunt_all", pretend)
    invoke("--only", "actor_lost", "--examples", "3", "--seed", "5", "--seed", "6", "-n", "2", *options)
    (wanted,) = asked
    del wanted["progress"]
    assert wanted == {"seeds": [5, 6], "examples": 3, "workers": 2, "exhaustive": bool(options)}


@pytest.mark.parametrize(("checks", "code"), [((), 0), (("targets_survive_reload",), 1)])
def test_harmless_changes_must_be_spared(
    checks: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = spared.Spared("dqn", "clock", 0, Kill(checks, (), (), 1, 0.1), ("agent.clock",))

    def pretend(chosen: object, *, progress: Callable[[object], None], **_: object) -> list[object]:
        assert chosen == [("dqn", "clock")]
        progress(row)
        return [row]

    monkeypatch.setattr(spared, "choose", lambda names: [("dqn", names[0])])
    monkeypatch.setattr(spared, "spare_all", pretend)
    ended, output = invoke("--harmless", "--only", "clock")
    assert ended == code
    assert f"{1 - code} of 1 spared" in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--harmless", "td3_core"], "name one of them with --only"),
        (["--only", "actor_lots"], "did you mean 'actor_lost'?"),
        (["nowhere:Adapter"], "there is no module 'nowhere'"),
        (["-n", "none"], "give a number or auto"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], said: str) -> None:
    code, output = invoke(*arguments)
    assert code == 2
    assert said in output
    assert "Traceback" not in output


def test_a_crash_is_one_sentence_that_names_the_mutant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(controls.__file__).parent)
    code, output = invoke("controls:Crashes", "--only", "optimizers_lost", "-n", "1")
    assert code == 2
    assert "a process crashed in the middle of the hunt for optimizers_lost with seed 0" in output
    assert "Traceback" not in output


def test_bugs_can_be_planted_into_any_adapters_agent() -> None:
    target = "adapters:Tiny"
    names = ["first_network_lost", "optimizers_lost", "step_counts_lost", "loads_share_memory"]
    rows = hunt_all(target, choose(target, names), seeds=[0], examples=4, workers=1)
    killers = {row.mutant: row.kill.checks for row in rows}
    assert killers == {
        "first_network_lost": ("online_networks_survive_reload",),
        "optimizers_lost": ("optimizer_state_survives_reload",),
        "step_counts_lost": (),
        # What one of them trains is in the next load, too.
        "loads_share_memory": (
            "loading_shares_no_memory",
            "loading_leaves_no_residue",
            "repeated_reloads_change_nothing",
        ),
    }
    assert [row.mutant for row in rows if not row.effective] == ["step_counts_lost"]
    assert summary(rows).startswith("3 of 3 killed, 1 found nothing to damage; examples: ")


def test_every_class_has_a_mutant_or_a_reason_why_not() -> None:
    planted = {mutant.bug_class for mutant in mutants().values()}
    assert planted | set(NOT_PLANTED) == set(CLASSES)
    assert not planted & set(NOT_PLANTED)


def test_every_mutant_but_controls_names_a_public_thread() -> None:
    for mutant in mutants().values():
        owner, _, number = mutant.thread.partition("#")
        assert mutant.bug_class == "control" or (owner.count("/") == 1 and number.isdigit()), mutant.name


def test_the_page_says_what_killed_a_mutant_and_links_the_thread() -> None:
    mutant = mutants()["total_it_lost"]
    row = Row(mutant.name, 0, Kill(mutant.killed_by, ("agent.total_it",), (), 3, 0.25), mutant.killed_by)
    text = page([row, dataclasses.replace(row, seed=1)], {mutant.name: mutant})
    assert "`verify mutants --seed 0 --seed 1 --markdown docs/mutants.md`" in text
    assert "https://github.com/pfnet/pfrl/issues/183" in text
    assert "| `counters_survive_reload` | 3 | 0.2 |" in text

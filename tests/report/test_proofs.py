# SPDX-License-Identifier: MIT
"""Proofs of losses: scripts that need no suite, that have been run, and that stay in their folder."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import adapters
import pytest
from adapters import Tiny

from verification import FailureStore, check_agent
from verification.cli.replay import as_script
from verification.counterexamples.store import read
from verification.losses import Loss
from verification.report.model import Report, Result, Verdict
from verification.report.proofs import file_name, write_proofs
from verification.running.proving import READABLE, lines_of

DEFECTS = {
    "loses its network": "online_networks_survive_reload",
    "loses its momentum": "optimizer_state_survives_reload",
    "loses its schedule": "schedules_survive_reload",
    "loses its counter": "counters_survive_reload",
}


def run(script: Path) -> subprocess.CompletedProcess[str]:
    paths = [str(script.parents[4]), str(Path(adapters.__file__).parent), str(Path(__file__).parents[2])]
    return subprocess.run(
        [sys.executable, script.name],
        cwd=script.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_script_shows_a_loss_until_it_is_gone(
    defect: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "proved.py"
    module.write_text(f"from adapters import Tiny\nmade = Tiny({defect!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "proved", raising=False)
    check = DEFECTS[defect]
    store = FailureStore(tmp_path / "kept", "proved:made")
    report = check_agent(Tiny(defect), checks=[check], examples=5, seed=1, store=store)
    (script, *others) = write_proofs(report, tmp_path / "reports")
    assert not others
    text = script.read_text()
    assert lines_of(text) < READABLE
    assert "verification" not in text
    failed = run(script)
    assert failed.returncode == 1, failed.stderr
    assert " differs by up to " in failed.stdout
    module.write_text("from adapters import Tiny\nmade = Tiny()\n")
    passed = run(script)
    assert (passed.returncode, passed.stderr) == (0, "")
    told = {float(line.rpartition(" ")[2]) for line in passed.stdout.splitlines()}
    assert told == {0.0}


class Chatty(Tiny):
    """Prints what it does, as many libraries do."""

    def load(self, agent: Any, path: Path) -> Any:
        print("loaded 1 agent")
        return super().load(agent, path)


def test_what_an_agent_prints_is_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "proved.py").write_text(
        "from test_proofs import Chatty\nmade = Chatty('loses its counter')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "proved", raising=False)
    store = FailureStore(tmp_path / "kept", "proved:made")
    checks = ["counters_survive_reload"]
    report = check_agent(Chatty("loses its counter"), checks=checks, examples=5, seed=1, store=store)
    (loss,) = report.lost
    assert loss.script
    capture = io.StringIO()
    with contextlib.redirect_stdout(capture):
        printed = as_script(read(store.folder)[0][0])
    assert printed == loss.script
    assert capture.getvalue() == ""


def report(*names: str, adapter: str = "mine") -> Report:
    losses = tuple(Loss(name, name, "counters", "spreads", script=f"# {name}\n") for name in names)
    result = Result("counters_survive_reload", "training", "", Verdict.FAILED, losses=losses, lost=names)
    return Report(adapter, "training", (result,), 1, {})


def test_each_loss_has_a_folder_and_what_is_gone_has_none(tmp_path: Path) -> None:
    written = write_proofs(report("agent.count", "run.n"), tmp_path)
    names = ["mine/losses/run.n/reproduce.py", "mine/losses/count/reproduce.py"]
    assert [str(one.relative_to(tmp_path)) for one in written] == names
    assert written[1].read_text() == "# agent.count\n"
    (tmp_path / "mine/losses/run.n/notes.txt").touch()  # somebody else's
    write_proofs(report("agent.x"), tmp_path)
    files = {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()}
    assert files == {"mine/losses/x/reproduce.py", "mine/losses/run.n/notes.txt"}


def test_a_loss_without_a_script_has_no_folder(tmp_path: Path) -> None:
    (result,) = report("agent.count").results
    (loss,) = result.losses
    bare = dataclasses.replace(result, losses=(dataclasses.replace(loss, script=""),))
    assert write_proofs(dataclasses.replace(report(), results=(bare,)), tmp_path) == []
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["../../evil", "/etc/passwd", "a/../../b", "[/]", "..", "", "\udc80", "x" * 999]
)
def test_no_name_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    (written,) = write_proofs(report(f"agent.{name}", adapter=name), tmp_path)
    assert written.resolve().is_relative_to(tmp_path.resolve())
    assert len(written.relative_to(tmp_path).parts) == 4
    assert file_name(name).isascii()


def test_names_that_are_written_alike_get_folders_of_their_own(tmp_path: Path) -> None:
    one, other = write_proofs(report("agent.a[0]", "agent.a(0)"), tmp_path)
    assert {one.parent.name, other.parent.name} == {"a_0", "a_0-2"}

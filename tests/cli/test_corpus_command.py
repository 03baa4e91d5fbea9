# SPDX-License-Identifier: MIT
"""The commands ``verify corpus write`` and ``read``: what they say, and their exit codes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import adapters
import pytest
from agents import Agent
from typer.testing import CliRunner

from verification.cli.app import app

TINY = "adapters:Tiny"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(adapters.__file__).parent)])
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


def corpus(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["corpus", *arguments], prog_name="verify")


def written(*options: str, target: str = TINY) -> Any:
    return corpus("write", "kept", target, "--examples=2", "--seed=0", *options)


def edited(**changed: str) -> None:
    """Let the corpus be one of another environment."""
    manifest = Path("kept/corpus.json")
    told = json.loads(manifest.read_text())
    told["environment"].update(changed)
    manifest.write_text(json.dumps(told))


def sentences(result: Any) -> str:
    return " ".join(result.output.split())


def test_a_corpus_is_written_and_read_by_the_adapter_that_wrote_it() -> None:
    done = written()
    assert done.exit_code == 0, done.output
    assert "2 checkpoints of tiny (seed 0) written with torch " in sentences(done)
    assert "corpus: kept" in done.output
    read = corpus("read", "kept")
    assert read.exit_code == 0, read.output
    assert "read with torch " in read.output
    assert "000     batches      identical   identical over " in read.output
    assert "001     own loop     identical   identical over " in read.output
    assert read.output.endswith("the state that was saved. What follows is \nidentical.\n")
    assert max(map(len, read.output.splitlines())) <= 80


def test_the_agent_s_own_library_is_named_with_its_version() -> None:
    written()
    edited(my_library="1.2.3")
    assert "written with my_library 1.2.3, torch" in corpus("read", "kept").output


def test_another_state_fails_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    written()
    edited(torch="1.0")
    restore = Agent.restore
    monkeypatch.setattr(Agent, "restore", lambda self, contents: restore(self, {**contents, "gain": 9.0}))
    read = corpus("read", "kept")
    assert read.exit_code == 1
    assert "000     batches      differs" in read.output
    assert "000: the load restored another state: agent.gain is up to " in sentences(read)
    assert "0 of 2 checkpoints load with the state that was saved." in sentences(read)


def test_a_refused_checkpoint_fails_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    written()

    def load(self: Agent, path: Path) -> None:
        raise ValueError("version 1 is no longer read")

    monkeypatch.setattr(Agent, "load", load)
    read = corpus("read", "kept")
    assert read.exit_code == 1
    assert "001     own loop     refused" in read.output
    assert "001: load() raised ValueError: version 1 is no longer read" in sentences(read)


def test_other_updates_fail_only_where_the_versions_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    written()
    restore, update = Agent.restore, Agent.update
    resumed: list[Agent] = []

    def restored(self: Agent, contents: Any) -> None:
        restore(self, contents)
        resumed.append(self)

    def scaled(self: Agent, batch: Any) -> None:
        update(self, (batch[0], 2 * batch[1]) if self in resumed else batch)

    monkeypatch.setattr(Agent, "restore", restored)
    monkeypatch.setattr(Agent, "update", scaled)
    read = corpus("read", "kept")
    assert read.exit_code == 1
    assert "so that it should be identical" in sentences(read)
    assert "differs at step " in read.output
    edited(torch="1.0")
    read = corpus("read", "kept")
    assert read.exit_code == 0
    assert "so that it should be identical" not in sentences(read)
    assert "differs at step " in read.output


def test_what_no_load_brings_back_is_told_both_times() -> None:
    done = written(target="adapters:LosesItsCounter")
    assert "a load did not bring back agent.total_it: `verify check` says" in sentences(done)
    read = corpus("read", "kept")
    assert read.exit_code == 0, read.output
    assert "a load did not bring back agent.total_it" in sentences(read)


def test_json_has_everything() -> None:
    written()
    read = corpus("read", "kept", TINY, "--json")
    told = json.loads(read.output)
    assert (told["adapter"], told["ok"], told["written"]) == ("tiny", True, told["read"])
    assert [one["updates"]["first"] for one in told["entries"]] == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["read", "nowhere"], "verify: nowhere is no corpus: it has no corpus.json"),
        (["write", ".", "td3_cor"], "there is no adapter 'td3_cor'; did you mean 'td3_core'?"),
        (["write", "kept", "--examples=0"], "--examples"),
        (["write", "kept", "adapters:NoSave"], "save"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], sentence: str) -> None:
    result = corpus(*arguments)
    assert result.exit_code == 2
    assert sentence in sentences(result)
    assert "Traceback" not in result.output


def test_a_folder_with_something_in_it_is_refused() -> None:
    Path("kept").mkdir()
    Path("kept/mine").touch()
    done = written()
    assert done.exit_code == 2
    assert "verify: kept is there already; a corpus goes into a folder of its own" in done.output


def test_an_agent_that_does_not_repeat_itself_is_inconclusive() -> None:
    done = written(target="adapters:Noisy")
    assert done.exit_code == 3
    assert "two runs without any save differ" in sentences(done)


def test_a_save_that_raises_fails_with_its_sentence() -> None:
    done = written(target="adapters:SaveRaises")
    assert done.exit_code == 1
    assert "verify: save() raised AttributeError" in done.output

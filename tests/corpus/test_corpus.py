# SPDX-License-Identifier: MIT
"""Corpora: what was saved is the same here or told, what follows is compared, and versions are not blamed."""

from __future__ import annotations

import dataclasses
import gzip
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from adapters import OpenLoop, Tiny
from agents import Agent

from verification.adapters.find import load_adapter
from verification.corpus import record
from verification.corpus.manifest import read_manifest, same_bits
from verification.corpus.reading import Reading, read_corpus
from verification.corpus.writing import write_corpus
from verification.engine.arms import Moment
from verification.errors import Inconclusive, UsageError
from verification.state import Snapshot, take

if TYPE_CHECKING:
    from pathlib import Path

    from verification.corpus.manifest import Manifest


def write(folder: Path, adapter: Any = None, examples: int = 4, seed: int = 0) -> Manifest:
    adapter = adapter or Tiny()
    return write_corpus(folder, f"adapters:{type(adapter).__name__}", adapter, examples=examples, seed=seed)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four checkpoints of a correct agent."""
    folder = tmp_path_factory.mktemp("written") / "corpus"
    write(folder)
    return folder


@pytest.fixture
def corpus(written: Path, tmp_path: Path) -> Path:
    """A copy of them."""
    return shutil.copytree(written, tmp_path / "corpus")


def of_another_version(corpus: Path) -> None:
    """Let it be a corpus that was written elsewhere."""
    manifest = corpus / "corpus.json"
    told = json.loads(manifest.read_text())
    told["environment"]["torch"] = "1.0"
    manifest.write_text(json.dumps(told))


def states(reading: Reading) -> list[str]:
    return [told for one in reading.entries for told in one.state]


def firsts(reading: Reading) -> list[int]:
    return [one.updates.first for one in reading.entries if one.updates is not None]


# -- under the same versions -------------------------------------------------------------------------------


def test_what_was_written_is_read(corpus: Path) -> None:
    reading = read_corpus(corpus, Tiny())
    assert reading.ok
    assert reading.exact
    assert [one.entry.closed_loop for one in reading.entries] == [False, True, False, True]
    for one in reading.entries:
        assert (one.raised, one.state, one.forms) == ("", (), ())
        assert one.updates is not None
        assert (one.updates.first, one.updates.steps) == (0, one.entry.followed)
        assert one.updates.steps >= 4


def test_a_seed_draws_the_same_corpus(corpus: Path, tmp_path: Path) -> None:
    write(tmp_path / "again")
    for name in ("program.json", "record.json.gz"):
        for entry in sorted(corpus.glob("0*")):
            assert (entry / name).read_bytes() == (tmp_path / "again" / entry.name / name).read_bytes()


def test_everything_beside_the_checkpoints_is_plain_data(corpus: Path) -> None:
    files = [file for file in corpus.rglob("*") if file.is_file() and file.parent.name != "checkpoint"]
    assert len(files) == 1 + 2 * 4
    for file in files:
        json.loads(gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes())


def test_reading_leaves_the_corpus_as_it_is(tmp_path: Path) -> None:
    adapter = Tiny("eats its checkpoint")
    write(tmp_path / "corpus", adapter)
    before = {file: file.read_bytes() for file in (tmp_path / "corpus").rglob("*") if file.is_file()}
    assert any(file.parent.name == "checkpoint" for file in before)
    read_corpus(tmp_path / "corpus", adapter)
    assert {file: file.read_bytes() for file in (tmp_path / "corpus").rglob("*") if file.is_file()} == before


def test_an_agent_without_a_loop_is_trained_on_batches(tmp_path: Path) -> None:
    manifest = write(tmp_path / "corpus", OpenLoop())
    assert [entry.closed_loop for entry in manifest.entries] == [False] * 4
    assert read_corpus(tmp_path / "corpus", OpenLoop()).ok


def test_a_flipped_bit_in_a_checkpoint_is_another_state(corpus: Path) -> None:
    file = corpus / "000" / "checkpoint" / "checkpoint"
    contents = torch.load(file, weights_only=True)
    contents["net"]["weight"].view(torch.int32)[0, 1] ^= 1
    torch.save(contents, file)
    reading = read_corpus(corpus, Tiny())
    assert not reading.ok
    assert reading.entries[0].state == ("agent.net.weight is up to 1 ULP apart",)
    assert all(one.restored for one in reading.entries[1:])


def test_other_updates_fail_where_the_versions_are_the_same_and_only_there(corpus: Path) -> None:
    moments = record.read(corpus / "001" / "record.json.gz")
    leaves = dict(moments[2].snapshot.leaves)
    leaf = leaves["agent.net.weight"]
    leaves["agent.net.weight"] = leaf._replace(
        digest=b"another", value=leaf.value + np.array([0, 3], np.int32)
    )
    moments[2] = Moment(Snapshot(leaves), moments[2].output)
    record.write(corpus / "001" / "record.json.gz", moments)
    reading = read_corpus(corpus, Tiny())
    assert not reading.ok
    assert firsts(reading) == [0, 2, 0, 0]
    updates = reading.entries[1].updates
    assert updates is not None
    assert (updates.layers, updates.apart, updates.others) == ({"agent.net (Linear)": 3}, 3, ())
    of_another_version(corpus)
    assert read_corpus(corpus, Tiny()).ok


@pytest.mark.parametrize("name", ["torch", "numpy", "machine", "cpu"])
def test_what_decides_about_bits(name: str) -> None:
    one = {"python": "3", "torch": "2", "numpy": "1", "machine": "m", "cpu": "c"}
    assert same_bits(one, {**one, "python": "4"})
    assert not same_bits(one, {**one, name: "other"})


# -- another version of the agent --------------------------------------------------------------------------


def test_a_load_that_raises_is_refused(corpus: Path) -> None:
    reading = read_corpus(corpus, Tiny("load raises"))
    assert not reading.ok
    assert all("KeyError" in one.raised and not one.restored for one in reading.entries)


def test_a_step_that_raises_behind_the_load_is_told(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def restore(self: Agent, contents: Any) -> None:
        self.optimizer = None  # type: ignore[assignment]

    monkeypatch.setattr(Agent, "restore", restore)
    reading = read_corpus(corpus, Tiny())
    assert not reading.ok
    assert all("raised" in one.raised for one in reading.entries)


@pytest.mark.parametrize("piece", ["net_target", "optimizer", "schedule", "total_it", "noise"])
def test_a_version_that_no_longer_restores_a_piece_is_not_excused(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, piece: str
) -> None:
    """Although what it saves itself comes back no better."""
    of_another_version(corpus)
    restore = Agent.restore
    monkeypatch.setattr(
        Agent,
        "restore",
        lambda self, contents: restore(self, {key: contents[key] for key in contents if key != piece}),
    )
    reading = read_corpus(corpus, Tiny())
    assert not reading.ok
    assert any(piece in told for told in states(reading))


def test_a_piece_under_another_name_that_old_checkpoints_do_not_fill_is_told(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_another_version(corpus)
    update = Agent.update

    def counted(self: Agent, batch: Any) -> None:
        self.updates = getattr(self, "updates", 0) + 1  # type: ignore[attr-defined]
        update(self, batch)

    monkeypatch.setattr(Agent, "update", counted)
    reading = read_corpus(corpus, Tiny())
    assert not reading.ok
    assert set(states(reading)) == {"agent.updates is new here, and no load fills it"}


def test_what_every_agent_of_a_version_has_is_a_form(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_another_version(corpus)
    build = Agent.__init__

    def built(self: Agent, *arguments: Any) -> None:
        build(self, *arguments)
        self.optimizer.param_groups[0]["new_option"] = False
        self.version = 2  # type: ignore[attr-defined]

    def restore(self: Agent, contents: Any) -> None:
        restored(self, contents)
        self.optimizer.param_groups[0]["new_option"] = False

    restored = Agent.restore
    monkeypatch.setattr(Agent, "__init__", built)
    monkeypatch.setattr(Agent, "restore", restore)
    reading = read_corpus(corpus, Tiny())
    assert reading.ok
    for one in reading.entries:
        assert "agent.version" in one.forms
        assert "agent.optimizer.param_groups[0]['new_option']" in one.forms
    assert firsts(reading) == [0] * 4


def test_a_class_that_moves_is_a_form_and_what_it_holds_is_compared(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_another_version(corpus)
    for file in corpus.glob("*/record.json.gz"):
        moments = [Moment(as_if_moved(moment.snapshot), moment.output) for moment in record.read(file)]
        record.write(file, moments)
    reading = read_corpus(corpus, Tiny())
    assert reading.ok
    assert [one.forms for one in reading.entries] == [("agent",)] * 4
    assert firsts(reading) == [0] * 4
    restore = Agent.restore

    def restore_more(self: Agent, contents: Any) -> None:
        restore(self, {**contents, "total_it": contents["total_it"] + 1})

    monkeypatch.setattr(Agent, "restore", restore_more)
    reading = read_corpus(corpus, Tiny())
    assert not reading.ok
    assert all("agent.total_it was" in one.state[0] for one in reading.entries)


def as_if_moved(snapshot: Snapshot) -> Snapshot:
    """The snapshot as it was when the agent's class was in another module."""
    agent = snapshot.leaves["agent"]._replace(digest=b"agents.old.Agent", value="agents.old.Agent")
    return dataclasses.replace(snapshot, leaves={**snapshot.leaves, "agent": agent})


class Later(torch.optim.lr_scheduler.ExponentialLR):
    """A schedule of another class, with the same contents."""


def test_another_class_than_agents_here_have_is_another_state(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore = Agent.restore

    def restore_another(self: Agent, contents: Any) -> None:
        restore(self, contents)
        self.schedule.__class__ = Later

    monkeypatch.setattr(Agent, "restore", restore_another)
    reading = read_corpus(corpus, Tiny())
    assert not reading.ok
    told = "agent.schedule was torch.optim.lr_scheduler.ExponentialLR, and is test_corpus.Later here"
    assert states(reading) == [told] * 4


def test_other_arithmetic_is_told_by_layer(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_another_version(corpus)
    update = Agent.update

    def rounded(self: Agent, batch: Any) -> None:
        update(self, batch)
        with torch.no_grad():
            self.net.bias.view(torch.int32).add_(2)

    # Only behind the load: the state that was saved is the same.
    restore = Agent.restore

    def restored(self: Agent, contents: Any) -> None:
        restore(self, contents)
        monkeypatch.setattr(Agent, "update", rounded)

    monkeypatch.setattr(Agent, "restore", restored)
    reading = read_corpus(corpus, Tiny())
    assert all(one.state == () for one in reading.entries[:1])
    first = reading.entries[0].updates
    assert first is not None
    assert (first.first > 0, first.layers["agent.net (Linear)"]) == (True, 2)


# -- losses that are there under any version ---------------------------------------------------------------


def test_what_no_load_brings_back_is_told_and_not_counted(tmp_path: Path) -> None:
    adapter = Tiny("loses its noise")
    manifest = write(tmp_path / "corpus", adapter)
    assert any("agent.noise" in path for entry in manifest.entries for path in entry.unrestored)
    assert read_corpus(tmp_path / "corpus", adapter).ok


def test_an_agent_that_does_not_repeat_itself_makes_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(Inconclusive):
        write(tmp_path / "corpus", Tiny("is nondeterministic"))
    assert not (tmp_path / "corpus" / "corpus.json").exists()


# -- files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["td3_core", "sac"])
def test_a_record_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    adapter = load_adapter(name)
    write_corpus(tmp_path / "corpus", name, adapter, examples=2, seed=3)
    for number in range(2):
        file = tmp_path / "corpus" / f"{number:03}" / "record.json.gz"
        record.write(tmp_path / "again", record.read(file))
        for before, after in zip(record.read(file), record.read(tmp_path / "again"), strict=True):
            assert_same(before.snapshot, after.snapshot)
            assert_same(before.output, after.output)


def assert_same(one: Snapshot, other: Snapshot) -> None:
    assert set(one.leaves) == set(other.leaves)
    for path, leaf in one.leaves.items():
        assert other.leaves[path][:4] == leaf[:4]
        assert np.array_equal(np.asarray(other.leaves[path].value), np.asarray(leaf.value))
    assert set(one.defaults) <= set(other.defaults)
    assert one.hidden <= other.hidden


def test_a_record_keeps_what_is_compared(tmp_path: Path) -> None:
    class Changing:
        """Gains and loses attributes, and holds numbers of many kinds."""

    agent = Changing()
    moments = []
    for step in range(3):
        vars(agent).clear()
        setattr(agent, f"only_at_{step}", step)
        agent.always = 7  # type: ignore[attr-defined]
        agent.floats = torch.arange(40, dtype=torch.bfloat16) + step  # type: ignore[attr-defined]
        agent.doubles = np.array([0.0, -0.0, np.nan, step])  # type: ignore[attr-defined]
        agent.number, agent.name = float("inf"), "x" * 500  # type: ignore[attr-defined]
        agent.nothing = None  # type: ignore[attr-defined]
        moments.append(
            Moment(record.recorded(take({"agent": agent})), record.recorded(take({"action": step})))
        )
    record.write(tmp_path / "record", moments)
    for before, after in zip(moments, record.read(tmp_path / "record"), strict=True):
        assert_same(before.snapshot, after.snapshot)
        assert_same(before.output, after.output)
    floats = moments[1].snapshot.leaves["agent.floats"].value
    assert isinstance(floats, np.ndarray)
    whole = (torch.arange(40, dtype=torch.bfloat16) + 1).view(torch.int16).numpy()
    assert (len(floats), floats[0], floats[-1]) == (record.MOST, whole[0], whole[-1])


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="there already"):
        write(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    write(tmp_path, examples=1)
    assert read_corpus(tmp_path, Tiny()).ok


def test_what_is_no_corpus_is_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no corpus\.json"):
        read_manifest(tmp_path)
    manifest = corpus / "corpus.json"
    told = json.loads(manifest.read_text())
    for text, sentence in (
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        (json.dumps({**told, "format": 2}), "with a later version"),
        (json.dumps({"format": 1}), "damaged"),
        (json.dumps({**told, "entries": [{"name": "000"}]}), "damaged"),
    ):
        manifest.write_text(text)
        with pytest.raises(UsageError, match=sentence):
            read_manifest(corpus)


@pytest.mark.parametrize("name", ["program.json", "record.json.gz", "checkpoint"])
def test_a_damaged_entry_is_refused(corpus: Path, name: str) -> None:
    (corpus / "001" / name).rename(corpus / "001" / "elsewhere")
    with pytest.raises(UsageError, match="001 is damaged"):
        read_corpus(corpus, Tiny())


def test_a_class_that_is_gone_is_told_of_the_entry(corpus: Path) -> None:
    program = corpus / "001" / "program.json"
    program.write_text(program.read_text().replace("agents:Config", "agents:Konfig"))
    reading = read_corpus(corpus, Tiny())
    assert not reading.ok
    assert "Konfig" in reading.entries[1].raised
    assert all(not one.raised for one in reading.entries if one.entry.name != "001")


def test_batches_that_are_no_plain_data_make_no_corpus(tmp_path: Path) -> None:
    class Local(OpenLoop):
        def batches(self, config: Any) -> Any:
            return super().batches(config).map(lambda pair: Odd(*pair))

    class Odd(tuple):  # type: ignore[type-arg]  # at no module's top level
        __slots__ = ()

        def __new__(cls, *pair: float) -> Odd:
            return super().__new__(cls, pair)

    with pytest.raises(UsageError, match="plain data"):
        write(tmp_path / "corpus", Local())

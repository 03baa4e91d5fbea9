# SPDX-License-Identifier: MIT
"""Failing programs are kept, asked about first, repeated by their ID, written as scripts, and heal."""

from __future__ import annotations

import dataclasses
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import adapters
import pytest
from adapters import Tiny
from agents import Config
from typer.testing import CliRunner

from verification import Report, UsageError, Verdict, check_agent, conformance_suite
from verification.checks.registry import all_checks
from verification.cli.app import app
from verification.cli.replay import as_script
from verification.counterexamples.program_json import names_in
from verification.counterexamples.store import FOLDER, FailureStore, find, read
from verification.program import Learn, Program

COUNTERS = "counters_survive_reload"
TARGET = "mine:made"
PROGRAM = Program(
    config=Config(1.0),
    receiver_config=Config(1.5),
    seed=3,
    receiver_seed=4,
    steps=(Learn((1.0, -0.5)), Learn((0.25, 1.0))),
    cuts=(1,),
    receiver_steps=(Learn((1.0, 1.0)),),
    probe=(0.5, -0.25),
    entropy=11,
)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def store() -> FailureStore:
    return FailureStore(FOLDER, TARGET)


def check(store: FailureStore | None, defect: str = "loses its counter", **options: Any) -> Report:
    return check_agent(Tiny(defect), checks=[COUNTERS], seed=1, store=store, **{"examples": 5, **options})


def mine(defect: str, kind: str = "Tiny") -> None:
    """The adapter that the target names, in the current folder."""
    sys.modules.pop("mine", None)
    Path("mine.py").write_text(f"from adapters import {kind}\nmade = {kind}({defect!r})\n")


def verify(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), prog_name="verify")


# -- the store ---------------------------------------------------------------------------------------------


def test_a_failing_program_is_kept_under_an_id_of_its_own(store: FailureStore) -> None:
    result = check(store).result(COUNTERS)
    assert re.fullmatch("[0-9a-f]{8}", result.replay)
    kept = find(FOLDER, result.replay)
    assert (kept.target, kept.check, kept.sentence) == (TARGET, COUNTERS, result.sentence)
    assert store.clean(lambda: names_in(PROGRAM)) == []
    assert store.of(all_checks()[COUNTERS])[0].program().describe() == result.program
    assert (FOLDER / ".gitignore").read_text() == "*\n"


def test_ids_are_stable_and_tell_target_check_and_program_apart(store: FailureStore) -> None:
    one, other = all_checks()[COUNTERS], all_checks()["targets_survive_reload"]
    # An equal program that pickles differently: its config and the receiver's are two objects, or one.
    shared = dataclasses.replace(PROGRAM, receiver_config=PROGRAM.config)
    apart = dataclasses.replace(PROGRAM, receiver_config=Config(1.0))
    assert pickle.dumps(shared) != pickle.dumps(apart)
    assert store.keep(one, shared, "x") == store.keep(one, apart, "y")
    ids = {
        store.keep(one, PROGRAM, "x"),
        store.keep(other, PROGRAM, "x"),
        store.keep(one, dataclasses.replace(PROGRAM, seed=5), "x"),
        FailureStore(FOLDER, "other:made").keep(one, PROGRAM, "x"),
    }
    assert len(ids) == len(read(FOLDER)[0]) - 1 == 4
    assert [kept.check for kept in store.of(one)] == [COUNTERS] * 3


def test_what_has_no_form_to_keep_is_not_kept(store: FailureStore) -> None:
    assert store.keep(all_checks()[COUNTERS], dataclasses.replace(PROGRAM, probe=lambda: 1), "x") == ""
    assert not FOLDER.exists()


def test_a_folder_that_cannot_be_written_costs_only_the_id(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = check(FailureStore(tmp_path / "file", TARGET)).result(COUNTERS)
    assert (result.verdict, result.replay) == (Verdict.FAILED, "")


def test_nothing_is_written_unless_a_store_is_given(tmp_path: Path) -> None:
    assert check(None).result(COUNTERS).replay == ""
    assert list(tmp_path.iterdir()) == []


def test_a_known_failure_is_found_at_once(store: FailureStore) -> None:
    first = check(store).result(COUNTERS)
    built = []

    class Counts(Tiny):
        def build(self, config: Any, seed: int) -> Any:
            built.append(seed)
            return super().build(config, seed)

    report = check_agent(Counts("loses its counter"), checks=[COUNTERS], examples=1, seed=9, store=store)
    again = report.result(COUNTERS)
    assert (again.verdict, again.replay, again.program) == (Verdict.FAILED, first.replay, first.program)
    assert again.drawn == 1
    assert (first.remembered, again.remembered) == (False, True)
    known = {COUNTERS: "issue 7"}
    assert check(store, expected_failures=known).result(COUNTERS).verdict is Verdict.XFAILED


def test_a_failure_that_is_gone_is_forgotten(store: FailureStore) -> None:
    assert check(store).result(COUNTERS).replay
    assert check(store, defect="").ok
    assert read(FOLDER) == ([], [])


def test_other_adapters_and_checks_are_left_alone(store: FailureStore) -> None:
    check(store)
    before = read(FOLDER)
    check(FailureStore(FOLDER, "other:made"), defect="")
    check_agent(Tiny(), checks=["targets_survive_reload"], examples=1, store=store)
    assert read(FOLDER) == before


def test_a_program_that_the_adapter_no_longer_understands_is_left_to_be_drawn_anew(
    store: FailureStore,
) -> None:
    other = dataclasses.replace(PROGRAM, config="a config of another version")
    store.keep(all_checks()[COUNTERS], other, "x")
    assert check(store, defect="").ok


def test_what_the_adapter_never_names_is_not_read(
    store: FailureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a folder that came with somebody's repository."""
    name = check(store).result(COUNTERS).replay
    file = FOLDER / f"{name}.failure"
    code = '{"call":"pathlib:Path.touch","arguments":[{"call":"pathlib:Path","arguments":["ran"]}]}'
    file.write_text(f"{file.read_text().splitlines()[0]}\n{code}\n")
    mine("")
    for arguments in (["check", TARGET, "--check", COUNTERS, "--examples", "1", "-n", "1"], ["replay", name]):
        result = verify(*arguments)
        assert f"{name} was not" in result.output
        assert "it names pathlib:Path.touch, which no program of this adapter does" in result.output
    with pytest.warns(UserWarning, match="no program of this adapter does"):
        check(store, defect="")
    assert file.exists()
    assert not Path("ran").exists()


def test_files_that_cannot_be_read_are_dropped_with_a_sentence(store: FailureStore) -> None:
    name = check(store).result(COUNTERS).replay
    file = FOLDER / f"{name}.failure"
    header, _, _ = file.read_bytes().partition(b"\n")
    file.write_bytes(header + b"\ngarbage")
    (FOLDER / "00000000.failure").write_bytes(b"\xff\n")
    (FOLDER / "11111111.failure").write_text('{"id": "1", "new": 2}\n')
    with pytest.warns(UserWarning, match="it was dropped") as warned:
        assert check(store, defect="").ok
    assert [re.split(r" (?:is|can) no", str(one.message))[0] for one in warned] == [
        str(FOLDER / "00000000.failure"),
        str(FOLDER / "11111111.failure"),
        f"the failure kept as {name}",
    ]
    assert read(FOLDER) == ([], [])


def test_read_names_what_it_drops() -> None:
    FOLDER.mkdir(parents=True)
    (FOLDER / "00000000.failure").write_bytes(b"")
    stored, sentences = read(FOLDER)
    assert stored == []
    assert sentences == [
        f"{FOLDER / '00000000.failure'} is not a failure that this version can read; it was dropped"
    ]
    assert read(FOLDER) == ([], [])


def test_a_store_is_for_one_adapter(store: FailureStore) -> None:
    with pytest.raises(UsageError, match="a store keeps the failures of one adapter"):
        conformance_suite(Tiny(), Tiny(name="other"), store=store)


# -- verify replay -----------------------------------------------------------------------------------------


def test_replay_tells_the_story_until_the_failure_is_gone(store: FailureStore) -> None:
    result = check(store).result(COUNTERS)
    mine("loses its counter")
    again = verify("replay", result.replay)
    assert again.exit_code == 1
    assert f"({COUNTERS})" in again.output
    assert result.differences[0] in again.output
    assert "adapter.save(agent, path)" in again.output
    assert f"Again: verify replay {result.replay}" in again.output
    mine("")
    healed = verify("replay", result.replay)
    assert healed.exit_code == 0
    healed_words = f"{COUNTERS} passes now on the program kept as {result.replay}, in each of 3 tries"
    assert healed_words in healed.output
    gone = verify("replay", result.replay)
    assert gone.exit_code == 2
    assert f"verify: there is no failure '{result.replay}' in {FOLDER}; `verify replay` lists" in gone.output


def test_a_failure_that_comes_and_goes_is_asked_again(store: FailureStore) -> None:
    name = check(store).result(COUNTERS).replay
    sys.modules.pop("mine", None)
    Path("mine.py").write_text(
        "from adapters import Tiny\n"
        "class Moody(Tiny):\n"
        "    def load(self, agent, path):\n"
        "        Moody.loads = getattr(Moody, 'loads', 0) + 1\n"
        "        agent = super().load(agent, path)\n"
        "        agent.total_it += 5 if Moody.loads > 1 else 0\n"
        "        return agent\n"
        "made = Moody()\n"
    )
    again = verify("replay", name)
    assert again.exit_code in {1, 3}
    assert re.search(r"It passed (once|2 times) before it failed: it comes and goes\.", again.output)


def test_replay_without_an_id_lists_what_is_kept(store: FailureStore) -> None:
    assert f"no failures are kept in {FOLDER}" in verify("replay").output
    result = check(store).result(COUNTERS)
    listed = verify("replay")
    assert listed.exit_code == 0
    for piece in (result.replay, TARGET, COUNTERS, result.sentence):
        assert piece in listed.output


def test_an_unknown_id_is_told_the_nearest(store: FailureStore) -> None:
    name = store.keep(all_checks()[COUNTERS], PROGRAM, "x")
    result = verify("replay", name[:-1] + "x")
    assert result.exit_code == 2
    assert f"did you mean '{name}'?" in result.output


def test_an_error_of_the_adapter_is_no_failure_and_keeps_it(store: FailureStore) -> None:
    name = store.keep(all_checks()[COUNTERS], PROGRAM, "x")
    Path("mine.py").write_text("from adapters import LearnHasATypo\nmade = LearnHasATypo()\n")
    result = verify("replay", name)
    assert result.exit_code == 1
    assert "learn() raised AttributeError" in result.output
    assert find(FOLDER, name)


@pytest.mark.parametrize("broken", ["program", "check", "adapter"])
def test_what_no_longer_exists_is_one_sentence(broken: str, store: FailureStore) -> None:
    name = store.keep(all_checks()[COUNTERS], PROGRAM, "x")
    file = FOLDER / f"{name}.failure"
    mine("")
    match broken:
        case "program":
            file.write_bytes(file.read_bytes().partition(b"\n")[0] + b"\ngarbage")
        case "check":
            file.write_bytes(file.read_bytes().replace(COUNTERS.encode(), b"an_old_check", 1))
        case "adapter":
            Path("mine.py").unlink()
    result = verify("replay", name)
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1
    assert file.exists() is (broken == "adapter")


# -- scripts -----------------------------------------------------------------------------------------------


def run(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "repro.py").write_text(text)
    paths = [str(Path(adapters.__file__).parent), str(Path(__file__).parents[2])]
    return subprocess.run(
        [sys.executable, "repro.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_script_shows_the_failure_and_that_it_is_gone(store: FailureStore, tmp_path: Path) -> None:
    name = store.keep(all_checks()[COUNTERS], PROGRAM, "counters saved after 1 step came back different")
    mine("loses its counter")
    printed = verify("replay", name, "--script")
    assert printed.exit_code == 0
    assert "verification" not in printed.output
    find(FOLDER, name).file.unlink()  # it stands on its own
    failed = run(printed.output, tmp_path)
    assert failed.returncode == 1
    assert "right after the load, agent.total_it differs by up to 1\n" in failed.stdout
    mine("")
    passed = run(printed.output, tmp_path)
    assert (passed.returncode, passed.stderr) == (0, "")
    assert "right after the load, agent.total_it differs by up to 0\n" in passed.stdout


def test_a_script_runs_the_check_where_nothing_is_lost(store: FailureStore, tmp_path: Path) -> None:
    name = store.keep(all_checks()[COUNTERS], PROGRAM, "counters saved after 1 step came back different")
    mine("")
    text = as_script(find(FOLDER, name))
    assert "config=Config()," in text
    assert "Learn(batch=(1.0, -0.5))," in text
    assert "stored" not in text
    assert "\nfrom verification.program import Learn, Program\n" in text
    find(FOLDER, name).file.unlink()  # it stands on its own
    passed = run(text, tmp_path)
    assert (passed.returncode, passed.stdout, passed.stderr) == (0, f"{COUNTERS} passes now\n", "")
    mine("loses its counter")
    failed = run(text, tmp_path)
    assert failed.returncode == 1
    assert "agent.total_it expected 1, got 0" in failed.stderr


def test_what_has_no_source_is_read_from_the_file(store: FailureStore, tmp_path: Path) -> None:
    steps = (Learn(adapters.Pair(1.0, -0.5)), *PROGRAM.steps)
    name = store.keep(all_checks()[COUNTERS], dataclasses.replace(PROGRAM, steps=steps), "x")
    mine("", "Pairs")
    text = as_script(find(FOLDER, name))
    assert "        stored.steps[0],\n        Learn(batch=(1.0, -0.5)),\n" in text
    mine("loses its counter", "Pairs")
    failed = run(text, tmp_path)
    assert failed.returncode == 1
    assert "agent.total_it expected 1, got 0" in failed.stderr


@pytest.mark.parametrize("bystander", [False, True])
def test_a_script_has_every_field_but_those_with_their_default(store: FailureStore, bystander: bool) -> None:
    program = dataclasses.replace(PROGRAM, bystander=bystander)
    mine("")
    text = as_script(find(FOLDER, store.keep(all_checks()[COUNTERS], program, "x")))
    fields = {field.name for field in dataclasses.fields(Program)}
    missing = {name for name in fields if f"\n    {name}=" not in text}
    assert missing == ({"horizon"} if bystander else {"bystander", "horizon"})

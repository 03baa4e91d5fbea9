# SPDX-License-Identifier: MIT
"""A replay buffer in segments: what is new is written, what is needed is kept, what is damaged is refused."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from segmented import Segmented

from td3_core import TD3, CheckpointError, TD3Config, replay
from td3_core.checkpoint.format import parse_checkpoint, write_checkpoint
from td3_core.replay import ReplayBuffer
from td3_core.training import segment_files, segment_folder
from td3_core.training.environments import make_env
from td3_core.training.run import TrainingRun
from verification import check_agent

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 5
CONFIG = TD3Config.tiny("vector", vector_size=3, action_size=1)
ROW_BYTES = 4 * (3 + 3 + 1 + 1 + 1)


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "SEGMENT_BYTES", ROWS * ROW_BYTES + 1)


def started(capacity: int = 23, seed: int = 1) -> TrainingRun:
    env = make_env("Pendulum-v1")
    return TrainingRun(
        TD3(CONFIG, seed=seed), env, capacity=capacity, batch_size=4, learning_starts=1000, seed=seed
    )


def buffer_of(run: TrainingRun) -> tuple[Any, ...]:
    buffer = run.replay_buffer
    rows = {key: array.tobytes() for key, array in buffer.rows(slice(len(buffer))).items()}
    return buffer.capacity, buffer.position, buffer.full, rows


def files(folder: Path) -> set[str]:
    return {file.name for file in (folder / "replay").glob("*")}


def names(path: Path) -> list[str]:
    return names_in(parse_checkpoint(path)["run"]["replay_buffer"])


def names_in(stored: dict[str, Any]) -> list[str]:
    return list(stored.get("segments", {"names": []})["names"])


def continued(path: Path) -> TrainingRun:
    run = TrainingRun.resume(path)
    run.env.close()
    return run


@pytest.mark.parametrize("steps", [0, 4, 5, 6, 22, 23, 24, 25, 27, 28, 43, 45, 46, 51])
def test_every_place_in_the_ring_comes_back(steps: int, tmp_path: Path) -> None:
    run = started()
    assert run.replay_buffer.segment_rows == ROWS
    run.run(steps)
    run.save(tmp_path / "run.pth")
    again = continued(tmp_path / "run.pth")
    assert buffer_of(again) == buffer_of(run)
    size, position = min(steps, 23), steps % 23
    half_overwritten = size == 23 and position % ROWS != 0 and position < 20
    assert len(names(tmp_path / "run.pth")) == size // ROWS - half_overwritten
    inside = parse_checkpoint(tmp_path / "run.pth")["run"]["replay_buffer"]["arrays"]["reward"]
    assert len(inside) == size - ROWS * len(names(tmp_path / "run.pth")) < 2 * ROWS


def test_what_is_saved_does_not_depend_on_earlier_saves(tmp_path: Path) -> None:
    often, once = started(), started()
    for step in range(1, 41):
        often.run(1)
        often.save(tmp_path / "often" / "run.pth")
        if step % 7 == 0:
            often = continued(tmp_path / "often" / "run.pth")
    once.run(40)
    once.save(tmp_path / "once" / "run.pth")
    saved = [(tmp_path / kind / "run.pth").read_bytes() for kind in ("often", "once")]
    assert saved[0] == saved[1]
    assert files(tmp_path / "often") == files(tmp_path / "once")


def test_a_save_writes_only_what_is_new(tmp_path: Path) -> None:
    run = started()
    run.run(17)
    run.save(tmp_path / "a.pth")
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "replay").iterdir()}
    assert len(before) == 3
    run.run(4)
    run.save(tmp_path / "b.pth")
    resumed = continued(tmp_path / "b.pth")
    resumed.run(1)
    resumed.save(tmp_path / "c.pth")
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert len(files(tmp_path)) == 4


def test_a_segment_is_its_number_and_the_bytes_of_its_rows_and_the_file_an_ordinary_checkpoint(
    tmp_path: Path,
) -> None:
    run = started()
    run.run(12)
    run.save(tmp_path / "run.pth")
    stored = torch.load(tmp_path / "run.pth", weights_only=True)["run"]["replay_buffer"]
    second = (tmp_path / stored["segments"]["names"][1]).read_bytes()
    rows = run.replay_buffer.rows(slice(5, 10))
    assert list(rows) == list(stored["arrays"])
    assert second == b"td3_core segment 1\n" + b"".join(array.tobytes() for array in rows.values())


def test_segments_stay_while_a_checkpoint_names_them(tmp_path: Path) -> None:
    run = started()
    run.run(23)
    run.save(tmp_path / "old.pth")
    before = buffer_of(run)
    run.run(23)
    run.save(tmp_path / "new.pth")
    assert files(tmp_path) == {Path(name).name for name in names(tmp_path / "old.pth")} | {
        Path(name).name for name in names(tmp_path / "new.pth")
    }
    assert len(files(tmp_path)) == 8
    assert buffer_of(continued(tmp_path / "old.pth")) == before
    (tmp_path / "old.pth").unlink()
    run.save(tmp_path / "new.pth")
    assert files(tmp_path) == {Path(name).name for name in names(tmp_path / "new.pth")}


def test_what_a_crash_left_is_removed_by_the_next_save_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started()
    run.run(12)
    with monkeypatch.context() as patched:
        patched.setattr(TD3, "save_checkpoint", lambda *_, **__: None)
        patched.setattr(segment_files, "remove_unnamed", lambda _: None)
        run.save(tmp_path / "never.pth")
    orphans = files(tmp_path)
    assert len(orphans) == 2
    (tmp_path / "replay" / "notes.txt").write_text("mine")
    run.run(23)
    run.save(tmp_path / "run.pth")
    assert not orphans & files(tmp_path)
    assert "notes.txt" in files(tmp_path)


def test_nothing_is_removed_while_a_checkpoint_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started()
    run.run(12)
    run.save(tmp_path / "run.pth")
    before = files(tmp_path)

    def unreadable(file: Path) -> frozenset[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(segment_folder, "_names_in", unreadable)
    run.run(23)
    run.save(tmp_path / "run.pth")
    assert before < files(tmp_path)


def test_a_segment_that_was_lost_or_changed_is_written_again(tmp_path: Path) -> None:
    run = started()
    run.run(12)
    run.save(tmp_path / "run.pth")
    first, second = (tmp_path / name for name in names(tmp_path / "run.pth"))
    first.unlink()
    second.write_bytes(bytes(second.stat().st_size))
    run.save(tmp_path / "run.pth")
    assert buffer_of(continued(tmp_path / "run.pth")) == buffer_of(run)


def damage_missing(file: Path) -> None:
    file.unlink()


def damage_cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def damage_flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[17] ^= 4
    file.write_bytes(content)


def damage_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def damage_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    "damage",
    [damage_missing, damage_cut, damage_flipped, damage_folder, damage_pipe],
    ids=lambda one: str(one.__name__),
)
def test_a_missing_or_damaged_segment_is_named_and_changes_nothing(damage: Any, tmp_path: Path) -> None:
    run, receiver = started(), started(seed=2)
    run.run(17)
    run.save(tmp_path / "run.pth")
    receiver.run(30)
    before = buffer_of(receiver), receiver.agent.exploration_generator.get_state().tolist()
    segment = tmp_path / names(tmp_path / "run.pth")[1]
    damage(segment)
    with pytest.raises(CheckpointError, match=str(segment)):
        receiver.load(tmp_path / "run.pth")
    assert before == (buffer_of(receiver), receiver.agent.exploration_generator.get_state().tolist())
    with pytest.raises(CheckpointError, match=str(segment)):
        TrainingRun.resume(tmp_path / "run.pth")


def renamed(stored: dict[str, Any], change: Callable[[str], object]) -> None:
    stored["segments"]["names"] = [change(name) for name in stored["segments"]["names"]]


WRONG: dict[str, Callable[[dict[str, Any]], object]] = {
    "too few": lambda stored: stored["segments"]["names"].pop(),
    "another length": lambda stored: stored["segments"].update(rows=4),
    "no length": lambda stored: stored["segments"].update(rows=0),
    "rows without end": lambda stored: stored["segments"].update(rows=2**63),
    "above": lambda stored: renamed(stored, lambda name: "../" + name),
    "around": lambda stored: renamed(stored, lambda name: name.replace("/", "/../replay/")),
    "absolute": lambda stored: renamed(stored, lambda name: "/etc/" + name),
    "another ending": lambda stored: renamed(stored, lambda name: name + "\n"),
    "capitals": lambda stored: renamed(stored, str.upper),
    "no text": lambda stored: renamed(stored, str.encode),
    "one for all": lambda stored: renamed(stored, lambda _: stored["segments"]["names"][0]),
    "more": lambda stored: stored["segments"].update(more=1),
    "none": lambda stored: stored["segments"].update(names=[]),
    "no list": lambda stored: stored["segments"].update(names=7),
    "no dict": lambda stored: stored.update(segments=[]),
    "position": lambda stored: stored.update(position=-1),
    "full": lambda stored: stored.update(full=1),
    "no arrays": lambda stored: stored.pop("arrays"),
    "a row too many": lambda stored: stored["arrays"].update(reward=torch.zeros(3, 1)),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_does_not_fit_is_refused(wrong: str, tmp_path: Path) -> None:
    run = started()
    run.run(17)
    run.save(tmp_path / "run.pth")
    contents = parse_checkpoint(tmp_path / "run.pth")
    WRONG[wrong](contents["run"]["replay_buffer"])
    write_checkpoint(tmp_path / "run.pth", contents)
    refused = r"the replay buffer cannot be restored: |as a training run writes it: run\['replay_buffer'\]$"
    with pytest.raises(CheckpointError, match=refused):
        TrainingRun.resume(tmp_path / "run.pth")


def test_a_file_that_speaks_of_more_than_there_is_takes_no_memory_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started()
    run.run(17)
    run.save(tmp_path / "run.pth")
    contents = parse_checkpoint(tmp_path / "run.pth")
    section, many = contents["run"], 10**7
    section["settings"]["capacity"] = many
    stored = section["replay_buffer"]
    stored.update(
        capacity=many, full=True, position=0, segments={"rows": many, "names": names_in(stored)[:1]}
    )
    stored["arrays"] = {key: rows[:0] for key, rows in stored["arrays"].items()}
    write_checkpoint(tmp_path / "run.pth", contents)
    with pytest.raises(CheckpointError, match=rf"has 199 bytes and not {many * ROW_BYTES + 19}"):
        TrainingRun.resume(tmp_path / "run.pth")
    buffer = ReplayBuffer(CONFIG, many)
    monkeypatch.delattr(ReplayBuffer, "_allocate")
    with pytest.raises(CheckpointError, match="has 199 bytes"):
        segment_files.load(buffer, stored, tmp_path / "run.pth")


def test_a_segment_in_the_place_of_another_is_found(tmp_path: Path) -> None:
    run = started()
    run.run(17)
    run.save(tmp_path / "run.pth")
    contents = parse_checkpoint(tmp_path / "run.pth")
    contents["run"]["replay_buffer"]["segments"]["names"].reverse()
    write_checkpoint(tmp_path / "run.pth", contents)
    with pytest.raises(CheckpointError, match=r"its segment .* is damaged"):
        TrainingRun.resume(tmp_path / "run.pth")


def test_nothing_is_removed_behind_a_link(tmp_path: Path) -> None:
    run = started()
    run.run(12)
    run.save(tmp_path / "theirs" / "run.pth")
    before = files(tmp_path / "theirs")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "replay").symlink_to(tmp_path / "theirs" / "replay")
    run.run(23)
    run.save(tmp_path / "mine" / "run.pth")
    assert before < files(tmp_path / "theirs")
    assert buffer_of(continued(tmp_path / "mine" / "run.pth")) == buffer_of(run)


def test_a_run_that_cannot_write_its_segments_says_so_and_keeps_its_checkpoint(tmp_path: Path) -> None:
    run = started()
    run.run(3)
    run.save(tmp_path / "run.pth")
    before = (tmp_path / "run.pth").read_bytes()
    (tmp_path / "replay").write_text("in the way")
    run.run(3)
    with pytest.raises(CheckpointError, match=r"run\.pth is not written, because its segment .*/replay/"):
        run.save(tmp_path / "run.pth")
    assert (tmp_path / "run.pth").read_bytes() == before


def test_moving_a_run_is_moving_its_folder(tmp_path: Path) -> None:
    run = started()
    run.run(12)
    run.save(tmp_path / "here" / "run.pth")
    (tmp_path / "link.pth").symlink_to("here/run.pth")
    assert buffer_of(continued(tmp_path / "link.pth")) == buffer_of(run)
    (tmp_path / "here").rename(tmp_path / "there")
    assert buffer_of(continued(tmp_path / "there" / "run.pth")) == buffer_of(run)


def test_a_small_buffer_and_an_agent_alone_are_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "SEGMENT_BYTES", 8 * 1024 * 1024)
    run = started()
    run.run(30)
    run.save(tmp_path / "run.pth")
    run.agent.save_checkpoint(tmp_path / "agent.pth")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["agent.pth", "run.pth"]


def test_an_agent_in_segments_keeps_what_durable_promises() -> None:
    checks = ["concurrent_load_reads_a_whole_checkpoint", "missing_file_is_rejected"]
    report = check_agent(Segmented(), level="durable", checks=checks, examples=1)
    assert report.ok, report.summary()
    report.require(2)


def test_what_is_remembered_of_a_buffer_ends_with_it_and_with_what_it_holds(tmp_path: Path) -> None:
    run = started()
    run.run(12)
    run.save(tmp_path / "run.pth")
    buffer = run.replay_buffer
    assert set(replay.digests_of(buffer)) == {0, 1}
    run.run(12)
    assert set(replay.digests_of(buffer)) == {1}
    buffer.load_state_dict(buffer.state_dict())
    assert replay.digests_of(buffer) == {}
    count = len(replay._digests)
    del run, buffer
    gc.collect()
    assert len(replay._digests) == count - 1

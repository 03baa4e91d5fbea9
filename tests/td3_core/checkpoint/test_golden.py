# SPDX-License-Identifier: MIT
"""Checkpoints of every earlier format version load bit for bit."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import pytest
import torch

from td3_core import TD3, TD3Config, read_checkpoint
from td3_core.checkpoint.format import FORMAT_VERSION, parse_checkpoint, write_checkpoint
from td3_core.training.metrics import EpisodeSummary
from td3_core.training.run import InexactResumeWarning, TrainingRun
from td3_core.training.section import FORMAT_VERSION as RUN_VERSION

FOLDER = Path(__file__).parents[2] / "golden"
sys.path.insert(0, str(FOLDER))

import make  # noqa: E402

#: Runs of version 1 of their section, and of those since.
RUNS = [
    *(f"v{version}-run.pth" for version in range(1, 3)),
    *(f"v2-run{version}.pth" for version in range(2, RUN_VERSION + 1)),
    f"v{FORMAT_VERSION}-run{RUN_VERSION}.pth",
]
DIGESTS: dict[str, str] = json.loads((FOLDER / "digests.json").read_text())


def test_there_is_a_file_of_every_version() -> None:
    versions = {f"v{version}-agent.pth" for version in range(1, FORMAT_VERSION + 1)} | set(RUNS)
    assert versions == set(DIGESTS) == {path.name for path in FOLDER.glob("*.pth")}


@pytest.mark.parametrize("name", DIGESTS)
def test_contents_are_what_was_written(name: str) -> None:
    contents = read_checkpoint(FOLDER / name)
    assert make.digest(contents) == DIGESTS[name]
    assert make.digest(torch.load(FOLDER / name, weights_only=True)) == DIGESTS[name]
    assert contents["format_version"] == int(name[1])


@pytest.mark.parametrize("version", range(1, FORMAT_VERSION + 1))
def test_an_agent_loads_and_saves_the_same_again(version: int, tmp_path: Path) -> None:
    contents = read_checkpoint(FOLDER / f"v{version}-agent.pth")
    agent = TD3(TD3Config.from_dict(contents["config"]), seed=7)
    agent.load_checkpoint(FOLDER / f"v{version}-agent.pth")
    agent.save_checkpoint(tmp_path / "agent.pth")
    again = parse_checkpoint(tmp_path / "agent.pth")
    again["torch_version"] = contents["torch_version"]
    if version < 3:
        assert again["config"].pop("channels_last") is False
    assert make.digest(again) == DIGESTS[f"v{version}-agent.pth"]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_goes_on_where_it_was(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InexactResumeWarning)  # made with another torch or CPU
        run = TrainingRun.resume(FOLDER / name)
    assert (run.steps, len(run.episode.actions), run.replay_buffer.full) == (33, 33, True)
    assert (run.episodes, run.last_episode) == (0, None)
    run.run(2)


@pytest.mark.parametrize("cut", [slice(0, 5), slice(5, 12)], ids=["first", "second"])
def test_the_history_of_an_old_run_is_counted(cut: slice, tmp_path: Path) -> None:
    """As a run of version 1 that has finished episodes holds it."""
    contents = parse_checkpoint(FOLDER / "v2-run.pth")
    losses = {"critic_loss": 0.5, "actor_loss": -1.5}
    contents["run"]["history"] = [
        {"number": n, "step": 200 * n, "total_reward": -1.0 * n, "length": 200, "losses": losses}
        for n in range(1, 13)
    ][cut]
    write_checkpoint(tmp_path / "a.pth", contents)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InexactResumeWarning)
        run = TrainingRun.resume(tmp_path / "a.pth")
    last = EpisodeSummary(cut.stop, 200 * cut.stop, -1.0 * cut.stop, 200, losses)
    assert (run.episodes, run.last_episode) == (cut.stop - cut.start, last)


def test_changed_contents_change_the_digest() -> None:
    contents = parse_checkpoint(FOLDER / "v1-agent.pth")
    contents["actor_state_dict"]["0.bias"].view(torch.int32)[3] ^= 1
    assert make.digest(contents) != DIGESTS["v1-agent.pth"]

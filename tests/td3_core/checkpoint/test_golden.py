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
from td3_core.checkpoint.format import FORMAT_VERSION, parse_checkpoint
from td3_core.training.run import InexactResumeWarning, TrainingRun

FOLDER = Path(__file__).parents[2] / "golden"
sys.path.insert(0, str(FOLDER))

import make  # noqa: E402

DIGESTS: dict[str, str] = json.loads((FOLDER / "digests.json").read_text())


def test_there_is_a_file_of_every_version() -> None:
    versions = {
        f"v{version}-{kind}.pth" for version in range(1, FORMAT_VERSION + 1) for kind in ("agent", "run")
    }
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
    assert make.digest(again) == DIGESTS[f"v{version}-agent.pth"]


@pytest.mark.parametrize("version", range(1, FORMAT_VERSION + 1))
def test_a_run_goes_on_where_it_was(version: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InexactResumeWarning)  # made with another torch or CPU
        run = TrainingRun.resume(FOLDER / f"v{version}-run.pth")
    assert (run.steps, len(run.episode.actions), run.replay_buffer.full) == (33, 33, True)
    run.run(2)


def test_changed_contents_change_the_digest() -> None:
    contents = parse_checkpoint(FOLDER / "v1-agent.pth")
    contents["actor_state_dict"]["0.bias"].view(torch.int32)[3] ^= 1
    assert make.digest(contents) != DIGESTS["v1-agent.pth"]

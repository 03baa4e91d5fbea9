# SPDX-License-Identifier: MIT
"""The program behind the numbers of the documents works, and would notice a format that verifies nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import td3_core

INTERRUPTED = (
    "save", "save in the background", "load", "load of a run", "save of a run", "update", "step of a run",
)  # fmt: skip
FOLDER = Path(__file__).parents[1] / "evidence"
sys.path.insert(0, str(FOLDER))


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FOLDER / name), *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(td3_core.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )


def test_damage_is_counted_by_what_became_of_it() -> None:
    pytest.importorskip("safetensors")
    done = run("durability.py", "--quick", "--only", "bit flips, uniform")
    assert done.returncode == 0, done.stderr
    assert "| bit flips, uniform | td3_core | 100 refused | CheckpointError | 0 |" in done.stdout
    assert "silent" in done.stdout.split("| torch.save |")[1].splitlines()[0]


def test_interrupts_leave_the_old_or_the_new_or_a_refusal() -> None:
    done = run("durability.py", "--quick", *(f"--only=interrupts, {name}" for name in INTERRUPTED))
    assert done.returncode == 0, done.stdout + done.stderr
    for name in INTERRUPTED:
        assert f"| {name} | by Ctrl-C | 10 whole |" in done.stdout
    for name in INTERRUPTED[:5]:
        assert f"| {name} | at a line | 10 whole |" in done.stdout
    for name in INTERRUPTED[5:]:  # which cannot be undone, and are not finished either
        assert "refused to save" in done.stdout.split(f"| {name} | at a line |")[1].splitlines()[0]


def test_whatever_a_sealed_file_holds_is_refused_or_loaded_as_it_is() -> None:
    pytest.importorskip("safetensors")
    done = run("durability.py", "--quick", "--only", "hostile contents")
    assert done.returncode == 0, done.stderr
    row = next(
        line for line in done.stdout.splitlines() if line.startswith("| hostile contents | td3_core |")
    )
    counts = re.fullmatch(r".* \| (\d+) loaded, (\d+) refused \| CheckpointError \| 0 \|", row)
    assert counts is not None
    assert sum(map(int, counts.groups())) == 300
    assert min(map(int, counts.groups())) > 50


def test_the_bench_measures_saving_and_loading() -> None:
    done = run("bench.py", "--rounds", "1", "--only", "5 MB")
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == ["| save", "| load from memory", "| load from disk"]
    assert {row[1] for row in rows} == {"5.0 MB"}


def test_the_bench_measures_learning_and_acting() -> None:
    pytest.importorskip("stable_baselines3")
    done = run("updates.py", "--rounds", "1", "--seconds", "0.01", "--only", "vector", "--threads", "1")
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines()[2:]]
    assert [row[:3] for row in rows] == [["| learn", "vector", "1"], ["| act", "vector", "1"]]


@pytest.mark.parametrize("observation", ["vector", "image", "dict"])
def test_agents_that_are_compared_have_as_many_weights(observation: str) -> None:
    """And so many in each of their networks, or a ratio of their times would say nothing."""
    pytest.importorskip("stable_baselines3")
    from baselines import CleanRLStyle, Spaces, replay_buffer, stable_baselines3
    from updates import config_of

    config = config_of(observation)
    ours, theirs = td3_core.TD3(config, 0), stable_baselines3(config, Spaces(config), buffer_size=1)
    clean = CleanRLStyle(config, replay_buffer(config, 1))

    def shapes(*networks: Any) -> list[tuple[int, ...]]:
        parts = (network.parameters() for network in networks if network is not None)
        return sorted(tuple(parameter.shape) for part in parts for parameter in part)

    actor = shapes(ours.actor, ours.actor_cnn)
    critic = shapes(ours.critic, ours.critic_cnn)
    assert actor == shapes(theirs.actor) == shapes(clean.actor, clean.actor_encoder)
    assert critic == shapes(theirs.critic) == shapes(clean.qf1, clean.qf2, clean.critic_encoder)


def test_correct_agents_are_checked_once_for_each_seed(tmp_path: Path) -> None:
    file = tmp_path / "correct.jsonl"
    file.write_text('{"agent": "td3_core", "seed": 0, "wrong": {}, "checks": 1, "seconds": 10.0}\n')
    done = run("correct.py", "2", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| td3_core | 1 | 0 | 10.0 |" in done.stdout
    assert "| cloning | 1 | 0 |" in done.stdout
    file.write_text(file.read_text().replace('"wrong": {}', '"wrong": {"some_check": "failed"}'))
    again = run("correct.py", "2", str(file))
    assert again.returncode == 1
    assert "| td3_core | 1 | 1 | 10.0 |" in again.stdout

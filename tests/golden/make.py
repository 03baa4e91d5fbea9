# SPDX-License-Identifier: MIT
"""Makes the golden files of the current format version: ``python tests/golden/make.py`` in the checkout."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from td3_core import TD3, TD3Config
from td3_core.checkpoint.format import FORMAT_VERSION, parse_checkpoint
from td3_core.config import OptimizerConfig, ScheduleConfig
from td3_core.replay import Batch
from td3_core.training.environments import make_env
from td3_core.training.run import TrainingRun
from td3_core.training.section import FORMAT_VERSION as RUN_VERSION

FOLDER = Path(__file__).parent


def agent() -> TD3:
    """A tiny agent with images, schedules and a few updates behind it."""
    optimizer = OptimizerConfig(
        "Adam", {"lr": 1e-3, "amsgrad": True}, ScheduleConfig("StepLR", {"step_size": 2})
    )
    names = ("actor_optimizer", "critic_optimizer", "actor_cnn_optimizer", "critic_cnn_optimizer")
    trained = TD3(TD3Config.tiny(**dict.fromkeys(names, optimizer)), seed=1)
    draw = torch.Generator().manual_seed(0)
    for _ in range(3):
        observations = [
            {
                "image": torch.randint(0, 256, (4, 3, 12, 12), generator=draw).to(torch.uint8),
                "vector": torch.randn(4, 5, generator=draw),
            }
            for _ in range(2)
        ]
        numbers = [torch.rand(4, size, generator=draw) for size in (2, 1)]
        trained.update(Batch(observations[0], numbers[0], observations[1], numbers[1], torch.ones(4, 1)))
    return trained


def run() -> TrainingRun:
    """A tiny run that has learned, in the middle of an episode, with a replay buffer that has wrapped."""
    env = make_env("Pendulum-v1")
    started = TrainingRun(
        TD3(TD3Config.tiny("vector", vector_size=3, action_size=1), seed=2),
        env,
        capacity=20,
        batch_size=4,
        learning_starts=5,
        seed=2,
    )
    started.replay_buffer.segment_rows = 6
    started.run(33)
    return started


def digest(contents: Any) -> str:
    """SHA-256 over the types, order and bytes of what a checkpoint holds, its format version aside."""
    sha = hashlib.sha256()
    _feed(sha, {key: value for key, value in contents.items() if key != "format_version"})
    return sha.hexdigest()


def _feed(sha: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        sha.update(f"{value.dtype}{tuple(value.shape)}{value.stride()}".encode())
        sha.update(value.contiguous().view(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b"")
    elif isinstance(value, dict):
        sha.update(b"{")
        for key, item in value.items():
            sha.update(repr(key).encode())
            _feed(sha, item)
    elif isinstance(value, list | tuple):
        sha.update(f"{type(value).__name__}{len(value)}".encode())
        for item in value:
            _feed(sha, item)
    else:
        sha.update(f"{type(value).__name__} {value!r};".encode())


if __name__ == "__main__":
    torch.set_num_threads(1)
    agent().save_checkpoint(FOLDER / f"v{FORMAT_VERSION}-agent.pth")
    run().save(FOLDER / f"v{FORMAT_VERSION}-run{RUN_VERSION}.pth")
    digests = {path.name: digest(parse_checkpoint(path)) for path in sorted(FOLDER.glob("*.pth"))}
    (FOLDER / "digests.json").write_text(json.dumps(digests, indent=2) + "\n")

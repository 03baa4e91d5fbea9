# SPDX-License-Identifier: MIT
"""Times saving a run with a large replay buffer, in one file and in segments: ``tox run -e bench``."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from td3_core import TD3
from td3_core.presets import config_for
from td3_core.training.run import TrainingRun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SIZES = (1_000, 10_000, 50_000)
NEW, REPEATS = 1_000, 3


def fill(run: TrainingRun, count: int, draw: np.random.Generator) -> None:
    """Add transitions of random observations."""
    config = run.agent.config
    assert config.image_shape is not None
    for _ in range(count):
        image = draw.integers(0, 256, config.image_shape, dtype=np.uint8)
        observation = {"image": image, "vector": draw.random(config.vector_size, dtype=np.float32)}
        run.replay_buffer.add(observation, np.zeros(config.action_size), observation, 1.0, terminated=False)


def cost(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds that something takes, and megabytes that it writes."""
    os.sync()
    bytes_before, started = written(), time.perf_counter()
    work()
    return time.perf_counter() - started, (written() - bytes_before) / 1e6


def written() -> int:
    """The bytes that this process has written."""
    facts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(facts["wchar"])


def in_one_file(run: TrainingRun, path: Path) -> None:
    """Save as before there were segments."""
    rows, run.replay_buffer.segment_rows = run.replay_buffer.segment_rows, run.replay_buffer.capacity + 1
    run.save(path)
    run.replay_buffer.segment_rows = rows


def main() -> None:
    """Print the table."""
    from td3_core.training.environments import make_env

    torch.set_num_threads(1)
    env, draw = make_env(), np.random.default_rng(0)
    print("| transitions | one file | segments, first save | segments, 1,000 transitions later |")
    print("|---|---|---|---|")
    for size in SIZES:
        run = TrainingRun(TD3(config_for(env, "small"), 0), env)
        fill(run, size, draw)
        with tempfile.TemporaryDirectory() as name:
            path = Path(name, "segments", "run.pth")
            first = cost(partial(run.save, path))
            whole = [cost(partial(in_one_file, run, Path(name, "run.pth"))) for _ in range(REPEATS)]
            later = []
            for _ in range(REPEATS):
                fill(run, NEW, draw)
                later.append(cost(partial(run.save, path)))
        print(f"| {size:,} | {median(whole)} | {median([first])} | {median(later)} |", flush=True)


def median(costs: Sequence[tuple[float, float]]) -> str:
    """The median of each column."""
    seconds, megabytes = (statistics.median(column) for column in zip(*costs, strict=True))
    return f"{seconds:.2f} s, {megabytes:.0f} MB"


if __name__ == "__main__":
    main()

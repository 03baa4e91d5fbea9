# SPDX-License-Identifier: MIT
"""Times learning and acting beside Stable-Baselines3 and CleanRL's style of TD3: ``tox run -e bench``."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from baselines import CleanRLStyle, Spaces, observation_space, replay_buffer, stable_baselines3

from td3_core import TD3, TD3Config
from td3_core.config import OptimizerConfig
from td3_core.replay import ReplayBuffer

if TYPE_CHECKING:
    from collections.abc import Callable

#: Transitions to sample from, and transitions in a batch.
STORED, BATCH = 256, {"vector": 256, "image": 64, "dict": 64}


@dataclass(frozen=True)
class Speed:
    """How often something is done in a second, and how often the others do it.

    Attributes:
        seconds: the medians, by implementation.
        ratio: of the faster other's seconds to those of td3_core, the median of neighbouring measurements.
        cpu_ratio: the same of the CPU time of all threads.
    """

    job: str
    observation: str
    threads: int
    seconds: dict[str, float]
    ratio: float
    cpu_ratio: float

    def row(self) -> str:
        """A line of the table."""
        rates = " | ".join(f"{1 / one:,.{2 if one > 0.1 else 0}f}" for one in self.seconds.values())
        return (
            f"| {self.job} | {self.observation} | {self.threads} | {rates} | {self.ratio:.2f} | "
            f"{self.cpu_ratio:.2f} |"
        )


def config_of(observation: str) -> TD3Config:
    """An agent as presets are, of usual size: Mnih et al.'s CNN, and two hidden layers of 256."""
    if observation != "vector":
        return TD3Config.nature(vector_size=53 if observation == "dict" else 0)
    optimizer = OptimizerConfig("Adam", {"lr": 3e-4, "fused": True})
    hidden = {"actor_hidden": (256, 256), "critic_hidden": (256, 256)}
    optimizers = {"actor_optimizer": optimizer, "critic_optimizer": optimizer}
    return TD3Config(vector_size=17, action_size=6, **hidden, **optimizers)


def jobs(observation: str) -> dict[str, dict[str, Callable[[], Any]]]:
    """What is timed: by job and implementation. Learning samples a batch and takes one training step."""
    config, size = config_of(observation), BATCH[observation]
    ours, buffer = TD3(config, 0), ReplayBuffer(config, STORED)
    theirs = stable_baselines3(config, Spaces(config), buffer_size=STORED)
    clean = CleanRLStyle(config, replay_buffer(config, STORED))
    space = observation_space(config)
    space.seed(0)
    draw = np.random.default_rng(0)
    for _ in range(STORED):
        before, after = space.sample(), space.sample()
        action = draw.uniform(-1, 1, config.action_size).astype(np.float32)
        reward = float(draw.normal())
        buffer.add(before, action, after, reward, terminated=False)
        for one in (theirs.replay_buffer, clean.buffer):
            one.add(before, after, action, np.array([reward]), np.array([False]), [{}])
    seen = space.sample()
    return {
        "learn": {
            "td3_core": lambda: ours.update(buffer.sample(size, ours.replay_generator)),
            "Stable-Baselines3": lambda: theirs.train(1, size),
            "CleanRL's style": partial(clean.update, size),
        },
        "act": {
            "td3_core": partial(ours.select_action, seen),
            "Stable-Baselines3": partial(theirs.predict, seen, deterministic=True),
            "CleanRL's style": partial(clean.act, seen),
        },
    }


def measured(observation: str, threads: int, rounds: int, seconds: float) -> list[Speed]:
    """Everything for one kind of observation, in turns; each round of each takes about ``seconds``."""
    torch.set_num_threads(threads)
    speeds = []
    for job, works in jobs(observation).items():
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
        repeats = {name: _repeats(work, seconds) for name, work in works.items()}
        for number in range(rounds):
            order = list(works)[number % 3 :] + list(works)[: number % 3]
            for name in order:
                times[name].append(_timed(works[name], repeats[name]))
        wall, cpu = (
            {name: [pair[kind] for pair in pairs] for name, pairs in times.items()} for kind in (0, 1)
        )
        medians = {name: statistics.median(values) for name, values in wall.items()}
        speeds.append(Speed(job, observation, threads, medians, _ratio(wall), _ratio(cpu)))
    return speeds


def _repeats(work: Callable[[], Any], seconds: float) -> int:
    """How often it fits into the time: an even number, because every second update trains the actor."""
    for _ in range(4):
        work()
    return 2 * max(1, round(seconds / 2 / _timed(work, 2)[0]))


def _timed(work: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Seconds of wall and of CPU time for one."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - wall) / repeats, (time.process_time() - cpu) / repeats


def _ratio(times: dict[str, list[float]]) -> float:
    ours, *others = times.values()
    return min(
        statistics.median(theirs / mine for mine, theirs in zip(ours, other, strict=True)) for other in others
    )


def main() -> None:
    """Print the table; every line of it is measured in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--seconds", type=float, default=0.3, help="for one measurement; default: 0.3")
    parser.add_argument("--only", action="append", choices=BATCH, help="a kind of observation")
    parser.add_argument("--threads", type=int, action="append", help="default: 1 and 2")
    parser.add_argument("--json", type=Path, help="a file for the numbers")
    options = parser.parse_args()
    print("| job | observation | threads | td3_core | Stable-Baselines3 | CleanRL's style | ratio | CPU |")
    print("|---|---|---|---|---|---|---|---|")
    speeds: list[Speed] = []
    for observation in options.only or BATCH:
        for threads in options.threads or (1, 2):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                arguments = (observation, threads, options.rounds, options.seconds)
                for speed in pool.apply(measured, arguments):
                    speeds.append(speed)
                    print(speed.row(), flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(speed) for speed in speeds], indent=2) + "\n")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Trains td3_core and Stable-Baselines3's TD3 with the same settings, and compares what they learn.

Both take ``td3-train``'s defaults. A run of 20,000 steps takes some minutes on one core: ``--steps``.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import torch
from baselines import stable_baselines3
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.noise import NormalActionNoise

from td3_core import TD3
from td3_core.presets import config_for
from td3_core.training.environments import make_env
from td3_core.training.run import TrainingRun

#: The episodes, at the end of a run, whose returns are averaged.
LAST = 10
BATCH, BUFFER, STARTS = 64, 50_000, 500


def ours(name: str, seed: int, steps: int) -> list[float]:
    """The returns of all finished episodes."""
    env = make_env(name)
    agent = TD3(config_for(env), seed)
    run = TrainingRun(agent, env, capacity=BUFFER, batch_size=BATCH, learning_starts=STARTS, seed=seed)
    returns = []
    for _ in range(steps):
        finished = run.step()
        if finished is not None:
            returns.append(finished.total_reward)
    return returns


def theirs(name: str, seed: int, steps: int) -> list[float]:
    """The returns of all finished episodes."""
    env = make_env(name)
    config = config_for(env)
    # It acts and adds its noise in actions from -1 to 1, whatever the environment's are.
    sigma = np.full(config.action_size, config.exploration_noise)
    monitor: Any = Monitor(env)
    agent = stable_baselines3(
        config,
        monitor,
        seed=seed,
        buffer_size=BUFFER,
        batch_size=BATCH,
        learning_starts=STARTS,
        train_freq=1,
        gradient_steps=1,
        action_noise=NormalActionNoise(np.zeros(config.action_size), sigma),
    )
    agent.learn(steps)
    rewards: list[float] = monitor.get_episode_rewards()
    return rewards


def main() -> None:
    """Print the mean of the last returns of each seed, and of all seeds, with their standard deviation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="Pendulum-v1")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="a file for the returns of all episodes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[list[float]]] = {"td3_core": [], "Stable-Baselines3": []}
    print(f"Mean return of the last {LAST} episodes of {options.steps:,} steps in {options.env}\n")
    print("| seed | td3_core | Stable-Baselines3 |\n|---|---|---|")
    for seed in range(options.seeds):
        for name, train in zip(found, (ours, theirs), strict=True):
            found[name].append(train(options.env, seed, options.steps))
        row = " | ".join(f"{statistics.mean(returns[-1][-LAST:]):.0f}" for returns in found.values())
        print(f"| {seed} | {row} |", flush=True)
    summary = []
    for returns in found.values():
        means = [statistics.mean(one[-LAST:]) for one in returns]
        spread = statistics.stdev(means) if len(means) > 1 else 0.0
        summary.append(f"{statistics.mean(means):.0f} ± {spread:.0f}")
    print(f"| all | {' | '.join(summary)} |")
    if options.json:
        options.json.write_text(json.dumps({"steps": options.steps, "returns": found}) + "\n")


if __name__ == "__main__":
    main()

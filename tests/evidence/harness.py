# SPDX-License-Identifier: MIT
"""What checking an agent costs beside the agent itself, in time and in memory: ``tox run -e bench``."""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from verification import check_agent


@dataclass(frozen=True)
class Size:
    """Square layers of an agent."""

    layers: int
    width: int


SIZES = {
    "tiny": Size(2, 8),
    "many small tensors": Size(120, 127),
    "1M": Size(4, 500),
    "10M": Size(10, 1000),
}


@dataclass(frozen=True)
class Cost:
    """What one run of the checks at level ``training`` took.

    Attributes:
        agent: the name of its size.
        megabytes: of its parameters and its optimizer's moments.
        seconds: of CPU time.
        share: how much of these passed outside the adapter's own calls.
        steps: training steps that the adapter was asked for.
        peak: memory beyond what torch and one such agent take, in megabytes.
    """

    agent: str
    megabytes: float
    seconds: float
    share: float
    steps: int
    peak: float


class Agent:
    """Residual layers under Adam."""

    def __init__(self, size: Size, seed: int) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layers = torch.nn.ModuleList(
                torch.nn.Linear(size.width, size.width, bias=False) for _ in range(size.layers)
            )
        self.optimizer = torch.optim.Adam(self.layers.parameters(), 1e-3)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            inputs = inputs + 0.1 * torch.tanh(layer(inputs))
        return inputs

    def update(self, batch: np.ndarray[Any, Any]) -> None:
        """One step."""
        self.optimizer.zero_grad()
        self(torch.from_numpy(batch)).square().mean().backward()
        self.optimizer.step()


class Timed:
    """Drives it, and keeps the CPU time that its members take."""

    name = "timed"

    def __init__(self, size: Size) -> None:
        self.size = size
        self.seconds = 0.0
        self.steps = 0

    def configs(self) -> Any:
        return st.just(self.size)

    def batches(self, config: Size) -> Any:
        return self._rows((2, config.width))

    def observations(self, config: Size) -> Any:
        return self._rows((config.width,))

    def _rows(self, shape: tuple[int, ...]) -> Any:
        return st.integers(0, 2**20).map(
            lambda seed: np.random.default_rng(seed).normal(size=shape).astype(np.float32)
        )

    def build(self, config: Size, seed: int) -> Agent:
        return self._timed(Agent, config, seed)

    def learn(self, agent: Agent, batch: Any) -> None:
        self.steps += 1
        self._timed(agent.update, batch)

    def act(self, agent: Agent, observation: Any) -> Any:
        with torch.no_grad():
            return self._timed(agent, torch.from_numpy(observation))

    def save(self, agent: Agent, path: Path) -> None:
        contents = {"layers": agent.layers.state_dict(), "optimizer": agent.optimizer.state_dict()}
        self._timed(torch.save, contents, path)

    def load(self, agent: Agent, path: Path) -> Agent:
        contents = self._timed(functools.partial(torch.load, weights_only=True), path)
        self._timed(agent.layers.load_state_dict, contents["layers"])
        self._timed(agent.optimizer.load_state_dict, contents["optimizer"])
        return agent

    def _timed(self, function: Any, *arguments: Any) -> Any:
        started = time.process_time()
        try:
            return function(*arguments)
        finally:
            self.seconds += time.process_time() - started


def _peak() -> float:
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measured(name: str, examples: int) -> Cost:
    """Check one agent in this process."""
    torch.set_num_threads(1)
    size = SIZES[name]
    Agent(size, 0).update(np.zeros((2, size.width), np.float32))  # what torch imports only then
    before = _peak()
    adapter = Timed(size)
    started = time.process_time()
    report = check_agent(adapter, level="training", examples=examples, seed=0)
    seconds = time.process_time() - started
    if not report.ok:
        raise AssertionError(report.summary())
    megabytes = 3 * 4 * size.layers * size.width**2 / 1e6
    share = 1 - adapter.seconds / seconds
    return Cost(name, megabytes, seconds, share, adapter.steps, _peak() - before)


def main() -> None:
    """Print a table; each agent is checked in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=20)
    parser.add_argument("--only", action="append", choices=SIZES)
    parser.add_argument("--json", type=Path, help="a file for the numbers")
    options = parser.parse_args()
    print(
        "| agent | MB | examples | CPU s | outside the agent | training steps | peak MB | times the agent |"
    )
    print("|---|---|---|---|---|---|---|---|")
    costs = []
    for name in options.only or SIZES:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            cost = pool.apply(measured, (name, options.examples))
        costs.append(cost)
        numbers = f"{cost.seconds:.1f} | {cost.share:.0%} | {cost.steps:,} | {cost.peak:.0f}"
        ratio = cost.peak / cost.megabytes
        print(f"| {name} | {cost.megabytes:.1f} | {options.examples} | {numbers} | {ratio:.1f} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=2))


if __name__ == "__main__":
    main()

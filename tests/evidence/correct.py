# SPDX-License-Identifier: MIT
"""Checks correct agents again and again, each time with another seed: none may ever be blamed.

``python correct.py RUNS [FILE]`` goes through td3_core and the specimens in turn. Each run is a line of JSON
in FILE, by default ``reports/correct.jsonl``; those that are in it already are not run again.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import torch

from verification import Verdict, check_agent
from verification.adapters.find import load_adapter
from verification.processes.pool import parse_workers
from verification.specimens import SPECIMENS

AGENTS = ("td3_core", *SPECIMENS)
#: Programs of a run. Many short runs see more seeds than few long ones.
EXAMPLES = 2
WORKERS = parse_workers("auto")
RIGHT = {Verdict.PASSED, Verdict.NOT_APPLICABLE}


def run(agent: str, seed: int) -> dict[str, Any]:
    """One run of every check up to level ``resume``; ``wrong`` is what was said against the agent."""
    torch.set_num_threads(1)
    started = time.process_time()
    report = check_agent(load_adapter(agent), level="resume", examples=EXAMPLES, seed=seed)
    wrong = {
        one.check: f"{one.verdict}: {one.sentence}" for one in report.results if one.verdict not in RIGHT
    }
    seconds = round(time.process_time() - started, 2)
    return {"agent": agent, "seed": seed, "wrong": wrong, "checks": len(report.results), "seconds": seconds}


def main(runs: int, file: Path) -> int:
    """Do what is missing, and say how often which agent was blamed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    known = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done = {(one["agent"], one["seed"]) for one in known}
    wanted = [(AGENTS[number % len(AGENTS)], number // len(AGENTS)) for number in range(runs)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, spawn) as pool, file.open("a", encoding="utf-8") as lines:
        tasks = [pool.submit(run, *one) for one in wanted if one not in done]
        for task in as_completed(tasks):
            known.append(one := task.result())
            lines.write(f"{json.dumps(one)}\n")
            lines.flush()
            print(
                f"{len(known)}/{runs} {one['agent']} seed {one['seed']}: {one['wrong'] or 'nothing'}",
                flush=True,
            )
    print("\n| agent | runs | blamed | CPU s, median |\n|---|---|---|---|")
    for agent in AGENTS:
        mine = [one for one in known if one["agent"] == agent]
        if mine:
            seconds = statistics.median(one["seconds"] for one in mine)
            print(f"| {agent} | {len(mine)} | {sum(bool(one['wrong']) for one in mine)} | {seconds:.1f} |")
    return int(any(one["wrong"] for one in known))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(*sys.argv[2:] or ["reports/correct.jsonl"])))

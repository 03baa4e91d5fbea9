# SPDX-License-Identifier: MIT
"""Times saving and loading beside ``torch.save`` with fsync and ``torch.load``: ``tox run -e bench``."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from filled import filled

from td3_core import TD3, TD3Config
from td3_core.checkpoint.contents import NETWORKS, TRAINED_NETWORKS, capture
from td3_core.checkpoint.format import FORMAT_VERSION
from td3_core.checkpoint.plain_data import plain_data

if TYPE_CHECKING:
    from collections.abc import Callable

#: The ratios that are aimed at.
LIMITS = {"save": 1.15, "load from disk": 1.25, "load from memory": 1.25}
#: Widths of two hidden layers, by the size of the checkpoint, and the share of the rounds that it gets.
SIZES = {"5 MB": (316, 1.0), "100 MB": (1437, 0.5), "1,000 MB": (4560, 0.15)}


@dataclass(frozen=True)
class Cost:
    """The medians of what a job takes, and the medians of the ratios of neighbouring measurements."""

    job: str
    megabytes: float
    milliseconds: float
    plain_milliseconds: float
    ratio: float
    cpu_ratio: float

    def row(self) -> str:
        """A line of the table."""
        return (
            f"| {self.job} | {self.megabytes:,.1f} MB | {self.milliseconds:,.1f} ms | "
            f"{self.plain_milliseconds:,.1f} ms | {self.ratio:.2f} | {self.cpu_ratio:.2f} | "
            f"{LIMITS[self.job]:.2f} |"
        )


def config_of(width: int) -> TD3Config:
    """An agent with two layers of that width in every network."""
    return replace(TD3Config.tiny("vector"), actor_hidden=(width, width), critic_hidden=(width, width))


def plain_save(agent: TD3, path: Path) -> None:
    """What people write, with the least that makes it last."""
    contents = plain_data({"format_version": FORMAT_VERSION, **capture(agent)})
    with path.open("wb") as file:
        torch.save(contents, file)
        file.flush()
        os.fsync(file.fileno())


def plain_load(agent: TD3, path: Path) -> None:
    """What people write, with everything put where it belongs."""
    contents = torch.load(path, map_location="cpu", weights_only=True)
    for name in NETWORKS:
        if getattr(agent, name) is not None:
            getattr(agent, name).load_state_dict(contents[f"{name}_state_dict"])
    for name in TRAINED_NETWORKS:
        if getattr(agent, f"{name}_optimizer") is not None:
            getattr(agent, f"{name}_optimizer").load_state_dict(contents[f"{name}_optimizer_state_dict"])


def forget(*paths: Path) -> None:
    """Let the system drop files from its memory, so that they are read from the disk, as after a restart."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def compared(
    job: str, path: Path, works: tuple[Callable[[], Any], ...], rounds: int, prepare: Callable[[], Any]
) -> Cost:
    """What ours and the plain one take, measured in turns."""
    ours, plain = works
    wall: dict[Any, list[float]] = {ours: [], plain: []}
    cpu: dict[Any, list[float]] = {ours: [], plain: []}
    for number in range(rounds + 1):
        for work in (ours, plain) if number % 2 else (plain, ours):
            prepare()
            cpu_before, started = time.process_time(), time.perf_counter()
            work()
            wall[work].append(time.perf_counter() - started)
            cpu[work].append(time.process_time() - cpu_before)

    def ratio(times: dict[Any, list[float]]) -> float:
        pairs = zip(times[ours][1:], times[plain][1:], strict=True)  # the first ones warm up
        return statistics.median(mine / other for mine, other in pairs)

    medians = (1000 * statistics.median(wall[work][1:]) for work in (ours, plain))
    return Cost(job, path.stat().st_size / 1e6, *medians, ratio(wall), ratio(cpu))


def main() -> None:
    """Print the table: the median times, and the median ratios of neighbouring measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=41, help="for the smallest file; larger ones get fewer")
    parser.add_argument("--only", action="append", choices=SIZES, help="a size")
    parser.add_argument(
        "--folder", type=Path, help="a folder on the disk to measure; default: a temporary one"
    )
    parser.add_argument("--json", type=Path, help="a file for the numbers")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| | file | td3_core | plain torch | ratio | CPU time | aim |\n|---|---|---|---|---|---|---|")
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name in options.only or SIZES:
            width, share = SIZES[name]
            agent, path, plain = (
                filled(config_of(width)),
                Path(folder, "agent.pth"),
                Path(folder, "plain.pth"),
            )
            save = (partial(agent.save_checkpoint, path), partial(plain_save, agent, plain))
            load = (partial(agent.load_checkpoint, path), partial(plain_load, agent, plain))
            jobs = {"save": (save, lambda: None), "load from memory": (load, lambda: None)}
            if hasattr(os, "posix_fadvise"):
                jobs["load from disk"] = (load, partial(forget, path, plain))
            for job, (works, prepare) in jobs.items():
                rounds = max(1, round(share * options.rounds))
                costs.append(compared(job, path, works, rounds, prepare))
                print(costs[-1].row(), flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=2) + "\n")


if __name__ == "__main__":
    main()

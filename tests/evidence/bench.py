# SPDX-License-Identifier: MIT
"""Times saving and loading beside ``torch.save`` with fsync and ``torch.load``: ``tox run -e bench``."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import replace
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


def five_megabytes() -> TD3Config:
    """An agent whose checkpoint has about 5 MB."""
    return replace(TD3Config.tiny("vector"), actor_hidden=(320, 320), critic_hidden=(300, 300))


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


def forget(path: Path) -> None:
    """Let the system drop a file from its memory, so that it is read from the disk, as after a restart."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def compared(
    ours: Callable[[], Any], plain: Callable[[], Any], rounds: int, prepare: Callable[[], Any]
) -> tuple[float, float, float]:
    """Median milliseconds of both, measured in turns, and the median of the ratios of neighbours."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 2):
        pair = (ours, plain) if number % 2 else (plain, ours)
        taken = {}
        for work in pair:
            prepare()
            started = time.perf_counter()
            work()
            taken[work] = time.perf_counter() - started
        if number >= 2:  # the first ones warm up
            times[0].append(taken[ours])
            times[1].append(taken[plain])
    ratio = statistics.median(one / other for one, other in zip(*times, strict=True))
    return 1000 * statistics.median(times[0]), 1000 * statistics.median(times[1]), ratio


def main() -> None:
    """Print the table: the median times, and the median ratio of neighbouring measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument(
        "--folder", type=Path, help="a folder on the disk to measure; default: a temporary one"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| agent | file | | td3_core | plain torch | ratio | aim |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name, config in {"5 MB": five_megabytes(), "nature": TD3Config.nature()}.items():
            agent, path, plain_path = filled(config), Path(folder, "agent.pth"), Path(folder, "plain.pth")

            def forget_both(paths: tuple[Path, Path] = (path, plain_path)) -> None:
                for each in paths:
                    forget(each)

            save = (partial(agent.save_checkpoint, path), partial(plain_save, agent, plain_path))
            load = (partial(agent.load_checkpoint, path), partial(plain_load, agent, plain_path))
            jobs = {
                "save": (*save, lambda: None),
                "load from disk": (*load, forget_both),
                "load from memory": (*load, lambda: None),
            }
            if not hasattr(os, "posix_fadvise"):
                del jobs["load from disk"]
            for job, (ours, plain, prepare) in jobs.items():
                mine, other, ratio = compared(ours, plain, options.rounds, prepare)
                size = f"{path.stat().st_size / 1e6:.1f} MB"
                row = f"{mine:.1f} ms | {other:.1f} ms | {ratio:.2f} | {LIMITS[job]:.2f}"
                print(f"| {name} | {size} | {job} | {row} |", flush=True)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Corpora written by some Pythons and read by all of them: ``python tests/evidence/versions.py PYTHON ...``.

Each Python has its own version of torch; all run the code of this checkout. What is printed is the table of
``docs/versions.md``.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from verification.specimens import SPECIMENS

ROOT = Path(__file__).parents[2]


def verify(python: str, *arguments: str) -> str:
    """The output of a command under another Python; a corpus that differs is no error."""
    done = subprocess.run(
        [python, "-W", "ignore", "-m", "verification", "corpus", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(f"{python} {' '.join(arguments)}: {done.stderr or done.stdout}")
    return done.stdout


def torch_of(python: str) -> str:
    """The version of torch that a Python has."""
    command = [python, "-c", "import torch; print(torch.__version__.partition('+')[0])"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def cell(readings: list[dict[str, Any]]) -> str:
    """How many checkpoints were restored, and how far apart what follows is."""
    entries = [entry for reading in readings for entry in reading["entries"]]
    restored = sum(not entry["raised"] and not entry["state"] for entry in entries)
    updates = [entry["updates"] for entry in entries if entry["updates"]]
    differing = [max(one["layers"].values(), default=0) for one in updates if one["first"]]
    text = f"{restored} of {len(entries)}; {len(updates) - len(differing)} identical"
    if differing:
        text += f", {len(differing)} by {statistics.median(differing):,.0f} ULP ({max(differing):,})"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pythons", nargs="+", metavar="PYTHON")
    parser.add_argument("--examples", default="6", help="checkpoints of each agent")
    parser.add_argument("--agent", action="append", help="only this agent")
    options = parser.parse_args()
    agents = options.agent or ["td3_core", *SPECIMENS]
    versions = {python: torch_of(python) for python in options.pythons}
    found: dict[tuple[str, str], list[dict[str, Any]]] = collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for writer, version in versions.items():
            for agent in agents:
                place = str(Path(folder, version, agent))
                verify(writer, "write", place, agent, "--examples", options.examples, "--seed", "0")
                for reader in versions:
                    found[writer, reader].append(json.loads(verify(reader, "read", place, "--json")))
                print(f"{version} {agent}", file=sys.stderr, flush=True)
    for title, chosen in (("td3_core", agents[:1]), ("the others", agents[1:])):
        if chosen:
            print(f"\n| written with | {' | '.join(f'read with {one}' for one in versions.values())} |")
            print(f"|---|{'---|' * len(versions)}")
            for writer, version in versions.items():
                cells = [
                    cell([one for one in found[writer, reader] if one["adapter"] in chosen])
                    for reader in versions
                ]
                print(f"| {title}, {version} | {' | '.join(cells)} |")
    for pair, readings in found.items():
        for reading in readings:
            for entry in reading["entries"]:
                if entry["raised"] or entry["state"]:
                    names = " to ".join(versions[one] for one in pair)
                    print(f"{names}, {reading['adapter']} {entry['entry']['name']}: {entry}", file=sys.stderr)


if __name__ == "__main__":
    main()

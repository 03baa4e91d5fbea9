# SPDX-License-Identifier: MIT
"""Finds out what survives a reload in other people's libraries, each in an environment of its own.

``python survival.py ENVIRONMENTS [ADAPTER...]`` makes what environments are missing in that folder and checks
the adapters in them, by default all. It runs the scripts in ``tests/third_party/losses``, which show losses
without the suite, and writes ``survival.json`` beside this file, ``docs/survival.md`` and ``docs/reports``.
An adapter that is not named stands as it was. Exits with 1 where suite and scripts disagree.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from survival_pages import write_pages

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCRIPTS = ROOT / "tests/third_party/losses"
DATA = HERE / "survival.json"
TORCH = "torch==2.13.0"
LEVEL, EXAMPLES, SEED = "training", 5, 0
# Seconds for one adapter.
LIMIT = 3600

CHECK = f"""
import importlib.metadata, json, sys, torch
from verification import check_agent
from verification.adapters.find import load_adapter
from verification.report.as_json import as_json
torch.set_num_threads(1)
name, package, file = sys.argv[1:]
adapter = load_adapter(name)
adapter.time_limit = 600  # seconds for one call, on a machine that may do other things
report = check_agent(adapter, level="{LEVEL}", examples={EXAMPLES}, seed={SEED}, shrink=False)
data = dict(json.loads(as_json(report)), version=importlib.metadata.version(package))
open(file, "w").write(json.dumps(data))
"""


@dataclass(frozen=True)
class Subject:
    """An adapter, the extra that installs its library, and the library's name in the package index."""

    adapter: str
    extra: str
    package: str


SUBJECTS = (
    Subject("stable_baselines3", "sb3", "stable-baselines3"),
    *(Subject(f"sb3_{name}", "sb3", "stable-baselines3") for name in ("sac", "dqn", "ppo")),
    *(Subject(f"sb3_{name}", "sb3", "sb3-contrib") for name in ("tqc", "crossq")),
    Subject("tianshou", "tianshou", "tianshou"),
    *(Subject(f"skrl_{name}", "skrl", "skrl") for name in ("td3", "sac", "ppo")),
    Subject("torchrl", "torchrl", "torchrl"),
    Subject("rsl_rl", "rsl_rl", "rsl-rl-lib"),
    *(Subject(f"d3rlpy_{name}", "d3rlpy", "d3rlpy") for name in ("sac", "td3")),
    Subject("agilerl", "agilerl", "agilerl"),
    Subject("xuance", "xuance", "xuance"),
    Subject("lightning_fabric", "fabric", "lightning"),
    Subject("torch_loop", "", "torch"),
)


@dataclass(frozen=True)
class Script:
    """A script that shows what is lost, and what its docstring says.

    Attributes:
        file: where it is.
        title: what is lost, in a sentence.
        story: what that does.
        lost: the paths in the agent that the suite must name.
        fix: what mends it.
    """

    file: Path
    title: str
    story: str
    lost: tuple[str, ...]
    fix: str

    @classmethod
    def read(cls, file: Path) -> Script:
        """A script as its docstring describes it; one that shows no loss has a title only."""
        text = " ".join(file.read_text(encoding="utf-8").split('"""')[1].split("\n\n"))
        parts = re.fullmatch(r"(\S.*?\.)(?:\s+(.*?)\s*Lost: (.*?)\nFix: (.*))?\s*", text, re.DOTALL)
        assert parts, f"{file} has no docstring of the right form"
        title, story, lost, fix = (" ".join((part or "").split()) for part in parts.groups())
        return cls(file, title, story, tuple(lost.split()), fix)

    def names(self, path: str) -> bool:
        """Whether it shows the loss of what is at a path."""
        return any(re.match(rf"{re.escape(one)}($|[.\[])", path) for one in self.lost)


def python_of(environments: Path, extra: str) -> Path:
    """The interpreter of a library's environment, which is made if it is missing."""
    folder = environments / (extra or "torch")
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        wanted = f"{ROOT}[{extra}]" if extra else str(ROOT)
        subprocess.run([python, "-m", "pip", "install", "--quiet", TORCH, wanted], check=True)
    return python


def run(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program with a library's interpreter and this checkout of the suite."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    return subprocess.run(
        [str(python), *arguments], env=env, capture_output=True, text=True, check=False, timeout=LIMIT
    )


def show(python: Path, script: Script) -> dict[str, Any]:
    """Run a script that knows nothing of the suite: its last line is its verdict."""
    ended = run(python, str(script.file))
    lines = ended.stdout.strip().splitlines()
    if ended.returncode or not lines or lines[-1] not in {"LOST", "KEPT"}:
        raise SystemExit(f"{script.file} says neither LOST nor KEPT:\n{ended.stdout}{ended.stderr}")
    return {
        "script": script.file.relative_to(ROOT).as_posix(),
        "title": script.title,
        "story": script.story,
        "fix": script.fix,
        "output": lines,
        "lost": lines[-1] == "LOST",
    }


def find_out(subject: Subject, environments: Path) -> tuple[dict[str, Any], list[str]]:
    """What suite and scripts say of an adapter, and where they disagree."""
    python = python_of(environments, subject.extra)
    file = environments / f"{subject.adapter}.json"
    ended = run(python, "-c", CHECK, subject.adapter, subject.package, str(file))
    if ended.returncode:
        raise SystemExit(f"{subject.adapter} could not be checked:\n{ended.stderr}")
    report = json.loads(file.read_text(encoding="utf-8"))
    for one in report["results"]:
        if one["verdict"] in {"error", "inconclusive"}:
            raise SystemExit(f"{subject.adapter} could not be checked: {one['sentence']}")
    scripts = [Script.read(one) for one in sorted((SCRIPTS / subject.adapter).glob("*.py"))]
    shown = {script: show(python, script) for script in scripts}
    disagree, losses = [], []
    for loss in report["lost"]:
        by = [one["script"] for script, one in shown.items() if one["lost"] and script.names(loss["path"])]
        if not by:
            disagree.append(f"{subject.adapter}: no script shows that {loss['name']} is lost")
        told = {name: loss[name] for name in ("name", "path", "part", "effect")}
        losses.append({**told, "shown_by": by})
    for script, one in shown.items():
        if one["lost"] != any(script.names(loss["path"]) for loss in report["lost"]):
            disagree.append(f"{subject.adapter}: the suite and {one['script']} disagree")
    data = {
        "package": subject.package,
        "version": report["version"],
        "environment": {name: report["environment"][name] for name in ("python", "torch")},
        "checks": {
            one["check"]: {
                "verdict": one["verdict"],
                "counted": one["examples"],
                "drawn": one["drawn"],
                "lost": one["lost"],
            }
            for one in report["results"]
        },
        "losses": losses,
        "scripts": [*shown.values()],
    }
    return data, disagree


def main(environments: str, *adapters: str) -> None:
    """Check, write, and say where suite and scripts disagree."""
    folder = Path(environments).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    known = json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else {}
    disagreements = []
    for subject in SUBJECTS:
        if not adapters or subject.adapter in adapters:
            print(subject.adapter, flush=True)
            known[subject.adapter], found = find_out(subject, folder)
            disagreements += found
            ordered = {one.adapter: known[one.adapter] for one in SUBJECTS if one.adapter in known}
            DATA.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
            write_pages(ordered, ROOT)
    if disagreements:
        raise SystemExit("\n".join(disagreements))


if __name__ == "__main__":
    main(*sys.argv[1:])

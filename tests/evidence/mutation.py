# SPDX-License-Identifier: MIT
"""Plants small faults into the code that verdicts and checkpoints depend on: do the tests nearby notice?

``python mutation.py`` draws mutants from each file with a seed, or takes all of them with ``--all``. Each is
shown to those of the tests near its file that come into the function it is in. Each answer is a line of JSON
in ``reports/mutation.jsonl``; what is in it is not asked again, unless the file or the tests have changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import shutil
import sys
import tempfile
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mutants import Mutant, drawn, every
from near import NearTests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")
#: What is mutated, and which tests are near it.
NEAR = {
    "td3_core/checkpoint/*.py": "tests/td3_core/checkpoint/test_*.py",
    "verification/checks/registry.py": "tests/checks/test_registry.py",
    "verification/engine/*.py": "tests/engine/test_*.py",
    "verification/expected_failures/*.py": "tests/expected_failures/test_*.py",
    "verification/state/*.py": "tests/state/test_*.py",
}


def targets(only: str) -> dict[str, list[str]]:
    """The files that are mutated, and for each the files of tests near it."""
    return {
        str(file.relative_to(ROOT)): [str(test.relative_to(ROOT)) for test in sorted(ROOT.glob(near))]
        for pattern, near in NEAR.items()
        for file in sorted(ROOT.glob(pattern))
        if only in str(file.relative_to(ROOT)) and file.name != "__init__.py"
    }


def mutants(files: Iterable[str], each: int | None, seed: int) -> Iterator[Mutant]:
    """Those of a run: ``each`` of every file, drawn with a seed, or all of them."""
    for file in files:
        source = (ROOT / file).read_text(encoding="utf-8")
        yield from every(file, source) if each is None else drawn(file, source, each, seed)


def equivalents() -> dict[tuple[str, str, str], str]:
    """The reasons of the mutants that do what the original does, by file and by the line before and after."""
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]
    for entry in entries:
        if entry["before"] not in (ROOT / entry["file"]).read_text(encoding="utf-8"):
            raise SystemExit(f"{EQUIVALENT.name}: {entry['file']} has no line {entry['before']!r} any more.")
    return {(entry["file"], entry["before"], entry["after"]): entry["reason"] for entry in entries}


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of the project that can be mutated, where processes of the tests import it from, too."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "__pycache__", "reports"))
        os.environ["PYTHONPATH"] = str(tree)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # which would be taken for that of the next mutant
        yield tree


@contextmanager
def planted(mutant: Mutant, tree: Path) -> Iterator[None]:
    """A copy of the project has a mutant in it."""
    file = tree / mutant.file
    original = file.read_text(encoding="utf-8")
    file.write_text(mutant.code, encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(original, encoding="utf-8")


def interval(killed: int, total: int) -> str:
    """Wilson's interval of 95 % for a share that a sample shows."""
    z, share = 1.96, killed / total
    middle, half = (
        share + z * z / (2 * total),
        z * math.sqrt(share * (1 - share) / total + (z / total / 2) ** 2),
    )
    low, high = ((middle + sign * half) / (1 + z * z / total) for sign in (-1, 1))
    return f"{low:.1%} to {high:.1%}"


def summarize(answers: list[dict[str, Any]]) -> int:
    """Print a table by folder, and what survived; 1 if more than one in twenty did."""
    print("\n| files in | mutants | equivalent | killed | score |\n|---|---|---|---|---|")
    score = 0.0
    for folder in (*NEAR, ""):
        mine = [one for one in answers if Path(one["file"]).match(folder or "*")]
        asked = [one for one in mine if not one["equivalent"]]
        if asked:
            killed = sum(one["verdict"] == "killed" for one in asked)
            score = killed / len(asked)
            name = f"`{folder}`" if folder else "all"
            print(f"| {name} | {len(mine)} | {len(mine) - len(asked)} | {killed} | {score:.1%} |")
    if answers:
        print(f"\nWith 95 % confidence {interval(killed, len(asked))} of all mutants.")
    return int(score < 0.95)


def main() -> int:
    """Ask what is missing, and say what survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=4, metavar="N", help="so many mutants of each file")
    parser.add_argument("--all", action="store_true", help="every mutant of each file")
    parser.add_argument("--seed", type=int, default=0, help="draws the sample")
    parser.add_argument("--only", default="", metavar="TEXT", help="files that have this in their path")
    parser.add_argument("--answers", type=Path, default=ROOT / "reports" / "mutation.jsonl", metavar="FILE")
    options = parser.parse_args()
    reasons, files = equivalents(), targets(options.only)
    options.answers.parent.mkdir(parents=True, exist_ok=True)
    lines = options.answers.read_text(encoding="utf-8").splitlines() if options.answers.exists() else []
    known = {one["mutant"]: one for one in map(json.loads, lines)}
    answers = []
    with copied() as tree, options.answers.open("a", encoding="utf-8") as told:
        near = NearTests(tree, files, options.answers.with_suffix(".reach.json"))
        for mutant in mutants(files, None if options.all else options.each, options.seed):
            name = hashlib.sha256(f"{mutant.file} {mutant.code}".encode()).hexdigest()[:16]
            tests = near.of(mutant.file, mutant.function)
            answer = known.get(name)
            # Who was killed stays so; who survived is asked again when there are other tests.
            if answer is None or (answer["verdict"] == "survived" and answer["tests"] != near.digest(tests)):
                with planted(mutant, tree):
                    answer = {
                        "mutant": name,
                        **mutant.described(),
                        "tests": near.digest(tests),
                        **near.ask(tests),
                    }
                told.write(f"{json.dumps(answer)}\n")
                told.flush()
            reason = reasons.get((mutant.file, mutant.before, mutant.after))
            answers.append({**answer, "equivalent": reason})
            if answer["verdict"] == "survived":
                print(
                    f"{len(answers)} {mutant}: {f'equivalent, {reason}' if reason else 'survived'}",
                    flush=True,
                )
    return summarize(answers)


if __name__ == "__main__":
    sys.exit(main())

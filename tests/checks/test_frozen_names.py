# SPDX-License-Identifier: MIT
"""Names of checks are public: each release's are kept, and none goes or changes its level without a word."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from verification.checks.registry import all_checks

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests/golden/checks"
#: A level and a name, one a line, as they were in a release.
RELEASES = {file.stem: set(file.read_text(encoding="utf-8").splitlines()) for file in FOLDER.glob("*.txt")}
NOW = {f"{check.level} {name}" for name, check in all_checks().items()}


def silently_gone(frozen: set[str], now: set[str], changelog: str) -> list[str]:
    """What was released and is so no more, and whose name is not in the changelog."""
    return sorted(line for line in frozen - now if f"`{line.split()[1]}`" not in changelog)


@pytest.mark.parametrize("release", RELEASES)
def test_no_name_of_a_release_goes_silently(release: str) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    gone = silently_gone(RELEASES[release], NOW, changelog)
    assert not gone, f"files of expected failures name these; say in CHANGELOG.md what became of them: {gone}"


def test_the_names_of_this_version_are_written_down() -> None:
    version = metadata.version("td3-verification")
    file = FOLDER / f"{version}.txt"
    assert RELEASES.get(version) == NOW, f"add to {file}, a level and a name a line: {NOW}"


def test_a_name_that_goes_or_moves_is_noticed_unless_it_is_told() -> None:
    frozen = {"weights kept", "weights moved", "weights gone", "weights told"}
    now = {"weights kept", "training moved"}
    told = "- `told` is `kept` now."
    assert silently_gone(frozen, now, told) == ["weights gone", "weights moved"]

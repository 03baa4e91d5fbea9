# SPDX-License-Identifier: MIT
"""The environment ``tests-floor`` has just the oldest versions that ``pyproject.toml`` allows."""

from __future__ import annotations

import configparser
import tomllib

import pytest
from packaging.requirements import Requirement
from test_readme import ROOT

pytestmark = pytest.mark.skipif(
    not (ROOT / "tox.ini").exists(), reason="tox.ini is in the repository, not in the distribution"
)


def floors(requirements: list[str]) -> dict[str, str]:
    """The version behind ``>=`` or ``==`` of each requirement, with three numbers."""
    found = {}
    for text in requirements:
        one = Requirement(text)
        (bound,) = one.specifier
        found[one.name] = ".".join([*bound.version.split("."), "0", "0"][:3])
    return found


def test_the_floor_environment_has_the_oldest_versions_that_are_allowed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    tested = [one for one in (*groups["test"], *groups["durability"]) if isinstance(one, str)]
    declared = floors(project["project"]["dependencies"]) | floors(tested)
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini")
    lines = parser["testenv"]["deps"].splitlines()
    pinned = [line.removeprefix("floor: ") for line in lines if line.startswith("floor: ")]
    assert all("==" in line for line in pinned)
    assert floors(pinned) == declared

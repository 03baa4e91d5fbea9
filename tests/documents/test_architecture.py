# SPDX-License-Identifier: MIT
"""Arrows between modules run one way: no circle of imports, and each room sees only those below it."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from import_graph import Graph, cycle, import_graph

import td3_core
import verification

PACKAGES = {package.__name__: Path(package.__file__ or "").parent for package in (td3_core, verification)}

#: The rooms of each package, the highest first. A room is a folder, or a module beside the folders; modules
#: of one may import those of rooms in lower lines. ``__init__`` is the package itself, which users import.
ROOMS = {
    "verification": (
        ("__main__",),
        ("cli",),
        ("__init__",),
        ("mutants", "corpus"),
        ("pytest_plugin",),
        ("running",),
        ("scaffolding",),
        ("expected_failures",),
        ("report",),
        ("checks",),
        ("portability",),
        ("durability",),
        ("engine",),
        ("counterexamples",),
        ("adapters",),
        ("specimens",),
        ("checkpoint_files", "environments", "loops", "strategies", "processes"),
        ("state", "program"),
        ("shard",),
        ("adapter", "errors", "levels", "losses", "ordinals"),
    ),
    "td3_core": (
        ("training",),
        ("__init__",),
        ("agent",),
        ("checkpoint",),
        ("networks", "presets"),
        ("config", "replay"),
        ("optimizers", "rng"),
        ("validation",),
        ("errors", "interrupts", "quoting"),
    ),
}

#: Imports against the arrows, each with the reason why it stays.
EXCEPTIONS = {
    ("td3_core.checkpoint.reading", "td3_core.agent"): (
        "the contents of a file are compared with those of an agent of the config in it"
    ),
    ("td3_core.presets", "td3_core.training.environments"): (
        "an agent of a size is made for the spaces of an environment"
    ),
}

#: Rooms that know this project's own agent; the others are for any agent.
KNOW_TD3_CORE = {"adapters", "mutants"}


def room(module: str) -> str:
    """The folder or module of a package that a module is in."""
    return f"{module}.__init__".split(".")[1]


@functools.cache
def imports_of(package: str) -> Graph:
    """What each module of a package imports, early or late, of both packages."""
    graph = import_graph(*PACKAGES.values(), late=True)
    return {module: imports for module, imports in graph.items() if module.split(".")[0] == package}


def ranks(package: str) -> dict[str, int]:
    return {name: -line for line, names in enumerate(ROOMS[package]) for name in names}


@pytest.mark.parametrize("late", [False, True], ids=["at import", "late"])
@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_one_another_in_a_circle(package: str, late: bool) -> None:
    found = cycle(import_graph(PACKAGES[package], late=late))
    assert not found, " -> ".join([*found, found[0]])


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_has_its_place(package: str) -> None:
    rooms = {room(module) for module in imports_of(package)}
    assert rooms == set(ranks(package))


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms_see_only_those_below(package: str) -> None:
    rank = ranks(package)
    against = {
        (module, imported)
        for module, imports in imports_of(package).items()
        for imported in imports
        if imported.split(".")[0] == package
        and room(imported) != room(module)
        and rank[room(imported)] >= rank[room(module)]
    }
    assert against == {pair for pair in EXCEPTIONS if pair[0].split(".")[0] == package}


def test_the_agent_does_not_know_the_suite_and_few_rooms_know_the_agent() -> None:
    agent = imports_of("td3_core")
    assert [module for module, imports in agent.items() for one in imports if one.startswith("verif")] == []
    suite = imports_of("verification")
    know = {room(module) for module, imports in suite.items() for one in imports if one.startswith("td3_")}
    assert know == KNOW_TD3_CORE


# -- the tests above can fail ------------------------------------------------------------------------------

CIRCLE = {
    "__init__.py": "",
    "a.py": "from made.b.c import thing",
    "b/__init__.py": "",
    "b/c.py": "try:\n    import made.d\nexcept ImportError:\n    pass",
    "d.py": "class D:\n    from made import a",
    "e.py": "import made.a",
}


def write(folder: Path, **changed: str) -> None:
    for name, text in {**CIRCLE, **{f"{name}.py": text for name, text in changed.items()}}.items():
        file = folder / "made" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_a_circle_is_found_in_its_order(tmp_path: Path) -> None:
    write(tmp_path)
    graph = import_graph(tmp_path / "made")
    assert graph["made.e"] == {"made.a"}
    assert cycle(graph) == ["made.a", "made.b.c", "made.d"]


@pytest.mark.parametrize(
    ("text", "late", "whole"),
    [
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from made import a", False, False),
        ("def f():\n    from made import a", False, True),
    ],
    ids=["for type checkers", "in a function"],
)
def test_what_does_not_run_at_import_closes_no_circle(
    tmp_path: Path, text: str, late: bool, whole: bool
) -> None:
    write(tmp_path, d=text)
    assert bool(cycle(import_graph(tmp_path / "made"))) is late
    assert bool(cycle(import_graph(tmp_path / "made", late=True))) is whole

# SPDX-License-Identifier: MIT
"""CONTRIBUTING says of every folder what is in it, and of every kind of change where it goes, truly."""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from test_architecture import PACKAGES, ROOMS, imports_of
from test_readme import ROOT

import td3_core.checkpoint.contents
from td3_core.checkpoint.format import write_checkpoint
from td3_core.optimizers import OPTIMIZER_OPTIONS
from td3_core.training import command
from verification.adapters.find import BUILT_IN
from verification.checks.registry import all_checks
from verification.cli import app as cli
from verification.cli import forms
from verification.counterexamples import class_names
from verification.mutants import classes, harmless, model
from verification.state import take
from verification.strategies import optimizer_specs
from verification.strategies.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = ROOT / "CONTRIBUTING.md"
pytestmark = pytest.mark.skipif(
    not DOCUMENT.exists(), reason="the documents are in the repository, not in the distribution"
)
FOLDERS = sorted(
    str(file.parent.relative_to(package.parent))
    for package in PACKAGES.values()
    for file in package.rglob("__init__.py")
)


def table(header: str) -> list[list[str]]:
    """The rows of the table with a header, as cells."""
    if not DOCUMENT.exists():
        return []
    _, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(f"\n{header}\n")
    assert rest, f"there is no table {header}"
    rows = rest.partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def paths(cell: str) -> list[str]:
    """The files and folders that a cell names."""
    return re.findall(r"`([\w./-]+(?:/|\.\w+))`", cell)


def row(kind: str) -> Row:
    """The row of a kind of change."""
    (cells,) = (cells for cells in table("| change | code | tests and documents |") if cells[0] == kind)
    return Row(*cells)


class Row:
    """Where a kind of change goes."""

    def __init__(self, kind: str, code: str, shown: str) -> None:
        self.kind, self.code, self.shown = kind, paths(code), paths(shown)

    def leads_to(self, module: str) -> bool:
        """Whether it names the file of a module, or the folder that the file is in."""
        file = f"{module.replace('.', '/')}.py"
        return any(file == path or (path.endswith("/") and file.startswith(path)) for path in self.code)

    def text(self, suffix: str = ".py") -> str:
        """Everything in the tests, or in the documents, that it names."""
        named = [ROOT / path for path in self.shown]
        files = [one for one in named if one.suffix == suffix]
        files += [file for one in named if one.is_dir() for file in sorted(one.rglob(f"*{suffix}"))]
        return "\n".join(file.read_text(encoding="utf-8") for file in files)


def options(app: typer.Typer) -> Iterator[list[str]]:
    """The spellings of every option of a command and its subcommands."""
    waiting: list[Any] = [typer.main.get_command(app)]
    while waiting:
        here = waiting.pop()
        waiting += getattr(here, "commands", {}).values()
        for parameter in here.params:
            if any(one.startswith("-") for one in parameter.opts):
                yield parameter.opts


# -- folders -----------------------------------------------------------------------------------------------


def documentation(folder: str) -> str:
    return inspect.getdoc(importlib.import_module(folder.replace("/", "."))) or ""


def test_every_folder_is_named_with_the_sentence_that_it_says_of_itself() -> None:
    sentences = {folder: documentation(folder).split("\n")[0].replace("``", "`") for folder in FOLDERS}
    assert {cells[0].strip("`/"): cells[1] for cells in table("| folder | what is in it |")} == sentences
    assert len(set(sentences.values())) == len(sentences)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_says_what_does_not_belong_there(folder: str) -> None:
    """And where that belongs, which is not a folder that has gone."""
    (elsewhere,) = re.findall(r"^Not here: (.*\.)$", documentation(folder), flags=re.DOTALL | re.MULTILINE)
    known = {room for lines in ROOMS.values() for line in lines for room in line} | set(PACKAGES)
    assert set(re.findall(r"``(\w+)``", elsewhere)) <= known - {folder.rpartition("/")[2]}


def test_the_order_of_imports_is_that_of_the_architecture() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    order = [room for line in ROOMS["verification"] for room in line]
    (told,) = re.findall(r"Imports run one way: (.*?),\n", text, flags=re.DOTALL)
    places = [order.index(room) for room in re.findall(r"`(\w+)`", told)]
    assert len(places) > 5
    assert places == sorted(places)


# -- changes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [cells[0] for cells in table("| change | code | tests and documents |")])
def test_every_file_that_a_change_touches_exists(kind: str) -> None:
    named = row(kind).code + row(kind).shown
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert all(path.endswith("/") == (ROOT / path).is_dir() for path in named)


def test_a_check() -> None:
    here = row("a check")
    assert [one.name for one in all_checks().values() if not here.leads_to(one.function.__module__)] == []
    assert "mutant.killed_by[0] for mutant" in here.text()  # so that one without a mutant fails


def test_a_mutant() -> None:
    here = row("a mutant")
    mutants = model.mutants()
    assert [name for name in model._MODULES if not here.leads_to(f"verification.mutants.{name}")] == []
    assert model.__name__ in named_modules(here)
    assert classes.__name__ in named_modules(here)
    assert [name for name in mutants if f"| `{name}` |" not in here.text(".md")] == []


def named_modules(here: Row) -> set[str]:
    return {path.removesuffix(".py").replace("/", ".") for path in here.code}


def test_a_harmless_change() -> None:
    here = row("a change that is harmless, which no check may blame")
    assert [name for name in harmless._MODULES if not here.leads_to(f"verification.mutants.{name}")] == []
    page = here.text(".md")
    assert [name for name in harmless.harmless_changes() if f"| `{name}` |" not in page] == []


def test_an_optimizer() -> None:
    here = row("an optimizer")
    homes = {optimizer_specs.__module__: OPTIMIZERS, "td3_core.optimizers": tuple(OPTIMIZER_OPTIONS)}
    assert set(homes) < named_modules(here)
    for module, names in homes.items():
        source = inspect.getsource(importlib.import_module(module))
        assert [name for name in names if f'"{name}": ' not in source] == []


def test_a_container() -> None:
    here = row("a container that the walker must know")
    assert here.leads_to(take.__module__)
    text = here.text()
    containers = ("deque", "defaultdict", "UserDict", "NamedTuple", "frozenset", "OrderedDict")
    assert [name for name in containers if name not in text] == []


def test_a_form_of_the_report() -> None:
    here = row("a form of the report")
    assert here.leads_to(forms.__name__)
    imported = imports_of("verification")[forms.__name__]
    writers = {name for name in imported if name.startswith("verification.report.")}
    assert len(writers) >= len(forms.Format)
    assert all(here.leads_to(name) for name in writers)
    (told,) = re.findall(r"`--report ([\w,]+)` chooses", here.text(".md"))
    assert set(told.split(",")) == set(forms.Format)


def test_a_field_of_the_checkpoint_format() -> None:
    here = row("a field of `td3_core`'s checkpoint format")
    contents = td3_core.checkpoint.contents
    graph = imports_of("td3_core")
    touched = {name for name, imports in graph.items() if contents.__name__ in imports} | {contents.__name__}
    assert touched - {"td3_core.agent"} <= named_modules(here)  # the agent has only to be able to be asked
    assert here.leads_to(write_checkpoint.__module__)
    assert "range(1, FORMAT_VERSION + 1)" in here.text()  # so that a version without a file fails


def test_an_option_of_td3_train() -> None:
    here = row("an option of `td3-train`")
    assert here.leads_to(command.train.__module__)
    text = here.text()
    assert [names for names in options(command.app) if not any(f'"{name}' in text for name in names)] == []


def test_an_option_of_verify() -> None:
    here = row("an option of `verify`")
    callbacks = [*cli.app.registered_commands, *cli.baseline.registered_commands]
    assert all(one.callback is not None and here.leads_to(one.callback.__module__) for one in callbacks)
    text = here.text()
    assert [names for names in options(cli.app) if not any(name in text for name in names)] == []


def test_a_built_in_adapter() -> None:
    here = row("a built-in adapter")
    assert {"verification.adapters.find"} < named_modules(here) | {"pyproject.toml"}
    assert all(here.leads_to(place.partition(":")[0]) for place, _ in BUILT_IN.values())
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {extra for _, extra in BUILT_IN.values() if extra} <= set(extras)
    # Which asks about each of them: tests/documents/test_survival.py.
    assert "tests/evidence/survival.py" in here.shown
    assert "python tests/evidence/survival.py" in (ROOT / "tox.ini").read_text()


def test_a_class_that_programs_hold() -> None:
    here = row("a class that programs hold, or where it is")
    assert named_modules(here) == {class_names.__name__}
    assert Path(class_names.__file__).exists()


def test_every_kind_of_change_has_a_test() -> None:
    """Each kind is asked about above by its name in the table."""
    source = Path(__file__).read_text(encoding="utf-8")
    kinds = {cells[0] for cells in table("| change | code | tests and documents |")} - {"a folder"}
    assert [kind for kind in kinds if f'row("{kind}")' not in source] == []

# SPDX-License-Identifier: MIT
"""Files and modules that documents, configuration and docstrings name exist: a move leaves none behind."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from test_readme import DOCUMENTS, ROOT

import td3_core
import verification

#: Where files are that a document names: here, or in the example of somebody else's project.
FOLDERS = [ROOT, ROOT / "examples/third_party"]
PACKAGES = [Path(package.__file__ or "").parent for package in (td3_core, verification)]
WRITTEN = [
    *DOCUMENTS,
    "docs/mutants.md",
    "CHANGELOG.md",
    "tox.ini",
    "pyproject.toml",
    *("tests/golden/README.md", "tests/counterexamples/golden/README.md"),
]
_FILES = re.compile(r"(?<![\w./{}-])((?:tests|docs|td3_core|verification|\.ci|\.github)/[\w./-]*\w)")
_MODULES = re.compile(r"(?<![\w./-])((?:td3_core|verification)(?:\.\w+)+)")
_ROLES = re.compile(r":(?:mod|func|class|data|meth|attr):`~?((?:td3_core|verification)\.[\w.]+)`")


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("document", WRITTEN)
def test_what_a_document_names_exists(document: str) -> None:
    if not (ROOT / document).exists():
        pytest.skip("the documents are in the repository, not in the distribution")
    text = (ROOT / document).read_text(encoding="utf-8")
    assert [name for name in _FILES.findall(text) if not any((one / name).exists() for one in FOLDERS)] == []
    assert [name for name in _MODULES.findall(text) if not exists(name)] == []


def test_what_docstrings_refer_to_exists() -> None:
    named = {
        name: str(file)
        for package in PACKAGES
        for file in sorted(package.rglob("*.py"))
        for name in _ROLES.findall(file.read_text(encoding="utf-8"))
    }
    assert len(named) > 5
    assert {name: file for name, file in named.items() if not exists(name)} == {}


def test_what_does_not_exist_is_noticed() -> None:
    assert _FILES.findall("see `verification/no_such.py`, a/docs/x.md and docs/no.md.") == [
        "verification/no_such.py",
        "docs/no.md",
    ]
    assert not exists("verification.no_such_module")
    assert not exists("verification.state.no_such_function")
    assert exists("verification.state.take")

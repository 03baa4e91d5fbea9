# SPDX-License-Identifier: MIT
"""Adapters are found by short name or as ``module:object``, and what is not found is answered helpfully."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from verification.adapters.find import BUILT_IN, load_adapter
from verification.engine.driver import validate_adapter
from verification.errors import AdapterError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is current, and whose modules are forgotten afterwards."""
    known = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path  # type: ignore[misc]
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


def refusal(target: str) -> str:
    with pytest.raises((UsageError, AdapterError)) as caught:
        load_adapter(target)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_built_in_adapter_is_found_by_its_short_name() -> None:
    adapter = load_adapter("td3_core")
    validate_adapter(adapter)
    assert adapter.name == "td3_core"


def test_an_object_or_a_class_of_a_module_is_found(project: Path) -> None:
    (project / "mine_1.py").write_text("class A:\n    name = 'a'\n\nmade = A()\nmade.name = 'b'\n")
    assert load_adapter("mine_1:A").name == "a"
    assert load_adapter("mine_1:made").name == "b"


# Where that is not the extra's name.
IMPORTED_FIRST = {"sb3": "stable_baselines3", "fabric": "lightning", "torchrl": "tensordict"}


@pytest.mark.parametrize("extra", [name for name, (_, extra) in BUILT_IN.items() if extra])
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, needed = BUILT_IN[extra]
    library = {"sb3": "stable_baselines3", "fabric": "lightning", "torchrl": "tensordict"}.get(
        str(needed), str(needed)
    )
    for name in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, place.partition(":")[0], raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    assert refusal(extra) == (
        f"the adapter {extra} needs {library}, which is not installed; "
        f"run: python -m pip install 'td3-verification[{needed}]'"
    )


def test_a_misspelt_short_name_is_answered_with_the_nearest() -> None:
    message = refusal("td3core")
    assert message.startswith("there is no adapter 'td3core'; did you mean 'td3_core'? ")
    assert all(name in message for name in BUILT_IN)
    assert message.endswith("any other is named module:object, or file.py")


@pytest.mark.parametrize("target", [":A", "module:", ":"])
def test_half_a_name_is_refused(target: str) -> None:
    assert refusal(target) == (
        f"{target!r} names no adapter; write module:object, such as my_agent.adapter:MyAdapter"
    )


def test_a_missing_module_is_named_with_the_place_searched(project: Path) -> None:
    message = refusal("no_such_module_x:A")
    assert message.startswith("there is no module 'no_such_module_x', neither installed nor in ")
    assert str(project) in message
    (project / "pkg_2").mkdir()
    assert refusal("pkg_2.adapter:A").startswith("there is no module 'pkg_2.adapter'")


def test_a_missing_object_is_answered_with_the_nearest(project: Path) -> None:
    (project / "mine_3.py").write_text("class MyAdapter: pass\n")
    assert refusal("mine_3:MyAdaptr") == (
        "the module mine_3 has no 'MyAdaptr'; did you mean 'MyAdapter'? check the name behind the colon"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("import no_such_dependency\n", "No module named 'no_such_dependency'"),
        ("from os import nonsense\n", "cannot import name 'nonsense' from 'os'"),
        ("def f(:\n", "SyntaxError"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_module_that_does_not_import_is_named_with_the_reason(
    project: Path, content: str, reason: str
) -> None:
    (project / "mine_4.py").write_text(content)
    message = refusal("mine_4:A")
    assert message.startswith("the module mine_4 does not import: ")
    assert reason in message
    sys.modules.pop("mine_4", None)


def test_an_adapter_that_wants_arguments_is_told_so(project: Path) -> None:
    (project / "mine_5.py").write_text("class A:\n    def __init__(self, path): pass\n")
    message = refusal("mine_5:A")
    assert message.startswith("A() raised TypeError: ")
    assert message.endswith("an adapter is built without arguments")

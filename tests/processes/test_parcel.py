# SPDX-License-Identifier: MIT
"""What is defined in the script that runs reaches a new process under its own name, or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from adapters import Tiny

import verification
from verification.errors import NotPortable
from verification.processes.parcel import pack

_DEFINES = """
import sys

with open("runs", "a") as file:
    file.write(__name__ + "\\n")


class Base:
    pass


class Mine(Base):
    class Inner:
        pass

    def __init__(self):
        self.inner = Mine.Inner
        self.helper = helper


def helper():
    return sys.modules["__main__"].Mine is Mine

"""


def run(*arguments: str, folder: Path) -> str:
    paths = [str(folder), str(Path(verification.__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


#: A script that packs what it defines, and lets another process open it and tell what it is.
_SCRIPT = f"""{_DEFINES}
from helper_of_a_test import tell


def ask():
    tell(Mine())

"""
_HELPER = """
from verification.errors import NotPortable
from verification.processes.parcel import pack
from verification.processes.worker import Worker


def describe(parcel):
    made = parcel.open()
    return type(made).__module__, type(made).__qualname__, made.inner.__qualname__, made.helper()


def tell(value):
    try:
        parcel = pack(value)
        with Worker() as worker:
            print(worker.ask(describe, parcel))
    except NotPortable as error:
        print("refused:", error)
"""
_KNOWN = "('__main__', 'Mine', 'Mine.Inner', True)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "helper_of_a_test.py").write_text(_HELPER)
    return tmp_path


@pytest.mark.parametrize(
    "guard", ['if __name__ == "__main__":\n    ask()', "if '__main__' == __name__:\n    ask()"]
)
def test_a_guarded_script_is_read_for_its_definitions(guard: str, folder: Path) -> None:
    (folder / "script.py").write_text(f"{_SCRIPT}\n{guard}\n")
    assert run("script.py", folder=folder) == _KNOWN
    assert (folder / "runs").read_text().split() == ["__main__"] * 2


def test_a_module_of_a_package_that_is_run_finds_its_neighbours(folder: Path) -> None:
    package = folder / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "neighbour.py").touch()
    text = f'{_SCRIPT}\nfrom . import neighbour\nif __name__ == "__main__":\n    ask()\n'
    (package / "program.py").write_text(text)
    assert run("-m", "package.program", folder=folder) == _KNOWN


def test_a_script_without_a_guard_is_not_run_again(folder: Path) -> None:
    (folder / "script.py").write_text(f"{_SCRIPT}\nask()\n")
    told = run("script.py", folder=folder)
    assert told.startswith("refused: Mine is defined in a script that would run again; put it into a module")
    assert (folder / "runs").read_text().split() == ["__main__"]


def test_what_is_defined_in_no_file_cannot_be_read_again(folder: Path) -> None:
    told = run("-c", f"{_SCRIPT}\nask()\n", folder=folder)
    assert told == "refused: Mine is defined in no file; put it into a module of its own"


def test_what_modules_hold_needs_no_script() -> None:
    parcel = pack(Tiny("", "packed"))
    assert parcel.script == ""
    assert parcel.open().name == "packed"


def test_what_does_not_pickle_is_refused() -> None:
    class Local(Tiny):
        pass

    with pytest.raises(NotPortable, match=r"Local.*; define it at a module's top level"):
        pack(Local())


def test_what_another_process_cannot_import_is_refused_there(monkeypatch: pytest.MonkeyPatch) -> None:
    parcel = pack(Tiny())
    monkeypatch.setitem(sys.modules, "adapters", None)
    with pytest.raises(NotPortable, match=r"ModuleNotFoundError: .*adapters.*; define it at"):
        parcel.open()

# SPDX-License-Identifier: MIT
"""Parcels: what another process can make again, also of classes that are defined in the script that runs."""

from __future__ import annotations

import ast
import functools
import io
import pickle
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verification.errors import NotPortable

_MAIN = "__main__"
_REMEDY = (
    "a script that would run again; put it into a module of its own, or what the script does under "
    '`if __name__ == "__main__":`'
)


@dataclass(frozen=True)
class Parcel:
    """An object on its way to another process.

    Attributes:
        pickled: the object.
        script: the script whose definitions it needs; empty if modules hold them all.
        package: the script's package; empty if it is in none.
    """

    pickled: bytes
    script: str = ""
    package: str = ""

    def open(self) -> Any:
        """Make the object again.

        Raises:
            NotPortable: if this process cannot import what it needs.
        """
        try:
            if self.script:
                _define(self.script, self.package)
            return pickle.loads(self.pickled)  # noqa: S301 - our own bytes
        except NotPortable:
            raise
        except Exception as error:
            raise NotPortable(_sentence(f"{type(error).__name__}: {error}")) from error


def pack(value: object) -> Parcel:
    """Wrap up ``value`` for another process.

    Raises:
        NotPortable: if it does not pickle, or is defined where no other process can import it.
    """
    buffer = io.BytesIO()
    packer = _Packer(buffer)
    try:
        packer.dump(value)
        pickle.loads(buffer.getvalue())  # noqa: S301 - our own bytes
    except Exception as error:
        raise NotPortable(_sentence(str(error))) from error
    if not packer.of_main:
        return Parcel(buffer.getvalue())
    main = sys.modules[_MAIN]
    script, package = getattr(main, "__file__", None), getattr(main, "__package__", None)
    if script is None or not Path(script).is_file():
        raise NotPortable(f"{packer.of_main} is defined in no file; put it into a module of its own")
    if _without_guarded(script) is None:
        raise NotPortable(f"{packer.of_main} is defined in {_REMEDY}")
    return Parcel(buffer.getvalue(), str(Path(script).resolve()), package or "")


def _sentence(why: str) -> str:
    return f"{why}; define it at a module's top level"


class _Packer(pickle.Pickler):
    """Notices what is defined in the script that runs."""

    of_main = ""

    def persistent_id(self, obj: Any) -> None:
        """Look at every object on its way into the pickle; none of them is left out."""
        if isinstance(obj, type | types.FunctionType) and obj.__module__ == _MAIN:
            self.of_main = self.of_main or obj.__qualname__


# -- the script that runs ------------------------------------------------------------------------------------

_defining = False


def refuse_while_defining() -> None:
    """Keep a script that a process reads for its definitions from starting what it was read for.

    Raises:
        NotPortable: if that is what is going on.
    """
    if _defining:
        raise NotPortable(f"the adapter is in {_REMEDY}")


@functools.cache
def _define(script: str, package: str) -> None:
    """Let this process's main module be the script, without what that does when it is run."""
    global _defining  # noqa: PLW0603 - a process has one main module
    code = _without_guarded(script)
    if code is None:
        raise ImportError(f"{script} has no import guard any more")
    module = types.ModuleType(_MAIN)
    vars(module).update(__file__=script, __package__=package or None)
    sys.modules[_MAIN] = module
    _defining = True
    try:
        exec(code, vars(module))  # noqa: S102 - the user's own script
    finally:
        _defining = False


def _without_guarded(script: str) -> types.CodeType | None:
    """The code of a script without what its import guard keeps for the run; ``None`` if it has no guard."""
    tree = ast.parse(Path(script).read_bytes(), script)
    kept = [statement for statement in tree.body if not _is_guard(statement)]
    if len(kept) == len(tree.body):
        return None
    tree.body = kept
    return compile(tree, script, "exec")


def _is_guard(statement: ast.stmt) -> bool:
    """Whether it is ``if __name__ == "__main__":``, either way round."""
    match statement:
        case ast.If(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right])):
            return {ast.unparse(left), ast.unparse(right)} == {"__name__", repr(_MAIN)}
    return False

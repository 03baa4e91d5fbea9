# SPDX-License-Identifier: MIT
"""Where in the source an adapter's members are, named so that it means the same on other machines."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verification.state.introspect import own_file

if TYPE_CHECKING:
    from verification.adapter import Adapter


@dataclass(frozen=True)
class SourcePlace:
    """Lines of a file.

    Attributes:
        file: relative to the repository, else to the current folder, else to the folder of its package.
        first: the first line, counted from 1.
        last: the last one.
    """

    file: str
    first: int
    last: int


def places_of(adapter: Adapter) -> dict[str, SourcePlace]:
    """Where ``save`` and ``load`` are defined, but for what has no source, as in a shell."""
    found = {member: _place(adapter, member) for member in ("save", "load")}
    return {member: place for member, place in found.items() if place is not None}


def _place(adapter: Adapter, member: str) -> SourcePlace | None:
    function: Any = getattr(adapter, member, None)
    while isinstance(function, functools.partial):
        function = function.func
    try:
        function = inspect.unwrap(function)
        lines, first = inspect.getsourcelines(function)
        file = Path(inspect.getsourcefile(function) or "").resolve()
    except (OSError, TypeError, ValueError):
        return None
    return SourcePlace(_relative(file), first, first + len(lines) - 1) if file.is_file() else None


def _relative(file: Path) -> str:
    bases = [folder for folder in file.parents if (folder / ".git").exists()]
    bases += [folder for folder in (Path.cwd(),) if file.is_relative_to(folder)]
    if bases and own_file(str(file)):  # what is installed may lie in the repository, but is not of it
        return file.relative_to(bases[0]).as_posix()
    package = file.parent
    while (package / "__init__.py").exists():
        package = package.parent
    return file.relative_to(package).as_posix()

# SPDX-License-Identifier: MIT
"""Which module imports which, read from the source: nothing is imported to find out."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Set
    from pathlib import Path

#: For each module the modules that it imports.
Graph = dict[str, set[str]]


def import_graph(*packages: Path, late: bool = False) -> Graph:
    """The imports among the modules of some packages.

    What only type checkers see (``if TYPE_CHECKING``) does not count. Imports by a name in a string, as of
    the modules of checks, are not seen.

    Args:
        packages: the folder of each.
        late: also count imports in functions, which are done when the function is called.
    """
    modules = {_name(package, file): file for package in packages for file in package.rglob("*.py")}
    return {
        name: {home for imported in _imports(file, late=late) if (home := _home(imported, modules))} - {name}
        for name, file in modules.items()
    }


def cycle(graph: Mapping[str, Set[str]]) -> list[str]:
    """Modules each of which imports the next, and the last the first; empty if there are none."""
    finished: set[str] = set()
    for start in sorted(graph):
        # Depth first: for every module on the way here, the imports that are still to be followed.
        way = {start: iter(sorted(graph[start]))} if start not in finished else {}
        while way:
            here = next(reversed(way))
            following = next((one for one in way[here] if one not in finished), None)
            if following is None:
                finished.add(here)
                del way[here]
            elif following in way:
                names = list(way)
                return names[names.index(following) :]
            else:
                way[following] = iter(sorted(graph.get(following, ())))
    return []


def _name(package: Path, file: Path) -> str:
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(file: Path, *, late: bool) -> Iterator[str]:
    """The full names that a file imports, whether modules or what is in them."""
    waiting: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while waiting:
        match waiting.pop():
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise):
                waiting += otherwise
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() if not late:
                pass
            case ast.Import(names=names):
                yield from (one.name for one in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                assert level == 0, f"{file} has a relative import"
                yield from (f"{module}.{one.name}" for one in names)
            case node:
                waiting += ast.iter_child_nodes(node)


def _home(name: str, modules: Mapping[str, Path]) -> str:
    """The module that an imported name is, or is in; empty if it is none of these packages."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name

# SPDX-License-Identifier: MIT
"""Gives a name to what an expression repeats, so that it is written, and read, once."""

from __future__ import annotations

import ast
import collections
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# A call that is shorter than this is read as fast as a name.
_LONG = 40


def without_repeats(name: str, expression: str, others: Iterable[str] = ()) -> list[str]:
    """Statements that set ``name`` to an expression; calls that it repeats are set beforehand.

    Args:
        name: of the variable.
        expression: Python, of calls and literals.
        others: variables that are not to be set.
    """
    tree = ast.parse(f"{name} = {expression}").body[0]
    before: list[str] = []
    taken = {name, *others, *(one.id for one in ast.walk(tree) if isinstance(one, ast.Name))}
    while (found := _longest_repeat(tree)) is not None:
        named = _free_name(found, taken)
        taken.add(named)
        tree = _Naming(ast.dump(found), named).visit(tree)
        before.append(f"{named} = {ast.unparse(found)}")
    return [*before, ast.unparse(tree)] if before else [f"{name} = {expression}"]


def _longest_repeat(tree: ast.AST) -> ast.Call | None:
    calls = [one for one in ast.walk(tree) if isinstance(one, ast.Call)]
    times = collections.Counter(map(ast.dump, calls))
    repeated = [one for one in calls if times[ast.dump(one)] > 1 and len(ast.unparse(one)) >= _LONG]
    return max(repeated, key=lambda one: len(ast.unparse(one)), default=None)


def _free_name(call: ast.Call, taken: set[str]) -> str:
    """The name of what is called, as variables are written: ``OptimizerSpec`` is ``optimizer_spec``."""
    called = ast.unparse(call.func).rpartition(".")[2]
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", called).lower()
    free, number = name, 2
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


class _Naming(ast.NodeTransformer):
    def __init__(self, dumped: str, name: str) -> None:
        self.dumped = dumped
        self.name = name

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if ast.dump(node) == self.dumped:
            return ast.Name(self.name)
        self.generic_visit(node)
        return node

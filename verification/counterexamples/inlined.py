# SPDX-License-Identifier: MIT
"""What an adapter's method does, as lines of a script that need no adapter: the agent's own API."""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
import types
from typing import TYPE_CHECKING, Any

from verification.counterexamples.source import NoSource, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

# More statements are easier to understand as a call of the adapter.
_MOST = 4


def inlined(adapter: object, member: str, names: Mapping[str, str], source: Source) -> list[str]:
    """The statements of a method, for a script in which the arguments have other names.

    Args:
        adapter: whose method it is.
        member: its name.
        names: what stands in the script for each parameter, by position; ``agent`` takes what it returns.
        source: remembers the imports that are needed.

    Raises:
        NoSource: if the method uses the adapter itself, or what no script can import.
    """
    function = inspect.getattr_static(type(adapter), member, None)
    if not isinstance(function, types.FunctionType) or member in vars(adapter):
        raise NoSource(f"{member} is no plain method")
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, SyntaxError, ValueError, TypeError):
        raise NoSource(f"{member} has no source") from None
    assert isinstance(definition, ast.FunctionDef)
    parameters = [one.arg for one in definition.args.args[1:]]
    body = definition.body[1:] if ast.get_docstring(definition) is not None else definition.body
    own = {definition.args.args[0].arg} if definition.args.args else set()
    if definition.decorator_list or len(body) > _MOST or len(parameters) != len(names):
        raise NoSource(f"{member} is not that simple")
    replaced = dict(zip(parameters, names.values(), strict=True))
    _import_names(body, function, {*parameters, *own}, own, source)
    lines = []
    for statement in body:
        lines += _statement(
            statement, replaced, last=statement is body[-1], returns=member in {"build", "load"}
        )
    return lines


def _statement(statement: ast.stmt, replaced: Mapping[str, str], *, last: bool, returns: bool) -> list[str]:
    if isinstance(statement, ast.Return):
        if not last or statement.value is None:
            raise NoSource("it returns in the middle")
        value = ast.unparse(_Renamed(replaced).visit(statement.value))
        return [] if not returns or value == "agent" else [f"agent = {value}"]
    if not isinstance(statement, ast.Expr | ast.Assign):
        raise NoSource("it is more than a few calls")
    return [ast.unparse(_Renamed(replaced).visit(statement))]


class _Renamed(ast.NodeTransformer):
    """Puts what stands in the script in the place of parameters."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self._names:
            return node
        return ast.parse(self._names[node.id], mode="eval").body


def _import_names(
    body: list[ast.stmt],
    function: types.FunctionType,
    bound: set[str],
    own: set[str],
    source: Source,
) -> None:
    """Import what the statements use of the method's module."""
    used = [node for one in body for node in ast.walk(one) if isinstance(node, ast.Name)]
    bound = bound | {node.id for node in used if isinstance(node.ctx, ast.Store)}
    for name in {node.id for node in used}:
        if name in own:
            raise NoSource("it uses the adapter")
        if name in bound or (hasattr(builtins, name) and name not in function.__globals__):
            continue
        source.imports.add(_import_of(name, function.__globals__.get(name)))


def _import_of(name: str, value: Any) -> str:
    if isinstance(value, types.ModuleType):
        if value.__name__ == name:
            return f"import {name}"
        return f"import {value.__name__} as {name}"
    module = getattr(value, "__module__", "")
    if (
        not module
        or module.startswith(("verification", "__main__"))
        or getattr(value, "__name__", "") != name
    ):
        raise NoSource(f"{name} cannot be imported without the adapter")
    return f"from {module} import {name}"

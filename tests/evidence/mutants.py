# SPDX-License-Identifier: MIT
"""The mutants of a file: those of cosmic-ray that are hardest to notice, and each statement left out."""

from __future__ import annotations

import ast
import difflib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import parso
from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator

if TYPE_CHECKING:
    from collections.abc import Iterator


class DropStatement(Operator):
    """Calls, raises, deletions, and assignments to what others see: each is left out."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        if node.type == "simple_stmt" and _has_an_effect(node.children[0]):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        old = node.children[0]
        prefix = old.get_first_leaf().prefix
        node.children[0] = parso.python.tree.Keyword("pass", old.start_pos, prefix)
        return node

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        return ()


def _has_an_effect(statement: Any) -> bool:
    if statement.type == "expr_stmt":
        target, then = statement.children[:2]
        return then.type == "operator" and (then.value != "=" or target.type == "atom_expr")
    return statement.type in {"atom_expr", "raise_stmt", "del_stmt", "yield_expr"}


#: Cosmic-ray replaces each operator by every other one. Of these, those that are hardest to notice.
_OPERATORS = {
    **{
        name: plugins.get_operator(f"core/{name}")
        for name in (
            *(
                "AddNot",
                "ReplaceAndWithOr",
                "ReplaceOrWithAnd",
                "ReplaceTrueWithFalse",
                "ReplaceFalseWithTrue",
            ),
            *(
                "ReplaceBreakWithContinue",
                "ReplaceContinueWithBreak",
                "ZeroIterationForLoop",
                "NumberReplacer",
            ),
            *("ExceptionReplacer", "RemoveDecorator"),
            *(
                f"ReplaceComparisonOperator_{swap}"
                for swap in (
                    "Eq_NotEq",
                    "NotEq_Eq",
                    "Is_IsNot",
                    "IsNot_Is",
                    "Lt_LtE",
                    "LtE_Lt",
                    "Gt_GtE",
                    "GtE_Gt",
                )
            ),
            *(
                f"ReplaceBinaryOperator_{swap}"
                for swap in (
                    *("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Div", "Mod_FloorDiv", "Pow_Mul"),
                    *("BitAnd_BitOr", "BitOr_BitAnd", "BitXor_BitAnd", "LShift_RShift", "RShift_LShift"),
                )
            ),
            *(f"ReplaceUnaryOperator_{swap}" for swap in ("Delete_USub", "Delete_Not", "Delete_Invert")),
        )
    },
    "DropStatement": DropStatement,
}


@dataclass(frozen=True)
class Mutant:
    """A file with one fault in it.

    Attributes:
        file: its path in the project.
        function: the innermost one that the fault is in, such as ``SealingFile.write``, or nothing.
        operator: what was done, by cosmic-ray's name.
        before: the first line that is another, as it was.
        after: what stands for it, or nothing.
        code: of the whole file.
    """

    file: str
    function: str
    operator: str
    before: str
    after: str
    code: str

    def described(self) -> dict[str, str]:
        """All of it but the code."""
        names = ("file", "function", "operator", "before", "after")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        return f"{self.file} {self.function}: {self.before!r} -> {self.after!r}"


def every(file: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a file."""
    for place in _places(source):
        if (mutant := _planted(file, source, *place)) is not None:
            yield mutant


def drawn(file: str, source: str, count: int, seed: int) -> Iterator[Mutant]:
    """So many of them, the same for each seed; a larger sample begins with the smaller one."""
    places = _places(source)
    random.Random(f"{seed} {file}").shuffle(places)
    for place in places:
        if count and (mutant := _planted(file, source, *place)) is not None:
            count -= 1
            yield mutant


def _places(source: str) -> list[tuple[str, int]]:
    nodes = list(ast_nodes(get_ast(source)))
    return [
        (name, occurrence)
        for name, operator in _OPERATORS.items()
        for occurrence in range(sum(1 for node in nodes for _ in operator().mutation_positions(node)))
    ]


def _planted(file: str, source: str, name: str, occurrence: int) -> Mutant | None:
    """The mutant, unless it is no program, or nothing of it is ever run."""
    try:
        code = mutate_code(source, _OPERATORS[name](), occurrence)
        if code is None or _that_runs(code) == _that_runs(source):
            return None
    except (SyntaxError, AttributeError):  # the latter where an exception is named with its module
        return None
    lines, changed = source.splitlines(), code.splitlines()
    same = difflib.SequenceMatcher(None, lines, changed, autojunk=False).get_opcodes()
    _, start, end, then, until = next(one for one in same if one[0] != "equal")
    before, after = "\n".join(lines[start:end]).strip(), "\n".join(changed[then:until]).strip()
    return Mutant(file, functions(source).get(start + 1, ""), name, before, after, code)


def _that_runs(source: str) -> str:
    """A program without what only readers need: annotations, and the ways to pass arguments."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
            given = node.args
            given.args = [*given.posonlyargs, *given.args, *given.kwonlyargs]
            given.defaults = [*given.defaults, *filter(None, given.kw_defaults)]
            given.posonlyargs, given.kwonlyargs, given.kw_defaults = [], [], []
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.test, node.body = ast.Constant(None), [ast.Pass()]
    return ast.dump(tree)


def functions(source: str) -> dict[int, str]:
    """The innermost function of each line that is in one."""
    found: dict[int, str] = {}

    def visit(node: ast.AST, within: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = within
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{within}.{child.name}".lstrip(".")
                if not isinstance(child, ast.ClassDef):
                    found.update(dict.fromkeys(range(child.lineno, (child.end_lineno or 0) + 1), name))
            visit(child, name)

    visit(ast.parse(source), "")
    return found

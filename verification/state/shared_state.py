# SPDX-License-Identifier: MIT
"""State of classes and modules of the agent's own code, which all agents of a process have in common."""

from __future__ import annotations

import builtins
import dis
import enum
import functools
import itertools
import types
import weakref
from collections.abc import Iterator, Mapping, Set
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from verification.state.arrays import BUFFERS, C_DATA
from verification.state.generators import GENERATORS
from verification.state.introspect import class_fields, own_code, own_module, remembered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verification.state.walker import Walker

_CODE: tuple[type, ...] = (
    types.FunctionType,
    types.BuiltinFunctionType,
    type,
    types.ModuleType,
    property,
    enum.Enum,
)
_CODE += (staticmethod, classmethod, functools.cached_property, types.MemberDescriptorType)
_STATE: tuple[type, ...] = (
    int,
    float,
    complex,
    np.generic,
    np.ndarray,
    torch.Tensor,
    torch.nn.Module,
    torch.optim.Optimizer,
)
_STATE += (list, tuple, Mapping, Set, Iterator, *BUFFERS, *C_DATA, *GENERATORS)


class _Name(NamedTuple):
    """A name of a module that code of the agent refers to, and an expression for it."""

    namespace: dict[str, Any]
    name: str
    expression: str


def visit_shared(walker: Walker) -> None:
    """Visit what the classes and functions that were found refer to, once all else was found."""
    walker.share()
    done: set[tuple[int, str]] = set()
    for path, function in list(walker.own_functions.items()):
        _visit_names(walker, _names_of_function(function), path, done)
    for kind, path in walker.own_types.items():
        _visit_class(walker, kind, path, done)
        _visit_names(walker, _names_of_class(kind), path, done)
    walker.visit_postponed()


def _visit_class(walker: Walker, kind: type, path: str, done: set[tuple[int, str]]) -> None:
    hidden = set(class_fields(kind))  # and whatever a subclass holds under the same name
    for base in _own_bases(kind):
        held = list(vars(base).items())
        for name, value in held:
            if _state_type(type(value)) and not name.startswith("__") and name not in hidden:
                _visit_once(walker, value, f"{path}.{name}", (base, name), done)
        hidden.update(name for name, _ in held)


def _visit_names(walker: Walker, names: Iterable[_Name], path: str, done: set[tuple[int, str]]) -> None:
    for namespace, name, expression in names:
        value = namespace.get(name)
        if isinstance(value, type) and own_code(value):
            _visit_class(walker, value, f"{path}.{expression}", done)
        elif _state_type(type(value)):
            _visit_once(walker, value, f"{path}.{expression}", (namespace, name), done)


def _visit_once(
    walker: Walker, value: Any, path: str, place: tuple[Any, str], done: set[tuple[int, str]]
) -> None:
    owner, name = place
    if (id(owner), name) not in done:
        done.add((id(owner), name))
        walker.shared_places[path] = place
        walker.visit(value, path, "shared", 0)


@remembered
def _state_type(kind: type) -> bool:
    """Whether an object of a type can be state, rather than code or a descriptor."""
    if issubclass(kind, _CODE) or hasattr(kind, "__get__"):
        return False
    return issubclass(kind, _STATE) or own_code(kind)


@remembered
def _own_bases(kind: type) -> tuple[type, ...]:
    # The names of an enumeration and of a named tuple's fields are constants.
    return () if issubclass(kind, enum.Enum | tuple) else tuple(filter(own_code, kind.__mro__))


@remembered
def _names_of_class(kind: type) -> tuple[_Name, ...]:
    """The names that a class's methods refer to."""
    names: list[_Name] = []
    for base in _own_bases(kind):
        for name, member in vars(base).items():
            for suffix, function in _functions_in(member):
                own = _names_of_function(function)
                names += [one._replace(expression=f"{name}{suffix}.{one.expression}") for one in own]
    return tuple({(id(one.namespace), one.name): one for one in reversed(names)}.values())


def _functions_in(member: Any) -> Iterator[tuple[str, types.FunctionType]]:
    """The functions that a member of a class is made of."""
    if isinstance(member, staticmethod | classmethod):
        member = member.__func__
    parts = [("", member)]
    if isinstance(member, property | functools.cached_property):
        parts = [(f".{name}", getattr(member, name, None)) for name in ("fget", "fset", "func")]
    for suffix, part in parts:
        if isinstance(part, types.FunctionType):
            yield suffix, part


_known: weakref.WeakKeyDictionary[types.FunctionType, tuple[_Name, ...]] = weakref.WeakKeyDictionary()


def _names_of_function(function: types.FunctionType) -> tuple[_Name, ...]:
    """The names that a function and those that it calls in its module refer to."""
    if function not in _known:
        _known[function] = ()  # should it call itself
        _known[function] = tuple(_find_names(function))
    return _known[function]


def _find_names(function: types.FunctionType) -> Iterator[_Name]:
    for name, attribute in _references(function.__code__):
        namespace, expression = function.__globals__, f"__globals__[{name!r}]"
        value = namespace.get(name)
        if isinstance(value, types.ModuleType):
            if attribute is None or not own_module(value):
                continue
            namespace, expression, name = vars(value), f"{expression}.{attribute}", attribute  # noqa: PLW2901
            value = namespace.get(name)
        if isinstance(value, types.FunctionType):
            if (
                value.__globals__ is function.__globals__
            ):  # its own module; to follow all calls would take long
                called = _names_of_function(value)
                yield from (one._replace(expression=f"{expression}.{one.expression}") for one in called)
        elif name not in vars(builtins):
            yield _Name(namespace, name, expression)


@functools.lru_cache(maxsize=4096)
def _references(code: types.CodeType) -> tuple[tuple[str, str | None], ...]:
    """The global names in a function's code, each with the attribute that is taken of it at once."""
    found: dict[tuple[str, str | None], None] = {}
    instructions = [one for one in dis.get_instructions(code) if one.opname != "EXTENDED_ARG"]
    for one, following in itertools.zip_longest(instructions, instructions[1:]):
        if one.opname in {"LOAD_GLOBAL", "STORE_GLOBAL", "LOAD_NAME"}:
            attribute = following is not None and following.opname in {
                "LOAD_ATTR",
                "LOAD_METHOD",
                "STORE_ATTR",
            }
            found[one.argval, following.argval if attribute else None] = None
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found.update(dict.fromkeys(_references(constant)))
    return tuple(found)

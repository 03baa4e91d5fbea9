# SPDX-License-Identifier: MIT
"""How the walker visits scalars, functions and all other objects."""

from __future__ import annotations

import copyreg
import enum
import sys
import types
from typing import TYPE_CHECKING, Any

import numpy as np

from verification.state.encode import digest, scalar_bytes
from verification.state.generators import generator_state, parent_of_children, seed_sequence_state
from verification.state.introspect import code_bytes, own_file, slots, type_name
from verification.state.snapshot import Leaf

if TYPE_CHECKING:
    from verification.state.walker import Walker

_META = {kind: (("type", kind.__name__),) for kind in (bool, int, float, complex, str, bytes, type(None))}
# What their own module keeps in the attributes of a generator is in its state.
_RANDOM_BOOKKEEPING = frozenset({"gauss_next"})
_ATTRIBUTES_ONLY = (types.SimpleNamespace,)


def visit_scalar(walker: Walker, value: Any, path: str, role: str, depth: int) -> None:
    """A number, a text, or another value that cannot change."""
    kind = type(value)
    if kind in _META:
        known = walker.known.get(path)
        if known is not None and known.value is value and known.kind == "scalar" and known.role == role:
            walker.leaves[sys.intern(path)] = known
            return
        walker.add(path, Leaf(role, "scalar", _META[kind], digest(scalar_bytes(value)), value))
        return
    if isinstance(value, np.void):
        value = value.copy()  # one can write into its fields
        if value.dtype.hasobject:
            walker.visit(value.item(), f"{path}.item()", role, depth + 1)
    walker.record(path, role, "scalar", scalar_bytes(value), value, type=type_name(value))
    if not isinstance(value, np.generic):
        walker.children(value, path, role, depth)


def visit_enum(walker: Walker, value: enum.Enum, path: str, role: str, depth: int) -> None:
    """A member of an enumeration."""
    walker.record(path, role, "scalar", enum.Enum.__repr__(value).encode(), value, type=type_name(value))


def visit_name(walker: Walker, obj: Any, path: str, role: str, depth: int) -> None:
    """A type, a module or another thing that is what its name says."""
    walker.record(path, role, "scalar", str(obj).encode(), obj, type=type_name(obj))


def visit_generator_of_numbers(walker: Walker, obj: Any, path: str, role: str, depth: int) -> None:
    """A random generator."""
    if walker.seen(obj, path, "generator"):
        return
    name = type_name(obj)
    walker.record(path, "generator", "generator", generator_state(obj), f"<{name}>", type=name)
    if (parent := parent_of_children(obj)) is not None:
        place = f"{path}.bit_generator.seed_seq" if hasattr(obj, "bit_generator") else f"{path}.seed_seq"
        spawned = f"<{type_name(parent)}>"
        walker.record(place, "generator", "generator", seed_sequence_state(parent), spawned)
    walker.children(obj, path, role, depth, skip=_RANDOM_BOOKKEEPING)


def visit_partial(walker: Walker, function: Any, path: str, role: str, depth: int) -> None:
    """A partial: the function and the arguments that it holds."""
    walker.record(path, role, "function", b"partial", "partial", type="partial")
    for name in ("func", "args", "keywords"):
        walker.visit(getattr(function, name), f"{path}.{name}", role, depth + 1)
    walker.children(function, path, role, depth)


def visit_function(walker: Walker, function: Any, path: str, role: str, depth: int) -> None:
    """A function: its code, and what it holds; a method is the object that it is bound to, too."""
    inner = getattr(function, "__func__", function)
    compiled = getattr(inner, "_torchdynamo_orig_callable", None)
    if compiled is not None and compiled is not function:  # torch.compile keeps its own books around it
        walker.visit(compiled, path, role, depth + 1)
        return
    owner = getattr(function, "__self__", None)
    code = getattr(inner, "__code__", None)
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type_name(function))}"
    walker.record(path, role, "function", name.encode() + (code_bytes(code) if code else b""), name)
    if owner is not None and not isinstance(owner, types.ModuleType):
        walker.visit(owner, f"{path}.__self__", role, depth + 1)
    if id(inner) in walker.entered:  # it refers to itself; whether two equal functions are one is no state
        return
    walker.entered.add(id(inner))
    for index, cell in enumerate(getattr(inner, "__closure__", None) or ()):
        try:
            content = cell.cell_contents
        except ValueError:  # an empty cell
            continue
        walker.visit(content, f"{path}.__closure__[{index}]", role, depth + 1)
    for name in ("__defaults__", "__kwdefaults__"):
        if defaults := getattr(inner, name, None):
            walker.visit(defaults, f"{path}.{name}", role, depth + 1)
    if isinstance(inner, types.FunctionType):
        if owner is None and not walker.sharing and own_file(code and code.co_filename):
            walker.own_functions.setdefault(path, inner)
        walker.children(inner, path, role, depth)
    walker.entered.discard(id(inner))


def visit_outside(walker: Walker, obj: Any, path: str, role: str, depth: int) -> None:
    """What leads out of the agent."""
    walker.opaque[path] = type_name(obj)


def visit_object(walker: Walker, obj: Any, path: str, role: str, depth: int) -> None:
    """Any other object: its attributes, and what a part of it that is written in C says of itself."""
    reduced = _reduced(obj)
    empty = not hasattr(obj, "__dict__") and not slots(type(obj))
    if reduced is None and empty and type(obj).__basicsize__ > object.__basicsize__:
        walker.opaque[path] = type_name(obj)
        return
    walker.attributes(obj, path, role, depth)
    if reduced is None or walker.leaves[path].kind == "identity":
        return
    arguments, state = reduced
    walker.visit(arguments, f"{path}.__reduce_ex__(2)[1]", role, depth + 1)
    if state and getattr(state, "keys", tuple)() != getattr(obj, "__dict__", {}).keys():
        walker.visit(state, f"{path}.__reduce_ex__(2)[2]", role, depth + 1)


def _reduced(obj: Any) -> tuple[Any, ...] | None:
    """What a copy would be made of, if that is told by the library that the type was compiled in.

    Python code of an agent is never run: what it says of itself is what is to be checked.
    """
    kind: Any = type(obj)
    if issubclass(kind, _ATTRIBUTES_ONLY):
        return None
    registered = copyreg.dispatch_table.get(kind)
    if registered is None:
        own = [
            getattr(kind, name)
            for name in ("__reduce_ex__", "__reduce__", "__getstate__")
            if getattr(kind, name, None) is not getattr(object, name, None)
        ]
        if not own or any(isinstance(one, types.FunctionType) for one in own):
            return None
    reduced = registered(obj) if registered is not None else obj.__reduce_ex__(2)
    return (*reduced[1:3], None)[:2] if isinstance(reduced, tuple) else None

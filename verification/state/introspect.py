# SPDX-License-Identifier: MIT
"""What the walker asks about types, modules and functions."""

from __future__ import annotations

import dataclasses
import functools
import sys
import sysconfig
import types
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from verification.state.encode import SCALARS

if TYPE_CHECKING:
    from collections.abc import Callable

_R = TypeVar("_R")

_LIBRARY = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_LIBRARY_FOLDERS = frozenset({"site-packages", "dist-packages"})


def remembered(function: Callable[[type], _R]) -> Callable[[type], _R]:
    """Cache by type; the cast is for mypy, to which a type is not hashable."""
    return cast("Callable[[type], _R]", functools.lru_cache(maxsize=4096)(function))


@remembered
def precedence(kind: type) -> int:
    """Networks first, users of their parameters last, so that a path names what a tensor *is*."""
    if issubclass(kind, torch.nn.Module):
        return 0
    if issubclass(kind, torch.Tensor):
        return 1
    if issubclass(kind, torch.optim.Optimizer):
        return 3
    if issubclass(kind, LRScheduler | ReduceLROnPlateau):
        return 4
    return 2


def member(path: str, name: str, module: torch.nn.Module) -> str:
    """The path of a module's parameter, buffer or child, as one would write it."""
    if name.isdigit() and hasattr(module, "__getitem__"):
        return f"{path}[{name}]"
    if isinstance(module, torch.nn.ModuleDict | torch.nn.ParameterDict):
        return f"{path}[{name!r}]"
    return f"{path}.{name}" if name.isidentifier() else f"{path}.get_submodule({name!r})"


@remembered
def slots(kind: type) -> tuple[str, ...]:
    """The names of a type's slots, inherited and private ones included."""
    names: list[str] = []
    for base in kind.__mro__:
        declared = base.__dict__.get("__slots__", ())
        declared = [declared] if isinstance(declared, str) else list(declared)
        private = f"_{base.__name__.lstrip('_')}"
        names += [
            f"{private}{name}" if name.startswith("__") and not name.endswith("__") else name
            for name in declared
        ]
    return tuple(name for name in names if name not in {"__dict__", "__weakref__"})


@remembered
def class_constants(kind: type) -> frozenset[str]:
    """The names of scalars that a class holds and an instance may hide, but for what always hides them."""
    constants = frozenset(
        name
        for base in kind.__mro__
        for name, value in vars(base).items()
        if isinstance(value, SCALARS) and not name.startswith("__")
    )
    return constants - class_fields(kind)


@remembered
def class_fields(kind: type) -> frozenset[str]:
    """The names of a dataclass's fields, which it holds for every instance to hide."""
    return (
        frozenset(field.name for field in dataclasses.fields(kind))
        if dataclasses.is_dataclass(kind)
        else frozenset()
    )


def type_name(obj: object) -> str:
    """The full name of an object's type."""
    return name_of_type(type(obj))


@remembered
def name_of_type(kind: type) -> str:
    """The full name of a type."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def own_code(kind: type) -> bool:
    """Whether a type is of the agent's own code, not of Python or an installed library."""
    return own_module(sys.modules.get(str(kind.__module__)))


def own_module(module: types.ModuleType | None) -> bool:
    """Whether a module is one of the agent's own code."""
    if module is None:
        return False
    return module.__name__ == "__main__" or own_file(getattr(module, "__file__", None))


@functools.lru_cache(maxsize=4096)
def own_file(name: str | None) -> bool:
    """Whether a file lies outside Python and what is installed."""
    if name is None:
        return False
    path = Path(name)
    return not _LIBRARY_FOLDERS & set(path.parts) and not any(map(path.is_relative_to, _LIBRARY))


def code_bytes(code: types.CodeType) -> bytes:
    """What a function does: its instructions and the constants and names that they refer to."""
    encoded = code.co_code + repr(code.co_names).encode()
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            encoded += code_bytes(constant)
        else:  # a set's order depends on the process's hash seed
            plain = sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant
            encoded += repr(plain).encode("utf-8", "backslashreplace")
    return encoded

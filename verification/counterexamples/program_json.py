# SPDX-License-Identifier: MIT
"""Programs as JSON, the form in which they are kept: no module of this project that moves changes it.

``None``, truth values, integers, finite floats, strings and lists stand for themselves. Any other value is an
object with one key that says how to read it:

=========== =========================================================================================
``float``   the eight bytes of a NaN or an infinity, big-endian, in hexadecimal
``bytes``   in base64
``tuple``   the items; as are ``set`` and ``frozenset``
``dict``    a JSON object if every key is a string, else a list of pairs
``array``   ``dtype`` as numpy writes it, ``shape``, ``order`` and ``bytes``; ``scalar`` one number of numpy
``tensor``  ``dtype``, ``shape``, ``strides`` and ``bytes``, the elements in the order of the shape
``name``    a class or function, by its name in :mod:`verification.counterexamples.class_names`
``object``  a new object of the class of that name; then, each if there is any, the ``arguments`` of its
            ``__new__``, ``items`` to append, ``pairs`` to set, and its ``state``, the attributes
``call``    what the function of that name returns for ``arguments``; then as for ``object``
``again``   the object of this number, counted from 0 as they begin: a value that occurs in several places
=========== =========================================================================================

``object`` and ``call`` are how a value describes itself to ``copy`` and ``pickle``. So reading could run
code, as unpickling can; who reads what somebody else may have written says which names may occur in it.
"""

from __future__ import annotations

import base64
import copyreg
import dataclasses
import json
import math
import struct
import types
from typing import TYPE_CHECKING, Any

import numpy as np

from verification.counterexamples.array_json import (
    array_from_json,
    array_to_json,
    is_plain_array,
    is_plain_tensor,
    tensor_from_json,
    tensor_to_json,
    text_of_bytes,
)
from verification.counterexamples.class_names import PLACES, module_of, name_of, named
from verification.program import Program

if TYPE_CHECKING:
    from collections.abc import Container

_ITEMS = {"tuple": tuple, "set": set, "frozenset": frozenset}
# Protocol 2 is the first that keeps the arguments of __new__ apart, and has no buffers out of band.
_PROTOCOL = 2


def dumps(program: Program) -> str:
    """A program on one line of JSON.

    Raises:
        Exception: of any kind, if a value in it does not describe itself, as an open file or a lambda.
    """
    return json.dumps(_Writer().write(program), allow_nan=False, separators=(",", ":"))


def names_in(program: Program) -> frozenset[str]:
    """The names of classes and functions that stand in what :func:`dumps` writes, and raises as that does."""
    writer = _Writer()
    writer.write(program)
    return frozenset(writer.names)


def loads(text: str, names: Container[str] | None = None) -> Program:
    """The program that :func:`dumps` wrote.

    Args:
        text: on one line.
        names: those that may occur, besides the ones of this project's own classes; by default any.

    Raises:
        UnknownName: for another name; nothing of that name is looked for.
        Exception: of any other kind, if a class in it is gone or has changed.
    """
    program = _Reader(names).read(json.loads(text))
    if not isinstance(program, Program):
        raise TypeError(f"this is no program but {type(program).__name__}")
    return program


class UnknownName(ValueError):  # noqa: N818 - says what it is
    """A program names what none of its kind has named."""


class _Writer:
    def __init__(self) -> None:
        self.names: set[str] = set()
        self._numbers: dict[int, int] = {}
        self._alive: list[Any] = []  # so that no other object gets the id of a temporary one

    def write(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": struct.pack(">d", value).hex()}
        if kind is bytes:
            return {"bytes": text_of_bytes(value)}
        if isinstance(value, type | types.FunctionType):
            return {"name": self._name(name_of(value))}
        if id(value) in self._numbers:
            return {"again": self._numbers[id(value)]}
        self._numbers[id(value)] = len(self._numbers)
        self._alive.append(value)
        return self._compound(value, kind)

    def _compound(self, value: Any, kind: type) -> Any:
        if kind is list:
            return [self.write(item) for item in value]
        if kind is tuple:
            return {"tuple": [self.write(item) for item in value]}
        if kind in (set, frozenset):
            ordered = sorted(value, key=lambda item: json.dumps(_Writer().write(item)))
            return {kind.__name__: [self.write(item) for item in ordered]}
        if kind is dict:
            return {"dict": self._dict(value)}
        if is_plain_array(value):
            return {"array" if kind is np.ndarray else "scalar": array_to_json(value)}
        if is_plain_tensor(value):
            return {"tensor": tensor_to_json(value)}
        return self._reduced(value)

    def _dict(self, value: dict[Any, Any]) -> Any:
        if all(type(key) is str for key in value):
            return {key: self.write(item) for key, item in value.items()}
        return [[self.write(key), self.write(item)] for key, item in value.items()]

    def _reduced(self, value: Any) -> Any:
        reduce = copyreg.dispatch_table.get(type(value))
        reduced: Any = reduce(value) if reduce else value.__reduce_ex__(_PROTOCOL)
        if isinstance(reduced, str):
            return {"name": self._name(f"{module_of(value)}:{reduced}")}
        function, arguments, *rest = reduced
        rest += [None] * (4 - len(rest))
        state, items, pairs, setter = rest
        if setter is not None:
            raise TypeError(f"{type(value).__qualname__} sets its state through a function")
        if function is copyreg.__newobj__:  # type: ignore[attr-defined]
            written: dict[str, Any] = {"object": self._name(name_of(arguments[0]))}
            arguments = arguments[1:]
        else:
            written = {"call": self._name(name_of(function))}
        if arguments:
            written["arguments"] = [self.write(argument) for argument in arguments]
        if items is not None:
            written["items"] = [self.write(item) for item in items]
        if pairs is not None:
            written["pairs"] = [[self.write(key), self.write(item)] for key, item in pairs]
        if state is not None:
            written["state"] = self.write(state)
        return written

    def _name(self, name: str) -> str:
        self.names.add(name)
        return name


class _Reader:
    def __init__(self, names: Container[str] | None) -> None:
        self._objects: list[Any] = []
        self._names = names

    def read(self, node: Any) -> Any:
        match node:
            case {"float": bits}:
                return struct.unpack(">d", bytes.fromhex(bits))[0]
            case {"bytes": text}:
                return base64.b64decode(text)
            case {"name": name}:
                return self._named(name)
            case {"again": number}:
                if self._objects[number] is None:
                    raise ValueError("a value that cannot be changed holds itself")
                return self._objects[number]
            case dict() | list():
                number = len(self._objects)
                self._objects.append(None)
                self._objects[number] = made = self._compound(node, number)
                return made
        return node

    def _compound(self, node: Any, number: int) -> Any:
        match node:
            case list():
                made: list[Any] = []
                self._objects[number] = made  # before its items, which may lead back to it
                made += map(self.read, node)
                return made
            case {"dict": content}:
                filled: dict[Any, Any] = {}
                self._objects[number] = filled
                filled.update(self._pairs(content))
                return filled
            case {"array": written}:
                return array_from_json(**written)
            case {"scalar": written}:
                return array_from_json(**written)[()]
            case {"tensor": written}:
                return tensor_from_json(**written)
            case {"object": name}:
                kind = self._named(name)
                return self._rebuilt(kind.__new__(kind, *self._arguments(node)), node, number)
            case {"call": name}:
                return self._rebuilt(self._named(name)(*self._arguments(node)), node, number)
        ((name, items),) = node.items()
        return _ITEMS[name](map(self.read, items))

    def _named(self, name: str) -> Any:
        if self._names is not None and name not in PLACES and name not in self._names:
            raise UnknownName(f"it names {name}, which no program of this adapter does")
        return named(name)

    def _pairs(self, content: Any) -> list[tuple[Any, Any]]:
        if isinstance(content, dict):
            return [(key, self.read(item)) for key, item in content.items()]
        return [(self.read(key), self.read(item)) for key, item in content]

    def _arguments(self, node: dict[str, Any]) -> list[Any]:
        return [self.read(argument) for argument in node.get("arguments", ())]

    def _rebuilt(self, value: Any, node: dict[str, Any], number: int) -> Any:
        """A new object with what was written of it, in the order in which it was written."""
        self._objects[number] = value
        for item in node.get("items", ()):
            value.append(self.read(item))
        for key, item in node.get("pairs", ()):
            value[self.read(key)] = self.read(item)
        if "state" in node:
            _set_state(value, self.read(node["state"]))
        if dataclasses.is_dataclass(value):
            _fill_in(value)
        return value


def _set_state(value: Any, state: Any) -> None:
    """What pickle does with the state of an object."""
    if hasattr(value, "__setstate__"):
        value.__setstate__(state)
        return
    attributes, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if attributes:
        vars(value).update(attributes)
    for name, item in (slots or {}).items():
        setattr(value, name, item)


def _fill_in(value: Any) -> None:
    """Give an object of a data class the fields that the class has got since it was written."""
    for field in dataclasses.fields(value):
        if not hasattr(value, field.name):
            if field.default_factory is dataclasses.MISSING:
                raise TypeError(f"{type(value).__qualname__} has a new field {field.name}")
            object.__setattr__(value, field.name, field.default_factory())

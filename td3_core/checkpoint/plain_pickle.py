# SPDX-License-Identifier: MIT
"""Reads the pickles in which ``torch.save`` writes plain data and tensors, and nothing that could run code.

No name in a pickle is ever looked up, no object is called, and what is made of it is counted: a pickle
that asks for more than its allowance is refused before it gets it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes of objects, beyond the size of the file, that a pickle may make. A container takes about 100.
FREE_BYTES = 128 * 1024 * 1024
_MAX_DEPTH = 64
_MARK = object()
_NUMBERS = (int, float, bool, type(None))


class MalformedError(Exception):
    """The file is no checkpoint or a damaged one; the message completes a sentence about it."""


class Storage(NamedTuple):
    """A reference to the elements of a tensor: the name of the storage's class, its key and its length."""

    kind: str
    key: str
    length: int


class _Name(NamedTuple):
    """A name that a pickle mentions. Nothing is ever imported by it."""

    module: str
    name: str


_REBUILD = _Name("torch._utils", "_rebuild_tensor_v2")
_ORDERED = _Name("collections", "OrderedDict")
_ENCODE = _Name("_codecs", "encode")


def unpickle(data: memoryview, tensor: Callable[..., Any], *, allowance: int) -> Any:
    """The plain data in a pickle of protocol 2.

    Args:
        data: the pickle.
        tensor: makes a tensor of its storage, offset, shape and stride; it must take no memory.
        allowance: how many bytes of objects may be made, beside some that are free.

    Raises:
        MalformedError: the pickle is damaged, holds more than plain data, or too much of it.
    """
    try:
        value = _Reader(data, tensor, allowance + FREE_BYTES).read()
    except MalformedError:
        raise
    except Exception as error:
        raise MalformedError(
            f"it is damaged or holds more than plain data ({type(error).__name__})"
        ) from error
    _check_tree(value, 4 * allowance)
    return value


class _Reader:
    """A machine for the two dozen instructions that plain data is written with."""

    def __init__(self, data: memoryview, tensor: Callable[..., Any], budget: int) -> None:
        self._data = data
        self._tensor = tensor
        self._budget = budget
        self._position = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def read(self) -> Any:
        data, stack = self._data, self._stack
        if bytes(data[:2]) != b"\x80\x02":
            raise MalformedError("it is not a pickle of protocol 2, as torch.save writes")
        self._position = 2
        while True:
            code = data[self._position]
            self._position += 1
            if code == 0x2E:  # STOP
                (value,) = stack
                return value
            instruction = _INSTRUCTIONS.get(code)
            if instruction is None:
                raise MalformedError(f"it holds more than plain data (the pickle instruction 0x{code:02x})")
            instruction(self)
            self._budget -= 32
            if self._budget < 0:
                raise MalformedError("it holds more objects than a file of its size can need")

    # -- arguments ---------------------------------------------------------------------------------------

    def take(self, size: int) -> memoryview:
        end = self._position + size
        if size < 0 or end > len(self._data):
            raise MalformedError("it is damaged: it ends within a value")
        part = self._data[self._position : end]
        self._position = end
        return part

    def byte(self) -> int:
        value = self._data[self._position]
        self._position += 1
        return value

    def number(self, form: struct.Struct) -> Any:
        (value,) = form.unpack_from(self._data, self._position)
        self._position += form.size
        return value

    def line(self) -> str:
        start = self._position
        window = bytes(self._data[start : start + 256])
        end = window.index(b"\n")
        self._position = start + end + 1
        return window[:end].decode("ascii")

    def to_mark(self) -> list[Any]:
        stack = self._stack
        start = len(stack) - 1
        while stack[start] is not _MARK:
            start -= 1
        items = stack[start + 1 :]
        del stack[start:]
        return items

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def container(self, value: Any) -> None:
        self._budget -= 64 + (8 * len(value) if value else 0)
        self._stack.append(value)

    # -- instructions ------------------------------------------------------------------------------------

    def remember(self, key: int) -> None:
        self._budget -= 64
        self._memo[key] = self._stack[-1]

    def text(self) -> None:
        size = self.number(_U4)
        self._budget -= 4 * size
        self.push(bytes(self.take(size)).decode("utf-8", "surrogatepass"))

    def integer(self) -> None:
        self.push(int.from_bytes(self.take(self.byte()), "little", signed=True))

    def tuple_of(self, count: int) -> None:
        items = self._stack[-count:]
        if len(items) != count:
            raise MalformedError("it is damaged: a value is missing")
        del self._stack[-count:]
        self.container(tuple(items))

    def append(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise MalformedError("it is damaged: what is no list is extended")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise MalformedError("it is damaged: what is no dict is filled")
        self._budget -= 48 * len(items)
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Large integers can be chosen so that a dict of them takes hours to fill.
            if type(key) is not str and (type(key) is not int or not -(2**63) <= key < 2**63):
                raise MalformedError("it holds a dict whose keys are neither strings nor integers")
            target[key] = value

    def reduce(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if function == _REBUILD and type(function) is _Name:
            storage, offset, shape, stride = arguments[:4]
            if type(storage) is not Storage or len(shape) > _MAX_DEPTH:
                raise MalformedError("a tensor in it is damaged")
            for number in (offset, *shape, *stride):
                if type(number) is not int or number < 0:
                    raise MalformedError("a tensor in it is damaged")
            self._budget -= 512
            self.push(self._tensor(storage, offset, shape, stride))
        elif function == _ORDERED and type(function) is _Name and arguments == ():
            self.container({})
        elif function == _ENCODE and type(function) is _Name:
            text, encoding = arguments
            if encoding != "latin1":
                raise MalformedError("it holds more than plain data")
            self.push(text.encode("latin1"))
        else:
            raise MalformedError(f"it holds more than plain data ({_told(function)})")

    def build(self) -> None:
        """A state dict's ``_metadata`` of versions, which decides about nothing here."""
        self._stack.pop()
        if type(self._stack[-1]) is not dict:
            raise MalformedError("it holds more than plain data (the state of an object)")

    def persistent(self) -> None:
        word, kind, key, _place, length = self._stack.pop()
        if word != "storage" or type(kind) is not _Name or type(key) is not str or type(length) is not int:
            raise MalformedError("a tensor in it is damaged")
        self.container(Storage(kind.name, key, length))


_U2, _U4, _I4, _F8 = (struct.Struct(form) for form in ("<H", "<I", "<i", ">d"))

_INSTRUCTIONS: dict[int, Callable[[_Reader], None]] = {
    ord("}"): lambda r: r.container({}),
    ord("]"): lambda r: r.container([]),
    ord(")"): lambda r: r.push(()),
    ord("("): lambda r: r.push(_MARK),
    ord("N"): lambda r: r.push(None),
    0x88: lambda r: r.push(True),
    0x89: lambda r: r.push(False),
    ord("K"): lambda r: r.push(r.byte()),
    ord("M"): lambda r: r.push(r.number(_U2)),
    ord("J"): lambda r: r.push(r.number(_I4)),
    0x8A: _Reader.integer,
    ord("G"): lambda r: r.push(r.number(_F8)),
    ord("X"): _Reader.text,
    ord("q"): lambda r: r.remember(r.byte()),
    ord("r"): lambda r: r.remember(r.number(_U4)),
    ord("h"): lambda r: r.push(r._memo[r.byte()]),  # noqa: SLF001
    ord("j"): lambda r: r.push(r._memo[r.number(_U4)]),  # noqa: SLF001
    0x85: lambda r: r.tuple_of(1),
    0x86: lambda r: r.tuple_of(2),
    0x87: lambda r: r.tuple_of(3),
    ord("t"): lambda r: r.container(tuple(r.to_mark())),
    ord("a"): lambda r: r.append([r._stack.pop()]),  # noqa: SLF001
    ord("e"): lambda r: r.append(r.to_mark()),
    ord("s"): lambda r: r.set_items([r._stack.pop(-2), r._stack.pop()]),  # noqa: SLF001
    ord("u"): lambda r: r.set_items(r.to_mark()),
    ord("c"): lambda r: r.push(_Name(r.line(), r.line())),
    ord("Q"): _Reader.persistent,
    ord("R"): _Reader.reduce,
    ord("b"): _Reader.build,
}


def _told(function: Any) -> str:
    return f"{function.module}.{function.name}" if type(function) is _Name else type(function).__name__


def _check_tree(value: Any, most_bytes: int) -> None:
    """Refuse what would grow when it is copied or walked: shared, circular or very deep containers.

    ``most_bytes`` is what all tensors together may have, each counted wherever it stands.
    """
    seen: set[int] = set()
    level = [value]
    for _ in range(_MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is dict or kind is list or (kind is tuple and item):
                # Tuples of numbers may be shared, as Adam's betas are.
                if id(item) in seen and not (kind is tuple and all(type(one) in _NUMBERS for one in item)):
                    raise MalformedError("it holds one container in two places")
                seen.add(id(item))
                below.extend(item.values() if kind is dict else item)
            elif item is _MARK or kind is _Name or kind is Storage:
                raise MalformedError("it is damaged or holds more than plain data")
            elif hasattr(item, "nbytes"):
                most_bytes -= item.nbytes
        if most_bytes < 0:
            raise MalformedError("its tensors are larger than the file")
        level = below
        if not level:
            return
    raise MalformedError("its contents are nested too deeply")

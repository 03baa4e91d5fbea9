# SPDX-License-Identifier: MIT
"""Reads the pickles in which ``torch.save`` writes plain data and tensors, and nothing that could run code.

No name in a pickle is ever looked up, no object is called, and what is made of it is paid for: a pickle that
asks for more than there is in the purse is refused before it gets it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from td3_core.checkpoint.bounds import (
    BYTES,
    CONTAINER,
    MARK,
    MAX_DEPTH,
    NAME,
    NUMBER,
    REMEMBERED,
    SLOT,
    ExceededError,
    Purse,
)

if TYPE_CHECKING:
    from collections.abc import Callable

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


def unpickle(data: memoryview, tensor: Callable[..., Any], *, most_elements: int) -> Any:
    """The plain data in a pickle of protocol 2.

    Args:
        data: the pickle.
        tensor: makes a tensor of its storage, offset, shape and stride; it must take no memory.
        most_elements: how many bytes all tensors together may have, each counted wherever it stands.

    Raises:
        MalformedError: the pickle is damaged, holds more than plain data, or too much of it.
    """
    try:
        value = _Reader(data, tensor).read()
    except MalformedError:
        raise
    except ExceededError as error:
        raise MalformedError(f"it holds {error}") from error
    except Exception as error:
        raise MalformedError(
            f"it is damaged or holds more than plain data ({type(error).__name__})"
        ) from error
    _check_tree(value, most_elements)
    return value


class _Reader:
    """A machine for the two dozen instructions that plain data is written with."""

    def __init__(self, data: memoryview, tensor: Callable[..., Any]) -> None:
        self._data = data
        self._tensor = tensor
        self._position = 0
        self._stack: list[Any] = []
        self._memo: list[Any] = []
        self.purse = Purse()

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

    def push(self, value: Any, price: int = SLOT) -> None:
        self.purse.pay(price)
        self._stack.append(value)

    # -- instructions ------------------------------------------------------------------------------------

    def remember(self, key: int) -> None:
        # Picklers number what they remember. Any other number would be a table of that size.
        if key != len(self._memo):
            raise MalformedError("it is damaged: what it remembers has no order")
        self.purse.pay(REMEMBERED)
        self._memo.append(self._stack[-1])

    def recall(self, key: int) -> None:
        value = self._memo[key]
        kind = type(value)
        # Tuples of numbers may stand in two places, as Adam's betas do.
        if kind in (dict, list) or (kind is tuple and not all(type(one) in _NUMBERS for one in value)):
            raise MalformedError("it holds one container in two places")
        self.push(value)

    def name(self) -> None:
        self.purse.pay(NAME)
        self._stack.append(_Name(self.line(), self.line()))

    def text(self) -> None:
        size = self.number(_U4)
        self.purse.text(size)
        raw = self.take(size)
        if not _is_ascii(raw):
            self.purse.wide(size)
        self._stack.append(str(raw, "utf-8", "surrogatepass"))

    def integer(self) -> None:
        size = self.byte()
        self.purse.integer(size)
        self._stack.append(int.from_bytes(self.take(size), "little", signed=True))

    def tuple_of(self, count: int) -> None:
        items = self._stack[-count:]
        if len(items) != count:
            raise MalformedError("it is damaged: a value is missing")
        del self._stack[-count:]
        self.push(tuple(items), CONTAINER)

    def append(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise MalformedError("it is damaged: what is no list is extended")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise MalformedError("it is damaged: what is no dict is filled")
        self.purse.entries(len(target), len(target) + len(items) // 2)
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) is int and -(2**63) <= key < 2**63:
                self.purse.integer_key(len(target))
            elif type(key) is not str:
                raise MalformedError("it holds a dict whose keys are neither strings nor integers of 64 bits")
            target[key] = value

    def reduce(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if function == _REBUILD and type(function) is _Name:
            storage, offset, shape, stride = arguments[:4]
            if type(storage) is not Storage or len(shape) > MAX_DEPTH:
                raise MalformedError("a tensor in it is damaged")
            for number in (offset, *shape, *stride):
                if type(number) is not int or not 0 <= number < 2**63:
                    raise MalformedError("a tensor in it is damaged")
            self.purse.tensor()
            self._stack.append(self._tensor(storage, offset, shape, stride))
        elif function == _ORDERED and type(function) is _Name and arguments == ():
            self.push({}, CONTAINER)
        elif function == _ENCODE and type(function) is _Name:
            text, encoding = arguments
            if encoding != "latin1" or type(text) is not str:
                raise MalformedError("it holds more than plain data")
            self.purse.pay(BYTES + len(text))
            self._stack.append(text.encode("latin1"))
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
        self.push(Storage(kind.name, key, length), CONTAINER)


_PIECE = 64 * 1024  # of a text, to be looked at without a copy of all of it

_U2, _U4, _I4, _F8 = (struct.Struct(form) for form in ("<H", "<I", "<i", ">d"))

_INSTRUCTIONS: dict[int, Callable[[_Reader], None]] = {
    ord("}"): lambda r: r.push({}, CONTAINER),
    ord("]"): lambda r: r.push([], CONTAINER),
    ord(")"): lambda r: r.push(()),
    ord("("): lambda r: r.push(_MARK, MARK),
    ord("N"): lambda r: r.push(None),
    0x88: lambda r: r.push(True),
    0x89: lambda r: r.push(False),
    ord("K"): lambda r: r.push(r.byte(), NUMBER),
    ord("M"): lambda r: r.push(r.number(_U2), NUMBER),
    ord("J"): lambda r: r.push(r.number(_I4), NUMBER),
    0x8A: _Reader.integer,
    ord("G"): lambda r: r.push(r.number(_F8), NUMBER),
    ord("X"): _Reader.text,
    ord("q"): lambda r: r.remember(r.byte()),
    ord("r"): lambda r: r.remember(r.number(_U4)),
    ord("h"): lambda r: r.recall(r.byte()),
    ord("j"): lambda r: r.recall(r.number(_U4)),
    0x85: lambda r: r.tuple_of(1),
    0x86: lambda r: r.tuple_of(2),
    0x87: lambda r: r.tuple_of(3),
    ord("t"): lambda r: r.push(tuple(r.to_mark()), CONTAINER),
    ord("a"): lambda r: r.append([r._stack.pop()]),  # noqa: SLF001
    ord("e"): lambda r: r.append(r.to_mark()),
    ord("s"): lambda r: r.set_items([r._stack.pop(-2), r._stack.pop()]),  # noqa: SLF001
    ord("u"): lambda r: r.set_items(r.to_mark()),
    ord("c"): _Reader.name,
    ord("Q"): _Reader.persistent,
    ord("R"): _Reader.reduce,
    ord("b"): _Reader.build,
}


def _is_ascii(text: memoryview) -> bool:
    return all(bytes(text[at : at + _PIECE]).isascii() for at in range(0, len(text), _PIECE))


def _told(function: Any) -> str:
    return f"{function.module}.{function.name}"[:100] if type(function) is _Name else type(function).__name__


def _check_tree(value: Any, most_elements: int) -> None:
    """Refuse what is nested too deeply, larger than the file once it is copied, or not data at all."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is dict:
                below.extend(item.values())
            elif kind is list or kind is tuple:
                below.extend(item)
            elif item is _MARK or kind is _Name or kind is Storage:
                raise MalformedError("it is damaged or holds more than plain data")
            elif hasattr(item, "nbytes"):
                most_elements -= item.nbytes
        if most_elements < 0:
            raise MalformedError("its tensors are larger than the file")
        level = below
        if not level:
            return
    raise MalformedError(f"its contents are nested more than {MAX_DEPTH} deep")

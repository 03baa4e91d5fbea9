# SPDX-License-Identifier: MIT
"""What a checkpoint may hold beside the elements of tensors: one definition for its writer and its reader.

Every value has a price in bytes, near to what it takes in memory. The writer pays for what it is given
before it opens a file, the reader for what it makes as it makes it, both from the same purse: so whatever
is written can be read, and no file takes more memory than its size and the purse.
"""

from __future__ import annotations

#: Containers within one another.
MAX_DEPTH = 64
#: Bytes of an integer, the most that ``torch.load`` reads.
MAX_INTEGER = 255
#: Bytes that all values but the elements of tensors may cost together.
PURSE = 128 * 1024 * 1024

#: Prices in bytes. A place on the reader's stack and one in a container: all that None, True, False, and a
#: string that was there before, cost.
SLOT = 24
MARK = 24
REMEMBERED = 16
NAME = 256
NUMBER = SLOT + 32
CONTAINER = SLOT + 64
TEXT = SLOT + 56
BYTES = SLOT + 40
TENSOR = 1024
#: What a pickle takes around a tensor, around bytes, and once.
_AROUND_TENSOR, _AROUND_BYTES, _AROUND_ALL = 1536, 256, 64 * NAME


class ExceededError(Exception):
    """A limit of the format was reached; the message says what there is too much of, to follow "it holds"."""


class Purse:
    """What is left to pay for the values of one checkpoint."""

    def __init__(self) -> None:
        self.spent: int = 0

    def pay(self, price: int) -> None:
        """Pay for something. Raises ExceededError if too little is left."""
        self.spent += price
        if self.spent > PURSE:
            raise ExceededError(
                f"more values than the {PURSE // 2**20} MiB that they may take beside tensors"
            )

    def integer(self, size: int) -> None:
        """Pay for an integer of ``size`` bytes, 0 where four are enough."""
        if size > MAX_INTEGER:
            raise ExceededError(f"an integer of more than {MAX_INTEGER} bytes")
        self.pay(NUMBER + 2 * size)

    def text(self, size: int) -> None:
        """Pay for a string of ``size`` bytes in UTF-8, and a copy of these."""
        self.pay(TEXT + 2 * size)

    def wide(self, size: int) -> None:
        """Pay for the room that such a string takes if not all of its characters are ASCII."""
        self.pay(4 * size)

    def entries(self, before: int, after: int) -> None:
        """Pay for the growth of a dict from ``before`` to ``after`` entries, beside keys and values."""
        self.pay(_table(after) - _table(before))

    def integer_key(self, before: int) -> None:
        """Pay for an integer key in a dict of ``before`` others, with all of which it may be compared.

        Integers can be chosen so, and a file of a megabyte would take minutes. Strings cannot.
        """
        self.pay(before)

    def tensor(self) -> None:
        """Pay for a tensor, whose elements stay where they are in the file."""
        self.pay(TENSOR)


class WritersPurse(Purse):
    """The purse of who has values and no pickle yet: it pays for what a pickle has around them, too."""

    def __init__(self) -> None:
        super().__init__()
        self.pay(_AROUND_ALL)

    def container(self, size: int) -> None:
        """Pay for a container of ``size`` values, less the values; pickles hold them by the thousand."""
        self.pay(CONTAINER + REMEMBERED + MARK * (1 + size // 1000))

    def string(self, value: str) -> None:
        """Pay for a string that has not been there before."""
        self.pay(REMEMBERED)
        self._text(len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass")), value)

    def encoded(self, value: bytes) -> None:
        """Pay for bytes, of which a pickle holds the string of their numbers."""
        self.pay(BYTES + len(value) + _AROUND_BYTES)
        self._text(len(value) + len(value.translate(None, bytes(range(128)))), value)

    def _text(self, size: int, value: str | bytes) -> None:
        self.text(size)
        if not value.isascii():
            self.wide(size)

    def dimensions(self, number: int) -> None:
        """Pay for shape and strides of a tensor, and for the rest of what describes it."""
        if number > MAX_DEPTH:
            raise ExceededError(f"a tensor of more than {MAX_DEPTH} dimensions")
        self.pay(_AROUND_TENSOR + 2 * number * (NUMBER + 16))


def _table(entries: int) -> int:
    """Bytes of the table of a dict: its size is a power of two, of which two thirds are filled."""
    if not entries:
        return 0
    size = 8
    while 2 * size // 3 < entries:
        size *= 2
    return 20 * size


def disjoint(shape: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    """Whether no two elements of such a tensor lie in the same place, as far as strides tell."""
    if 0 in shape:
        return True
    reach = 0
    for step, length in sorted(zip(stride, shape, strict=True)):
        if length > 1:
            if step <= reach:
                return False
            reach += (length - 1) * step
    return True

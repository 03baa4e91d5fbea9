# SPDX-License-Identifier: MIT
"""Quotes values in messages: any value, of any size, in a few words."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 200
#: How much a message lists before it only counts.
LISTED = 50


class _Quoter(reprlib.Repr):
    """Looks at no more of a value than it can show."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxdict = self.maxlist = self.maxtuple = 12
        self.maxstring = 120
        self.maxother = _LONGEST

    def repr1(self, x: Any, level: int) -> str:
        if isinstance(x, torch.Tensor):
            return f"a tensor of shape {self.repr1(tuple(x.shape), level)} and {x.dtype}"
        if isinstance(x, int) and x.bit_length() > 256:
            return f"an integer of {x.bit_length():,} bits"
        if isinstance(x, bytes):
            return repr(x[: self.maxstring]) + ("..." if len(x) > self.maxstring else "")
        return super().repr1(x, level)


_quoter = _Quoter()


def quoted(value: object) -> str:
    """``repr(value)``, or enough of it to recognise the value: at most 200 characters."""
    return shortened(_quoter.repr(value))


def shortened(message: object) -> str:
    """What somebody else's error says, in one line of at most 200 characters."""
    text = str(message)
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    return " ".join(text.split()) if "\n" in text else text


def listed(problems: Sequence[str], separator: str) -> str:
    """The first fifty problems in one string, and how many more there are."""
    shown = list(problems[:LISTED])
    if len(problems) > LISTED:
        shown.append(f"and {len(problems) - LISTED:,} more")
    return separator.join(shown)

# SPDX-License-Identifier: MIT
"""A shard: one of several runs that share the programs of one seed between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from verification.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """One of several runs.

    Attributes:
        number: which, from 1 on.
        of: how many there are.
    """

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def remark(self) -> str:
        """What a report has to say of it, in a sentence."""
        return (
            f"This is shard {self}: it ran its share of the examples, and verify merge gives the "
            "verdict on all of them."
        )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard that is written ``3/8``.

        Raises:
            UsageError: if it is written otherwise.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise UsageError(f"--shard is {text}; give its number and how many there are, from 1/8 to 8/8")
        return cls(int(found[1]), int(found[2]))

    def share(self, programs: Sequence[T]) -> Sequence[T]:
        """Of the programs of a seed those that are run here."""
        return programs[self.number - 1 :: self.of]

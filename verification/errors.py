# SPDX-License-Identifier: MIT
"""What can go wrong, and whose fault it is: a ``Failure`` is the agent's, an ``Error`` the caller's."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from verification.losses import Loss
    from verification.state import Difference


#: What somebody else's code may raise by mistake. Ctrl-C is none, and neither is what ends a test.
MISTAKES = (Exception, SystemExit, GeneratorExit)
# Characters of a message: some libraries print whole tensors into theirs.
_LONGEST = 500
# Colours and the like for a terminal.
_STYLES = re.compile(r"\x1b\[[0-9;]*m")


class UsageError(Exception):
    """The caller asked for something that does not exist; the message names the nearest that does."""


class NotPortable(UsageError):  # noqa: N818 - says what it is
    """Something exists only in this process; the message says why another one cannot make it again."""


class AdapterError(Exception):
    """The adapter did not keep the protocol; the message names the member and shows the fix."""


class OverTimeLimit(AdapterError):  # noqa: N818 - says what happened, as the others do
    """An operation of the adapter did not return in time; the message names it and its limit."""


class CheckFailure(AssertionError):  # noqa: N818 - a wrong agent, not a wrong caller
    """The agent broke a promise.

    Attributes:
        sentence: what happened, in one sentence.
        differences: the leaves that differ, the first diverging one first.
        program: the program that shows it, as text.
        losses: the pieces of state whose loss breaks the promise.
    """

    def __init__(
        self,
        sentence: str,
        differences: Sequence[Difference] = (),
        program: str = "",
        losses: Sequence[Loss] = (),
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.differences: tuple[Difference, ...] = tuple(differences)
        self.program = program
        self.losses: tuple[Loss, ...] = tuple(losses)

    def __str__(self) -> str:
        lines = [self.sentence, *(f"  {difference}" for difference in self.differences[:12])]
        if len(self.differences) > 12:
            lines.append(f"  ... and {len(self.differences) - 12} more leaves")
        if self.program:
            lines.append("It happened in this program:")
            lines += [f"  {line}" for line in self.program.splitlines()]
        return "\n".join(lines)


class Inconclusive(Exception):  # noqa: N818 - neither the agent's failure nor anybody's error
    """The example can prove nothing, because two runs without any save differ."""


class NotApplicable(Exception):  # noqa: N818 - as above
    """The check does not apply to this agent; the message says why."""


class RefusedState(Exception):  # noqa: N818 - as above
    """The agent cannot go on with a rare state written into its optimizers: the example proves nothing."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A suggestion for a misspelt name, with a separator behind it; empty if nothing is near."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {found[0]!r}? " if found else ""


def shortly(error: BaseException) -> str:
    """The type and the first line of what somebody else's code has raised."""
    first = next(iter(_STYLES.sub("", str(error)).strip().splitlines()), "(no message)")
    return f"{type(error).__name__}: {first if len(first) <= _LONGEST else f'{first[:_LONGEST]}...'}"

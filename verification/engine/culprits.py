# SPDX-License-Identifier: MIT
"""Which of several differences are to blame for what follows from them together: found by experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from verification.engine.groups import Group
    from verification.engine.trial import Spread


def culprits(
    suspects: list[Group],
    spread: Spread,
    following: Callable[[Sequence[Group]], Spread | None],
    still: Callable[[list[Group]], list[Group]],
) -> Iterator[tuple[list[Group], Spread]]:
    """The smallest sets of suspects that something follows from, and what does: by halving.

    Where something follows from both halves, both have culprits. Where it does from neither, only suspects of
    both do so together; one set of these is found, by delta debugging (Zeller and Hildebrandt, 2002).

    Args:
        suspects: from which something follows.
        spread: what does.
        following: makes an experiment: what follows from some groups if all others are put back.
        still: those of some groups that are suspects still; called again after each set that is found.
    """
    if len(suspects) == 1:
        yield suspects, spread
        return
    middle, found = len(suspects) // 2, False
    for half in (suspects[:middle], suspects[middle:]):
        left = still(half)
        if left and (follows := following(left)) is not None:
            found = True
            yield from culprits(left, follows, following, still)
    if not found and still(suspects) == suspects:
        yield _smallest(suspects, spread, following)


def _smallest(
    suspects: list[Group], spread: Spread, following: Callable[[Sequence[Group]], Spread | None]
) -> tuple[list[Group], Spread]:
    parts = 2
    while len(suspects) > 1:
        size = -(-len(suspects) // parts)
        pieces = [suspects[start : start + size] for start in range(0, len(suspects), size)]
        others = [[one for one in suspects if one not in piece] for piece in pieces if len(pieces) > 2]
        for piece in (*pieces, *others):
            if (follows := following(piece)) is not None:
                suspects, spread, parts = piece, follows, 2
                break
        else:
            if parts >= len(suspects):
                break
            parts = min(len(suspects), parts * 2)
    return suspects, spread

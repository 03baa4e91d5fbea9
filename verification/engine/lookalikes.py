# SPDX-License-Identifier: MIT
"""What a lost piece has become: does it hold, exactly, what something else holds?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.losses import AS_BEGUN, AS_BUILT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from verification.state import Change, Snapshot


def lookalikes(
    changes: Sequence[Change], *, reference: Snapshot, loaded: Snapshot, built: Snapshot, begun: Snapshot
) -> tuple[str, ...]:
    """What the leaves that differ after a load are all equal to.

    Args:
        changes: how they differ.
        reference: the state that was saved.
        loaded: the state after the load.
        built: the receiver before it.
        begun: the state from which the saved run began.

    Returns:
        ``AS_BUILT``, ``AS_BEGUN`` and paths of other networks of the loaded agent, as far as they apply.
    """
    found = [
        name
        for name, other in ((AS_BUILT, built), (AS_BEGUN, begun))
        if all(_digest(loaded, change.path) == _digest(other, change.path) for change in changes)
    ]
    return (*found, *_twins(changes, reference, loaded))


def _digest(snapshot: Snapshot, path: str) -> bytes | None:
    leaf = snapshot.leaves.get(path)
    return None if leaf is None else leaf.digest


def _twins(changes: Sequence[Change], reference: Snapshot, loaded: Snapshot) -> Iterator[str]:
    """The objects with the same values, though not in the reference, under the same names below them."""
    if any(change.aspect != "value" or change.actual is None for change in changes):
        return
    for owner in _owners(changes):
        names = [change.path[len(owner) :] for change in changes]
        first = names[0]
        digest = _digest(loaded, owner + first)
        others = [
            path.removesuffix(first)
            for path, leaf in loaded.leaves.items()
            if leaf.digest == digest and leaf.kind == "tensor" and path.endswith(first)
        ]
        for other in others:
            pairs = [(owner + name, other + name) for name in names]
            same = all(_digest(loaded, one) == _digest(loaded, two) for one, two in pairs)
            before = all(_digest(reference, one) == _digest(reference, two) for one, two in pairs)
            if other != owner and same and not before:
                yield other
                return


def _owners(changes: Sequence[Change]) -> Iterator[str]:
    """The paths that all the changes are under, the longest first."""
    paths = [change.path for change in changes]
    shared = paths[0]
    while (cut := max(shared.rfind("."), shared.rfind("["))) > 0:
        shared = shared[:cut]
        if all(path.startswith((f"{shared}.", f"{shared}[")) for path in paths):
            yield shared

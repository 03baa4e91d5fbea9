# SPDX-License-Identifier: MIT
"""What an adapter declares as the caller's: a load has to leave it, where it restores everything else."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from verification.engine.groups import ways
from verification.errors import AdapterError
from verification.state import changes, take
from verification.state.transplant import transplant

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

    from verification.state import Snapshot

# How often what differs is written, before it is given up.
_ROUNDS = 2


@dataclasses.dataclass(frozen=True)
class Callers:
    """The caller's pieces of an adapter's agents.

    Attributes:
        hidden: the paths of what is the caller's, and of what is volatile: no other comparison looks there.
        volatile: the paths of what is volatile, if anything is.
    """

    hidden: re.Pattern[str]
    volatile: re.Pattern[str] | None

    def of(self, roots: Mapping[str, object]) -> Snapshot:
        """The leaves that are the caller's: those that are not seen but behind the caller's paths."""
        whole = take(roots, volatile=self.volatile)
        others = take(roots, volatile=self.hidden).leaves
        return dataclasses.replace(
            whole,
            leaves={
                path: leaf
                for path, leaf in whole.leaves.items()
                if not any(way in others for way in ways(path, whole.aliases))
            },
        )

    def give(self, own: Mapping[str, object], theirs: Mapping[str, object]) -> None:
        """Write the caller's pieces of another agent into an agent, so that both go on alike.

        Raises:
            AdapterError: if one cannot be written.
        """
        expected = self.of(theirs)
        for _ in range(_ROUNDS):
            differing = list(changes(expected, self.of(own)))
            if not differing:
                return
            failed = transplant(own, theirs, differing)
        for path, why in failed.items():
            raise AdapterError(
                f"{path} is the caller's, but another value cannot be put there ({why}), so that what "
                "follows cannot be compared; let callers name a smaller piece"
            )

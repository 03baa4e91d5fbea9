# SPDX-License-Identifier: MIT
"""What an agent holds: it is found, compared bit for bit, and sorted into kinds.

Not here: calling the agent (``engine``), and what may differ (``checks``).
"""

from __future__ import annotations

from verification.state.compare import Change, Difference, alike, changes, compare, in_words
from verification.state.parts import Part, classify
from verification.state.snapshot import Leaf, Snapshot
from verification.state.walk import find, shared_places, take

__all__ = [
    "Change",
    "Difference",
    "Leaf",
    "Part",
    "Snapshot",
    "alike",
    "changes",
    "classify",
    "compare",
    "find",
    "in_words",
    "shared_places",
    "take",
]

# SPDX-License-Identifier: MIT
"""State discovery, bitwise comparison, and the names of the kinds of state."""

from __future__ import annotations

from verification.state.compare import Difference, compare
from verification.state.parts import Part, classify
from verification.state.snapshot import Leaf, Snapshot
from verification.state.walk import find, take

__all__ = ["Difference", "Leaf", "Part", "Snapshot", "classify", "compare", "find", "take"]

# SPDX-License-Identifier: MIT
"""Whether two programs are the same, whatever they hold: equal tensors, for one, pickle differently."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import xxhash

from verification.state import take

if TYPE_CHECKING:
    from verification.program import Program


def fingerprint(program: Program) -> bytes:
    """A digest of everything in a program: equal ones seldom have different ones, others never the same."""
    seen = take({"program": program})
    digest = xxhash.xxh3_128()
    if seen.opaque:  # what cannot be looked into may differ
        digest.update(pickle.dumps(program))
    for path, leaf in seen.leaves.items():
        if leaf.role != "shared":
            for part in (path.encode("utf-8", "backslashreplace"), repr(leaf[1:3]).encode(), leaf.digest):
                digest.update(len(part).to_bytes(8, "little"))
                digest.update(part)
    return digest.digest()

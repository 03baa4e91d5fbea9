# SPDX-License-Identifier: MIT
"""Public threads about the bugs that each check finds, as the mutants that it kills tell."""

from __future__ import annotations

from verification.mutants.model import mutants


def threads_by_check() -> dict[str, tuple[str, ...]]:
    """By the name of a check, threads as ``owner/repository#number``, each once."""
    found: dict[str, dict[str, None]] = {}
    for mutant in mutants().values():
        for check in mutant.killed_by if mutant.thread else ():
            found.setdefault(check, {})[mutant.thread] = None
    return {check: tuple(threads) for check, threads in found.items()}

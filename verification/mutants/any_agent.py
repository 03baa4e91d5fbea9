# SPDX-License-Identifier: MIT
"""Mutants of any adapter's agent."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from verification.engine.driver import Driver
from verification.mutants.any_planting import BUGS
from verification.mutants.model import Mutant, MutantAdapter

if TYPE_CHECKING:
    from verification.adapter import Adapter


def mutants_of(adapter: Adapter) -> dict[str, Mutant]:
    """All mutants of one adapter's agent by name; which checks kill them depends on the agent."""
    importlib.import_module("verification.mutants.any_bugs")
    driver = Driver(adapter)
    return {
        name: Mutant(
            name,
            adapter.name,
            bug.bug_class,
            bug.thread,
            (),
            "",
            bug.operations(driver),
        )
        for name, bug in BUGS.items()
    }


class AnyMutantAdapter(MutantAdapter):
    """A mutant of an adapter that is not built in: another process makes it from the adapter itself."""

    def __reduce__(self) -> Any:
        return _again, (self.adapter, self.mutant.name)


def _again(adapter: Adapter, name: str) -> AnyMutantAdapter:
    return AnyMutantAdapter(adapter, mutants_of(adapter)[name])

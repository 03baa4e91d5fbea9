# SPDX-License-Identifier: MIT
"""What a mutant is, how one is planted, and the adapter that puts its bug into a correct agent."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from verification.adapters.find import load_adapter

if TYPE_CHECKING:
    from verification.adapter import Adapter

#: A wrong operation: takes what the adapter's member takes, and then the correct operation.
Operation = Callable[..., Any]
#: Registers the wrong operations of the mutants of one agent.
Plant = Callable[..., Callable[[Operation], Operation]]

#: The modules that plant mutants.
_MODULES = (
    "missing_networks",
    "missing_optimizers",
    "missing_run",
    "bindings",
    "values",
    "side_effects",
    "selection",
    "surroundings",
    "controls",
    "ddpg",
    "sac",
    "dqn",
    "cloning",
    "norms",
    "population",
    "zoo",
    "durable",
    "portable",
)
_planted: dict[str, Mutant] = {}


@dataclass(frozen=True)
class Mutant:
    """One planted bug.

    Attributes:
        name: what is wrong, in a few words.
        agent: the name of the correct agent that it is planted into.
        bug_class: the class of public bugs that it stands for; see :mod:`verification.mutants.classes`.
        thread: a public thread about such a bug, as ``owner/repository#number``; empty for controls.
        killed_by: the checks that fail, in the order of the checks, each for a reason of its own: those
            that build on a failed one are blocked.
        leaf: part of a path that the first failure must name; empty if no leaf is lost.
        operations: wrong operations by the adapter's member; the others are right.
    """

    name: str
    agent: str
    bug_class: str
    thread: str
    killed_by: tuple[str, ...]
    leaf: str
    operations: Mapping[str, Operation]


def plant(
    agent: str,
    bug_class: str,
    thread: str,
    killed_by: str | tuple[str, ...],
    leaf: str = "",
    *,
    on: str = "load",
    name: str = "",
    **also: Operation,
) -> Callable[[Operation], Operation]:
    """Register the decorated function as the wrong operation ``on`` of a mutant.

    The mutant is named after the function, or ``name``; ``also`` are further wrong operations of it.
    """

    def register(function: Operation) -> Operation:
        chosen = name or function.__name__
        if chosen in _planted:
            raise ValueError(f"there are two mutants named {chosen}")
        checks = (killed_by,) if isinstance(killed_by, str) else killed_by
        _planted[chosen] = Mutant(chosen, agent, bug_class, thread, checks, leaf, {on: function, **also})
        return function

    return register


def mutants() -> dict[str, Mutant]:
    """All mutants of built-in agents by name."""
    for module in _MODULES:
        importlib.import_module(f"verification.mutants.{module}")
    return dict(_planted)


def planted(name: str) -> MutantAdapter:
    """The correct agent's adapter with the bug of the mutant of this name."""
    return MutantAdapter(load_adapter(mutants()[name].agent), mutants()[name])


class Change(Protocol):
    """What is done otherwise than a correct adapter does it."""

    @property
    def name(self) -> str:
        """In a few words."""

    @property
    def operations(self) -> Mapping[str, Operation]:
        """By the adapter's member."""


class MutantAdapter:
    """An adapter with one bug: what the mutant does wrong is done wrong, everything else as before."""

    def __init__(self, adapter: Adapter, mutant: Change) -> None:
        self.adapter = adapter
        self.mutant = mutant
        self.name: str = f"{adapter.name}-{mutant.name}"

    @property
    def trains_right(self) -> bool:
        """Whether only what happens between an agent and its checkpoint is wrong."""
        return self.mutant.operations.keys() <= {"save", "wait", "load"}

    def __getattr__(self, member: str) -> Any:
        # Only for members not set above; optional ones that neither has are lacking here, too.
        wrong = self.mutant.operations.get(member)
        if wrong is None:
            return getattr(self.adapter, member)
        correct = getattr(self.adapter, member, None)
        return lambda *arguments: wrong(*arguments, correct)

    def __reduce__(self) -> Any:
        # Operations may be closures, which do not pickle: another process plants the bug again by name.
        return planted, (self.mutant.name,)

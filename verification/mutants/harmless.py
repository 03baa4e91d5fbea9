# SPDX-License-Identifier: MIT
"""Harmless changes: what agents hold that no reload brings back, and that nobody must be blamed for."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verification.adapters.find import load_adapter
from verification.mutants.model import MutantAdapter
from verification.specimens import SPECIMENS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from verification.mutants.model import Operation

#: Done to an agent behind a correct operation. It is given what belongs to that: the seed that the agent was
#: built with, the batch or the number of steps, the action that was chosen, or the path.
Addition = Any

#: The agents that every change is planted into.
AGENTS = ("td3_core", *SPECIMENS)

#: The modules that plant changes.
_MODULES = ("harmless_caches", "harmless_forms", "harmless_objects")
_planted: dict[str, Harmless] = {}


@dataclass(frozen=True)
class Harmless:
    """One change that has no consequence.

    Attributes:
        name: what is added, in a few words.
        meaning: the same in a sentence.
        attribute: where the agent holds it.
        noted: whether a load leaves a difference that a report must note.
        operations: the operations that do more than before, by the adapter's member.
    """

    name: str
    meaning: str
    attribute: str
    noted: bool
    operations: Mapping[str, Operation]


def add(
    attribute: str,
    *,
    on: str = "build",
    noted: bool = True,
    **also: Addition,
) -> Callable[[Addition], Addition]:
    """Register the decorated function as what an agent does more, ``on`` building it or another operation.

    Args:
        attribute: where the agent holds it.
        on: ``build``, ``train``, ``act``, ``save`` or ``load``.
        noted: whether a load leaves a difference.
        also: what else it does more, by the same names.
    """

    def register(function: Addition) -> Addition:
        operations: dict[str, Operation] = {}
        for name, addition in {on: function, **also}.items():
            for member in ("learn", "advance") if name == "train" else (name,):
                operations[member] = _behind(addition, member)
        name = function.__name__
        _planted[name] = Harmless(name, inspect.getdoc(function) or "", attribute, noted, operations)
        return function

    return register


def _behind(addition: Addition, member: str) -> Operation:
    def build(config: Any, seed: int, correct: Operation) -> Any:
        agent = correct(config, seed)
        addition(agent, seed)
        return agent

    def train(agent: Any, batch: Any, correct: Operation) -> None:
        correct(agent, batch)
        addition(agent, batch)

    def act(agent: Any, observation: Any, correct: Operation) -> Any:
        action = correct(agent, observation)
        addition(agent, action)
        return action

    def save(agent: Any, path: Path, correct: Operation) -> None:
        correct(agent, path)
        addition(agent, path)

    def load(agent: Any, path: Path, correct: Operation) -> Any:
        restored = correct(agent, path)
        addition(restored, path)
        return restored

    operations: dict[str, Operation] = {"build": build, "act": act, "save": save, "load": load}
    return operations.get(member, train)


def harmless_changes() -> dict[str, Harmless]:
    """All of them by name."""
    for module in _MODULES:
        importlib.import_module(f"verification.mutants.{module}")
    return dict(_planted)


class HarmlessAdapter(MutantAdapter):
    """A correct agent with a change that has no consequence."""

    def __reduce__(self) -> Any:
        return changed, (self.adapter.name, self.mutant.name)


def changed(agent: str, name: str) -> HarmlessAdapter:
    """The adapter of a built-in agent with the change of this name."""
    return HarmlessAdapter(load_adapter(agent), harmless_changes()[name])

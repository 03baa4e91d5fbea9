# SPDX-License-Identifier: MIT
"""What a mutant is, and the adapter that plants one into ``td3_core``."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verification.adapters.td3_core import TD3Core

if TYPE_CHECKING:
    from pathlib import Path

    from td3_core.training import TrainingRun

#: A wrong operation: takes what the adapter's member takes, and then the correct operation.
Operation = Callable[..., Any]


@dataclass(frozen=True)
class Mutant:
    """One planted bug.

    Attributes:
        name: what is wrong, in a few words.
        bug_class: the class of public bugs that it stands for; ``control`` for what no library does.
        thread: a public thread about such a bug.
        killed_by: the first check that fails, in the order of the checks.
        leaf: part of a path that the failure must name; empty if no leaf is lost.
        operations: wrong operations by the adapter's member; the others are right.
    """

    name: str
    bug_class: str
    thread: str
    killed_by: str
    leaf: str
    operations: Mapping[str, Operation]


MUTANTS: dict[str, Mutant] = {}


def plant(
    bug_class: str, thread: str, killed_by: str, leaf: str = "", *, on: str = "load", **also: Operation
) -> Callable[[Operation], Operation]:
    """Register the decorated function as the wrong operation ``on`` of a mutant that is named after it.

    ``also`` are further wrong operations of the same mutant.
    """

    def register(function: Operation) -> Operation:
        name = function.__name__
        MUTANTS[name] = Mutant(name, bug_class, thread, killed_by, leaf, {on: function, **also})
        return function

    return register


def mutants() -> dict[str, Mutant]:
    """All mutants by name."""
    importlib.import_module("verification.mutants.td3_core")
    return MUTANTS


class MutantAdapter(TD3Core):
    """``td3_core`` with the bug of one mutant."""

    def __init__(self, mutant: str) -> None:
        self.mutant = mutant
        self.name = f"td3_core-{mutant}"

    def _do(self, member: str, correct: Operation, *arguments: Any) -> Any:
        wrong = mutants()[self.mutant].operations.get(member)
        return correct(*arguments) if wrong is None else wrong(*arguments, correct)

    def save(self, agent: TrainingRun, path: Path) -> None:
        """As planted, else right; so are all the others."""
        self._do("save", super().save, agent, path)

    def load(self, agent: TrainingRun, path: Path) -> TrainingRun:  # noqa: D102
        run: TrainingRun = self._do("load", super().load, agent, path)
        return run

    def learn(self, agent: TrainingRun, batch: Any) -> None:  # noqa: D102
        self._do("learn", super().learn, agent, batch)

    def act(self, agent: TrainingRun, observation: Any) -> Any:  # noqa: D102
        return self._do("act", super().act, agent, observation)

    def advance(self, agent: TrainingRun, steps: int) -> None:  # noqa: D102
        self._do("advance", super().advance, agent, steps)


def losing(*names: str) -> Operation:
    """A load that leaves attributes of the agent as they were in the receiver."""

    def load(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
        there = [name for name in names if getattr(run.agent, name) is not None]
        kept = {name: _kept(getattr(run.agent, name)) for name in there}
        run = correct(run, path)
        for name, value in kept.items():
            _put_back(run.agent, name, value)
        return run

    return load


def _kept(value: Any) -> Any:
    if hasattr(value, "state_dict"):
        return copy.deepcopy(value.state_dict())
    return value.get_state() if hasattr(value, "get_state") else value


def _put_back(agent: object, name: str, kept: Any) -> None:
    value = getattr(agent, name)
    if hasattr(value, "load_state_dict"):
        value.load_state_dict(kept)
    elif hasattr(value, "set_state"):
        value.set_state(kept)
    else:
        setattr(agent, name, kept)

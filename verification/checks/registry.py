# SPDX-License-Identifier: MIT
"""The registry of checks: what there is to promise, in the order in which checks are run."""

from __future__ import annotations

import functools
import graphlib
import importlib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verification.errors import UsageError, nearest
from verification.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from verification.engine.experiment import Experiment

_MODULES = ("protocol", "weights", "training", "surroundings", "resume", "durable", "portable")
_registry: dict[str, Check] = {}


@dataclass(frozen=True)
class Check:
    """One property of an agent's checkpoints.

    Attributes:
        name: a present-tense sentence; public API.
        level: the promise that it belongs to.
        function: runs on an experiment; raises ``CheckFailure`` if the promise is broken.
        needs: checks without which the question makes no sense: when one of them fails, this is blocked.
        after: checks run before; what they have found to be lost is put back and not reported again.
        closed_loop: whether it lets the agent's own training loop and random streams run.
        cost: how many times dearer than others an example is; there are as many fewer of them.
        never_counted: what is wrong if no example counted; empty if the check then does not apply.
    """

    name: str
    level: Level
    function: Callable[[Experiment], None]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    closed_loop: bool = False
    cost: int = 1
    never_counted: str = ""

    @property
    def promise(self) -> str:
        """What an agent that passes does, in one sentence."""
        return (inspect.getdoc(self.function) or "").split("\n\n")[0].replace("\n", " ")

    @property
    def reason(self) -> str:
        """Why it matters: what goes wrong without it."""
        return " ".join((inspect.getdoc(self.function) or "").split("\n\n")[1:]).replace("\n", " ")


def check(
    *,
    level: Level,
    needs: Iterable[str] = (),
    after: Iterable[str] = (),
    closed_loop: bool = False,
    cost: int = 1,
    never_counted: str = "",
) -> Callable[[Callable[[Experiment], None]], Callable[[Experiment], None]]:
    """Register a function as a check named after it. Its docstring says the promise, then the reason."""

    def register(function: Callable[[Experiment], None]) -> Callable[[Experiment], None]:
        name = function.__name__
        if name in _registry:
            raise ValueError(f"there are two checks named {name}")
        _registry[name] = Check(
            name, level, function, tuple(needs), tuple(after), closed_loop, cost, never_counted
        )
        return function

    return register


@functools.cache
def all_checks() -> dict[str, Check]:
    """Every check by name, each behind its prerequisites, lower levels first."""
    for module in _MODULES:
        importlib.import_module(f"verification.checks.{module}")
    order = list(
        graphlib.TopologicalSorter(
            {name: (*one.needs, *one.after) for name, one in _registry.items()}
        ).static_order()
    )
    return {
        name: _registry[name]
        for name in sorted(order, key=lambda name: (_registry[name].level, order.index(name)))
    }


def prerequisites(name: str) -> frozenset[str]:
    """All checks that a check needs, directly or through others."""
    direct = all_checks()[name].needs
    return frozenset(direct).union(*(prerequisites(one) for one in direct))


def earlier(name: str) -> frozenset[str]:
    """All checks that are run before a check, directly or through others, whether it needs them or not."""
    direct = (*all_checks()[name].needs, *all_checks()[name].after)
    return frozenset(direct).union(*(earlier(one) for one in direct))


def select(level: Level | str, names: Iterable[str] | None = None) -> list[Check]:
    """The checks up to a level, or those with the given names together with the prerequisites they need.

    Raises:
        UsageError: for an unknown name, with the nearest known one.
    """
    level = parse_level(level)
    checks = all_checks()
    if names is None:
        return [one for one in checks.values() if one.level <= level]
    wanted: set[str] = set()
    for name in names:
        if name not in checks:
            raise UsageError(
                f"there is no check {name!r}; {nearest(name, checks)}`verify list` shows all of them"
            )
        wanted |= {name, *prerequisites(name)}
    return [one for one in checks.values() if one.name in wanted]


def parse_level(level: Level | str) -> Level:
    """A level by its name."""
    if isinstance(level, Level):
        return level
    try:
        return Level[level.upper()]
    except KeyError:
        names = [str(one) for one in Level]
        raise UsageError(
            f"there is no level {level!r}; {nearest(level, names)}levels are {', '.join(names)}"
        ) from None

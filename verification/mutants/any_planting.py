# SPDX-License-Identifier: MIT
"""How a bug is planted into any agent: its adapter's member is wrapped, its state is discovered."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from verification.state import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from verification.engine.driver import Driver
    from verification.mutants.model import Operation


@dataclass(frozen=True)
class Found:
    """What can be found in an agent, each by its path: whole networks, optimizers and generators."""

    networks: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    generators: dict[str, torch.Generator | np.random.Generator]

    def moments(self) -> Iterator[dict[str, Any]]:
        """The state of every parameter that an optimizer has stepped."""
        return (entry for optimizer in self.optimizers.values() for entry in optimizer.state.values())

    def weights(self) -> Iterator[nn.Parameter]:
        """The parameters of all networks."""
        return (weight for network in self.networks.values() for weight in network.parameters())


def look(driver: Driver, agent: Any) -> Found:
    """What can be found in an agent."""
    roots = driver.roots(agent)
    modules = find(roots, nn.Module)
    inner = {id(child) for module in modules.values() for child in module.modules() if child is not module}
    return Found(
        networks={path: module for path, module in modules.items() if id(module) not in inner},
        optimizers=find(roots, Optimizer),
        generators=find(roots, torch.Generator) | find(roots, np.random.Generator),
    )


@dataclass(frozen=True)
class Bug:
    """A wrong operation in place of a member; it is called with the adapter's driver first."""

    bug_class: str
    thread: str
    member: str
    operation: Operation

    def operations(self, driver: Driver) -> dict[str, Operation]:
        """What the mutant of this driver's adapter does wrong."""
        return {self.member: functools.partial(self.operation, driver)}


BUGS: dict[str, Bug] = {}


def wrong(bug_class: str, thread: str, member: str) -> Callable[[Operation], Operation]:
    """Register a wrong operation in place of a member."""

    def register(operation: Operation) -> Operation:
        BUGS[operation.__name__] = Bug(bug_class, thread, member, operation)
        return operation

    return register


def keeping(bug_class: str, thread: str) -> Callable[[Any], Any]:
    """Register what of the receiver's state survives a load: takes it out, and returns what puts it back."""

    def register(take_out: Callable[[Found], Callable[[Found], None]]) -> Any:
        def load(driver: Driver, agent: Any, path: Path, correct: Operation) -> Any:
            put_back = take_out(look(driver, agent))
            restored = correct(agent, path)
            with torch.no_grad():
                put_back(look(driver, restored))
            return restored

        load.__name__ = take_out.__name__
        wrong(bug_class, thread, "load")(load)
        return take_out

    return register


def after_load(bug_class: str, thread: str) -> Callable[[Callable[[Found], None]], Callable[[Found], None]]:
    """Register what a load does to the agent that it has restored."""

    def register(change: Callable[[Found], None]) -> Callable[[Found], None]:
        keeping(bug_class, thread)(functools.wraps(change)(lambda _: change))
        return change

    return register

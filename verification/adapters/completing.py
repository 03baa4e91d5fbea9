# SPDX-License-Identifier: MIT
"""Makes a whole adapter of one that has only ``build``, ``learn``, ``save`` and ``load``."""

from __future__ import annotations

import functools
import inspect
import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import hypothesis.strategies as st
import numpy as np
import torch

from verification.adapters.signatures import ARGUMENTS, Call, call_of, place_of_code
from verification.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from verification.adapter import Adapter

#: The members that nobody can do without.
NEEDED = ("build", "learn", "save", "load")
# What each strategy draws; without it there is one config, and no batch or observation.
_DRAWN = {"configs": "config", "batches": "batch", "observations": "observation"}


class Completed:
    """An adapter with all that the suite calls, around one that has less, or takes its arguments otherwise.

    Not there is what only the author can know: without ``act`` nothing is asked about actions.

    Args:
        given: what the author has written: an object, or functions in a ``SimpleNamespace``.
        name: how reports call the agent.
        calls: how each function that was given is called.
    """

    def __init__(self, given: object, name: str, calls: Mapping[str, Call]) -> None:
        self.given = given
        self.name = name
        self._calls = dict(calls)

    def __getattr__(self, member: str) -> Any:
        # Only for members not set above; those that are lacking there are lacking here, too.
        if member.startswith("_"):
            raise AttributeError(member)
        if member in _DRAWN and member not in self._calls:
            return _nothing
        value = getattr(self.given, member)
        return functools.partial(self._call, member) if member in self._calls else value

    def build(self, config: Any = None, seed: int = 0) -> Any:
        """A new agent; where ``build`` takes no seed, the global generators decide, and are set by it."""
        if not self.takes("build", "seed"):
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.manual_seed(seed)
        return self._call("build", config, seed)

    def learn(self, agent: Any, batch: Any = None) -> None:
        """One training step, on the batch or on what the agent has."""
        self._call("learn", agent, batch)

    def save(self, agent: Any, path: Path) -> None:
        """As it was given."""
        self._call("save", agent, path)

    def load(self, agent: Any, path: Path) -> Any:
        """As it was given; one that takes only the path makes a new agent."""
        return self._call("load", agent, path)

    def takes(self, member: str, argument: str) -> bool:
        """Whether a member that was given takes an argument."""
        return self._calls[member].takes(argument)

    def _call(self, member: str, *arguments: Any) -> Any:
        named = dict(zip(ARGUMENTS[member], arguments, strict=True))
        return self._calls[member](getattr(self.given, member), named)


def _nothing(*_: Any) -> st.SearchStrategy[Any]:
    return st.none()


def complete(adapter: object) -> Adapter:
    """The adapter itself if it is whole and written as the suite calls it; else a whole one around it.

    An adapter that lacks one of ``build``, ``learn``, ``save`` and ``load`` is returned as it is.

    Raises:
        AdapterError: for a member whose signature cannot be understood, or that needs another one.
    """
    if inspect.isclass(adapter) or isinstance(adapter, Completed):
        return cast("Adapter", adapter)
    members = {name: getattr(adapter, name, None) for name in ARGUMENTS}
    if not all(callable(members[name]) for name in NEEDED):
        return cast("Adapter", adapter)
    name = getattr(adapter, "name", type(adapter).__name__)
    functions = {member: one for member, one in members.items() if callable(one)}
    try:
        unknown = [what for strategy, what in _DRAWN.items() if strategy not in functions]
        calls = {member: call_of(member, one, unknown) for member, one in functions.items()}
        _refuse_without_what_it_takes(calls, functions)
    except AdapterError as error:
        raise AdapterError(f"the adapter {name!r}: {error}") from None
    whole = hasattr(adapter, "name") and {*_DRAWN, "act"} <= calls.keys()
    if whole and all(call.in_order == ARGUMENTS[member] for member, call in calls.items()):
        return cast("Adapter", adapter)
    return cast("Adapter", Completed(adapter, name, calls))


def of_functions(functions: Mapping[str, Any], name: str = "") -> Adapter:
    """An adapter of plain functions, and of the other members that an adapter may have.

    Args:
        functions: by the names of the members.
        name: how reports call the agent; by default what ``build`` is defined in.

    Raises:
        AdapterError: if one is missing, or cannot be understood.
    """
    name = functions.get("name", name or _home_of(functions.get("build")))
    for member in NEEDED:
        if not callable(functions.get(member)):
            raise AdapterError(
                f"{name} has no {member}(); four functions are needed: build, learn, save and load"
            )
    return complete(SimpleNamespace(**{**functions, "name": name}))


def _home_of(function: object) -> str:
    """The name of the module or the script that a function is defined in."""
    module = getattr(function, "__module__", None) or "agent"
    if module == "__main__":
        place = place_of_code(cast("Callable[..., Any]", function))
        return place.partition(".py:")[0] if ".py:" in place else "agent"
    return str(module).rpartition(".")[2]


def _refuse_without_what_it_takes(
    calls: Mapping[str, Call], functions: Mapping[str, Callable[..., Any]]
) -> None:
    """Refuse a member that takes what no other one draws.

    Raises:
        AdapterError: naming both.
    """
    for member, argument, strategy, otherwise in (
        ("learn", "batch", "batches", "let it train on what the agent has: learn(agent)"),
        ("act", "observation", "observations", "leave act out"),
    ):
        if member in calls and calls[member].takes(argument) and strategy not in calls:
            raise AdapterError(
                f"{member}() at {place_of_code(functions[member])} takes {_a(argument)}, but there is no "
                f"{strategy}() to draw one; add {strategy}(config), or {otherwise}"
            )
    renamed = [member for member, call in calls.items() if "config" in call.renamed]
    for member in renamed if "configs" not in calls else ():
        raise AdapterError(
            f"{member}() at {place_of_code(functions[member])} takes a config under another name, but there "
            "is no configs() to draw one; add configs(), or give that parameter a default"
        )


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"

# SPDX-License-Identifier: MIT
"""The members of an adapter: those that it must have, and those that it may have, each rightly written."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

from verification.adapter import OptionalMembers
from verification.adapters.completing import Completed
from verification.errors import AdapterError
from verification.processes.time_limits import DEFAULT
from verification.program import HORIZON

_EXAMPLES = {
    "build": "def build(self, config, seed): return MyAgent(config, seed=seed)",
    "learn": "def learn(self, agent, batch): agent.update(batch)",
    "save": "def save(self, agent, path): agent.save(path)",
    "load": "def load(self, agent, path): agent.load(path); return agent",
}
#: The members that an adapter without them is given; all but ``act``, without which actions are not checked.
_DEFAULTED = frozenset({"name", "configs", "batches", "observations", "act"})
# Characters that no file of a report can have in its name.
_NOT_IN_NAMES = frozenset('/\\:*?"<>|\0')

#: The optional members.
OPTIONAL = frozenset(
    name for name in [*vars(OptionalMembers), *OptionalMembers.__annotations__] if not name.startswith("_")
)
#: Members that mean nothing without each other.
_PAIR = ("operations", "operate")
# How alike two names are, without case and underscores, if one is the other misspelt. Words that are merely
# related, such as ``start`` and ``state`` or ``operator`` and ``operate``, are at 0.8.
_ALIKE = 0.85


def validate_adapter(adapter: object) -> None:
    """Refuse an adapter that lacks a member, has one of a wrong kind, or has misspelt one.

    Raises:
        AdapterError: with one line that names the member and shows what it should be.
    """
    if inspect.isclass(adapter):
        raise AdapterError(f"{adapter.__name__} is a class; pass an instance: {adapter.__name__}()")
    name = getattr(adapter, "name", type(adapter).__name__)
    if not isinstance(name, str) or not name.strip():
        raise AdapterError(f'{type(adapter).__name__} has name = {name!r}; write a text: name = "my_agent"')
    if unfit := _NOT_IN_NAMES & set(name):
        raise AdapterError(
            f"the adapter {name!r} has {min(unfit)!r} in its name, which files of reports are called by; "
            f'write name = "{_fitting(name)}"'
        )
    for member, example in _EXAMPLES.items():
        if not callable(getattr(adapter, member, None)):
            raise AdapterError(f"the adapter {name!r} has no {member}(); add: {example}")
    own = adapter.given if isinstance(adapter, Completed) else adapter
    _refuse_misspelt(own, name)
    limit = getattr(adapter, "time_limit", DEFAULT)
    if not isinstance(limit, int | float) or not limit > 0:
        raise AdapterError(
            f"the adapter {name!r} has time_limit = {limit!r}; give the seconds that one operation may take"
        )
    for member in ("volatile", "callers"):
        patterns = getattr(adapter, member, {})
        if not isinstance(patterns, Mapping) or not all(
            isinstance(one, str) for pair in patterns.items() for one in pair
        ):
            raise AdapterError(
                f"the adapter {name!r} has {member} = {patterns!r}; "
                f'give a reason for each path: {member} = {{"agent.piece": "why"}}'
            )
    horizon = getattr(adapter, "horizon", HORIZON)
    if type(horizon) is not int or horizon < 1:
        raise AdapterError(
            f"the adapter {name!r} has horizon = {horizon!r}; give the number of steps, at least 1"
        )
    for member, other in (_PAIR, _PAIR[::-1]):
        if hasattr(adapter, member) and not hasattr(adapter, other):
            raise AdapterError(
                f"the adapter {name!r} has {member}(), but no {other}(); add it: operations(config) "
                "draws what operate(agent, operation) does"
            )


def _fitting(name: str) -> str:
    """A name that files can have."""
    return "".join("-" if one in _NOT_IN_NAMES else one for one in name).strip("-") or "my_agent"


def _refuse_misspelt(adapter: Any, called: str) -> None:
    """Refuse a public name that is nearly that of an optional member: the suite would pass over it.

    A helper of such a name is allowed beside the member itself, but not in a class below it: there it is
    more likely meant to replace the member.
    """
    spellings = {_spelling(name): name for name in sorted(OPTIONAL)}
    for name in dir(adapter):
        if name.startswith("_") or name in OPTIONAL | _DEFAULTED or name in _EXAMPLES:
            continue
        for near in difflib.get_close_matches(_spelling(name), spellings, n=1, cutoff=_ALIKE):
            meant = spellings[near]
            if not hasattr(adapter, meant) or _depth(adapter, name) < _depth(adapter, meant):
                raise AdapterError(
                    f"the adapter {called!r} has {name}, which the suite does not know; did you mean "
                    f"{meant}? A helper of that name would have to be private: _{name}"
                )


def _spelling(name: str) -> str:
    return name.replace("_", "").lower()


def _depth(adapter: object, name: str) -> int:
    """How far down an attribute is defined: in the object, in its class, or in one of the classes above."""
    holders = [getattr(adapter, "__dict__", {}), *map(vars, type(adapter).__mro__)]
    return next((depth for depth, holder in enumerate(holders) if name in holder), len(holders))

# SPDX-License-Identifier: MIT
"""How the members of an adapter may be written: which arguments each takes, by which name and place."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verification.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

#: The arguments of each member that is a function, in the order in which the suite gives them.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "configs": (),
    "batches": ("config",),
    "observations": ("config",),
    "build": ("config", "seed"),
    "learn": ("agent", "batch"),
    "act": ("agent", "observation"),
    "save": ("agent", "path"),
    "load": ("agent", "path"),
    "advance": ("agent", "steps"),
    "state": ("agent",),
    "wait": ("agent",),
    "variants": ("config",),
    "operations": ("config",),
    "operate": ("agent", "operation"),
    "reopen": ("config", "path"),
}
# Without these a member still means something.
_SPARED: dict[str, tuple[str, ...]] = {
    "batches": ("config",),
    "observations": ("config",),
    "build": ("config", "seed"),
    "learn": ("batch",),
    "load": ("agent",),
    "variants": ("config",),
    "operations": ("config",),
    "reopen": ("config",),
}
_PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Call:
    """Which of a member's arguments a function takes.

    Attributes:
        in_order: those that are given by their place.
        by_name: those that are given by their name.
        renamed: those that have another name in the function, which names them by their place alone.
    """

    in_order: tuple[str, ...]
    by_name: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()

    def takes(self, argument: str) -> bool:
        """Whether the function is given this argument."""
        return argument in self.in_order or argument in self.by_name

    def __call__(self, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """Call the function with as many of the arguments as it takes."""
        ordered = [arguments[name] for name in self.in_order]
        return function(*ordered, **{name: arguments[name] for name in self.by_name})


def call_of(member: str, function: Callable[..., Any], unknown: Collection[str] = ()) -> Call:
    """How a function is called that is a member of an adapter.

    Parameters that are named as the suite names them get what they say, in any order. Those with other names
    stand for what is left, in the suite's order, where there is only one way to read them. A parameter of
    another name that has a default is left alone.

    Args:
        member: its name.
        function: what was written.
        unknown: arguments that nothing draws; a parameter with a default keeps that.

    Raises:
        AdapterError: naming the function's place, if it cannot be called, or could be meant in several ways.
    """
    wanted = ARGUMENTS[member]
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # compiled code does not say
        return Call(wanted)
    empty = inspect.Parameter.empty
    given = [one for one in parameters if one.name not in unknown or one.default is empty]
    plain = [one for one in parameters if one.kind in _PLAIN]
    if not plain and any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters):
        return Call(wanted)
    named = [one.name for one in given if one.name in wanted]
    left = [name for name in wanted if name not in named]
    others = [
        one
        for one in parameters
        if one.name not in wanted
        and one.default is empty
        and one.kind in (*_PLAIN, inspect.Parameter.KEYWORD_ONLY)
    ]
    needed = [name for name in left if name not in _SPARED.get(member, ())]
    if len(others) == len(left):
        meant = left
    elif len(others) == len(needed):
        meant = needed
    else:
        raise AdapterError(_refusal(member, function, parameters))
    if any(one.kind is inspect.Parameter.KEYWORD_ONLY for one in others):
        raise AdapterError(_refusal(member, function, parameters))
    stands_for = {one.name: name for one, name in zip(others, meant, strict=True)}
    # What stands behind a parameter that is left alone can only be given by its name.
    known = [one.name in stands_for or one.name in named for one in plain]
    whole = known.index(False) if False in known else len(known)
    in_order = [stands_for.get(one.name, one.name) for one in plain[:whole]]
    if any(one.name in stands_for for one in plain[whole:]):
        raise AdapterError(_refusal(member, function, parameters))
    behind = [name for name in named if name not in in_order]
    return Call(tuple(in_order), tuple(behind), tuple(meant))


def place_of_code(function: Callable[..., Any]) -> str:
    """The file and the line of a function, as people write them; empty if it has none."""
    code = getattr(inspect.unwrap(getattr(function, "__func__", function)), "__code__", None)
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}" if code else ""


def _refusal(member: str, function: Callable[..., Any], parameters: Sequence[inspect.Parameter]) -> str:
    written = ", ".join(str(one.replace(annotation=inspect.Parameter.empty)) for one in parameters)
    place = place_of_code(function)
    forms = _forms(member)
    return (
        f"{member}({written}){f' at {place}' if place else ''} is not how the suite calls it; "
        f"write {' or '.join(filter(None, [', '.join(forms[:-1]), forms[-1]]))}"
        f"{', and give every other parameter a default' if parameters else ''}"
    )


def _forms(member: str) -> list[str]:
    """The signatures of a member that are understood."""
    spared = _SPARED.get(member, ())
    found = [ARGUMENTS[member]]
    found += [tuple(one for one in ARGUMENTS[member] if one != name) for name in spared]
    if len(spared) > 1:
        found.append(tuple(one for one in ARGUMENTS[member] if one not in spared))
    return [f"{member}({', '.join(one)})" for one in found]

# SPDX-License-Identifier: MIT
"""Finds the live object behind a path of a snapshot, and the holder that it can be put into."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping, MutableSequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from verification.errors import MISTAKES


class NoPlaceError(Exception):
    """A path leads nowhere in this agent, or to something that cannot be put anywhere."""


@dataclass(frozen=True)
class Place:
    """Where an object is held.

    Attributes:
        holder: what holds it; ``None`` for a root.
        key: an attribute's name, an index, or a mapping's key.
        how: ``attribute``, ``item``, ``entry`` (of an optimizer, by the parameter) or ``fixed``.
        value: what is held.
    """

    holder: Any
    key: Any
    how: str
    value: Any

    def put(self, value: Any) -> None:
        """Let the holder hold ``value`` instead, without asking any code of the agent."""
        match self.how:
            case "attribute":
                _set_attribute(self.holder, self.key, value)
            case "item" if isinstance(
                self.holder, MutableMapping | MutableSequence | np.ndarray | np.flatiter
            ):
                self.holder[self.key] = value
            case _:
                raise NoPlaceError(f"{type(self.holder).__name__} is fixed")

    def remove(self) -> None:
        """Let the holder hold nothing there."""
        if self.how == "attribute" and self.key in getattr(self.holder, "__dict__", {}):
            del self.holder.__dict__[self.key]
        elif self.how == "attribute" and isinstance(self.holder, torch.nn.Module):
            delattr(self.holder, self.key)
        elif self.how == "item" and isinstance(self.holder, MutableMapping | MutableSequence):
            del self.holder[self.key]
        else:
            raise NoPlaceError(f"{type(self.holder).__name__} is fixed")


def place_of(roots: Mapping[str, object], path: str) -> Place:
    """The place that a path of these roots' snapshot names.

    Raises:
        NoPlaceError: if there is none.
    """
    path = _ADDRESS.sub(lambda found: f"[{id(place_of(roots, found[1]).value)}]", path)
    name = re.match(r"\w+", path)
    if name is None or name[0] not in roots:
        raise NoPlaceError(f"{path} begins at no root")
    place, rest = Place(None, name[0], "fixed", roots[name[0]]), path[name.end() :]
    while rest:
        place, rest = _step(place.value, rest)
    return place


def holder_of(path: str) -> str:
    """The path without its last step."""
    head, depth = path, 0
    for index in range(len(path) - 1, 0, -1):
        character = path[index]
        depth += (character in ")]") - (character in "([")
        if depth == 0 and character in ".[":
            head = path[:index]
            # ``.keys()[0]`` and ``.values()[0]`` are one step.
            return re.sub(r"\.(keys|values)\(\)$", "", head) if character == "[" else head
    return head


def component_of(path: str) -> str:
    """The attribute of a root that a path leads through: what a person would call a part of an agent."""
    while (above := holder_of(path)) != path and holder_of(above) != above:
        path = above
    return path


_ADDRESS = re.compile(r"\[id\((.+?)\)\](?=[.\[]|$)")
_SUBMODULE = re.compile(r"\.get_submodule\('((?:[^'\\]|\\.)*)'\)")
_OF_OBJECTS = re.compile(r"\.(keys|values)\(\)\[(\d+)\]")
_NAME = re.compile(r"\.([^\W\d]\w*)")


def _step(holder: Any, rest: str) -> tuple[Place, str]:
    """The place one step further, and the rest of the path."""
    if isinstance(holder, torch.nn.Module) and (found := _SUBMODULE.match(rest)):
        return _member(holder, found[1]), rest[found.end() :]
    if isinstance(holder, Mapping) and (found := _OF_OBJECTS.match(rest)):
        key = list(holder)[int(found[2])] if int(found[2]) < len(holder) else None
        if found[1] == "keys" or key is None:
            return Place(holder, None, "fixed", key), rest[found.end() :]
        return Place(holder, key, "item", holder[key]), rest[found.end() :]
    if rest[0] == "[":
        return _item(holder, rest)
    found = _NAME.match(rest)
    if found is None:
        raise NoPlaceError(f"{rest} cannot be followed")
    name, after = found[1], rest[found.end() :]
    if isinstance(holder, torch.optim.Optimizer) and name == "state" and after.startswith("["):
        return _entry(holder, after)
    if isinstance(holder, torch.nn.Module) and name in _names(holder):
        return _member(holder, name), after
    attributes = getattr(holder, "__dict__", {})
    if name in attributes:
        return Place(holder, name, "attribute", attributes[name]), after
    try:
        return Place(holder, name, "attribute", getattr(holder, name)), after
    except MISTAKES as error:
        raise NoPlaceError(f"there is no {name}") from error


def _item(holder: Any, rest: str) -> tuple[Place, str]:
    keys: Any
    if isinstance(holder, torch.nn.Module):
        keys = {key: name for name in _names(holder) for key in (name, repr(name))}
    elif isinstance(holder, Mapping):
        keys = {repr(key): key for key in holder}
    else:
        keys = None
    for end in (index for index, character in enumerate(rest) if character == "]"):
        text, after = rest[1:end], rest[end + 1 :]
        if after and after[0] not in ".[":
            continue
        if keys is not None and text in keys:
            if isinstance(holder, torch.nn.Module):
                return _member(holder, keys[text]), after
            return Place(holder, keys[text], "item", holder[keys[text]]), after
        if keys is None and text.isdigit():
            index = int(text)
            if hasattr(holder, "cell_contents"):
                break
            if index >= len(holder):
                break
            held = holder[index]
            if type(held).__name__ == "cell":
                return Place(held, "cell_contents", "attribute", held.cell_contents), after
            return Place(holder, index, "item", held), after
    raise NoPlaceError(f"there is no {rest}")


def _entry(optimizer: torch.optim.Optimizer, rest: str) -> tuple[Place, str]:
    """What an optimizer holds of a parameter, found by the parameter's position."""
    text, _, after = rest[1:].partition("]")
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    if not text.isdigit() or int(text) >= len(parameters) or parameters[int(text)] not in optimizer.state:
        raise NoPlaceError(f"there is no entry {text}")
    key = parameters[int(text)]
    return Place(optimizer.state, key, "item", optimizer.state[key]), after


def _names(module: torch.nn.Module) -> set[str]:
    return {name for registry in _registries(module) for name in registry}


def _registries(module: torch.nn.Module) -> tuple[dict[str, Any], ...]:
    """The three dictionaries that hold a module's members."""
    held = vars(module)
    return held["_parameters"], held["_buffers"], held["_modules"]


def _member(module: torch.nn.Module, name: str) -> Place:
    for registry in _registries(module):
        if name in registry:
            return Place(registry, name, "item", registry[name])
    raise NoPlaceError(f"there is no {name}")


def _set_attribute(holder: Any, name: str, value: Any) -> None:
    attributes = getattr(holder, "__dict__", None)
    if isinstance(holder, type):
        owner = next((one for one in holder.__mro__ if name in vars(one)), holder)
        type.__setattr__(owner, name, value)
    elif attributes is not None and (name in attributes or not hasattr(type(holder), name)):
        attributes[name] = value
    else:
        object.__setattr__(holder, name, value)

# SPDX-License-Identifier: MIT
"""The leaves of a checkpoint's contents, each with its path and the component that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from verification.checkpoint_files.reading import Files
from verification.checkpoint_files.stand_ins import StandInArray
from verification.errors import UsageError
from verification.state.introspect import type_name

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The component of contents that are no mapping.
WHOLE = "the contents"
# Deeper than anybody nests what is saved; what holds itself has no end.
_DEEPEST = 200


@dataclass(frozen=True)
class Container:
    """That something holds others: the values are leaves of their own.

    Attributes:
        kind: its type.
        size: how many it holds.
        keys: of a mapping, as text, in their order.
    """

    kind: str
    size: int
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Leaf:
    """One value, or one container.

    Attributes:
        component: what is saved, and lost, together: an entry of the checkpoint, a file in an archive, one
            of the networks in a flat state dict.
        value: a tensor, an array, a scalar, a :class:`Container`, or bytes that are not read.
        within: the path of the container that holds it; empty for the outermost.
    """

    component: str
    value: object
    within: str = ""


def leaves(contents: object) -> dict[str, Leaf]:
    """Every leaf by its path, which reads as Python, in the order of the contents.

    Raises:
        UsageError: if the contents hold themselves, or are nested too deeply.
    """
    return dict(_of_contents(contents))


def _of_contents(contents: object) -> Iterator[tuple[str, Leaf]]:
    if isinstance(contents, Files):
        for name, inner in contents.items():
            yield from _of_file(inner, name)
        return
    path = ""
    # An entry that holds all others says nothing about them.
    while isinstance(contents, Mapping) and len(contents) == 1:
        ((key, inner),) = contents.items()
        if not isinstance(inner, Mapping):
            break
        yield path or WHOLE, Leaf(WHOLE, _container(contents))
        path, contents = _joined(path, key), inner
    if not isinstance(contents, Mapping):
        yield from _below(contents, path or WHOLE, path or WHOLE)
        return
    yield path or WHOLE, Leaf(path or WHOLE, _container(contents))
    flat = _is_flat(contents)
    for key, value in contents.items():
        inner_path = _joined(path, key)
        yield from _below(value, inner_path, _network(path, key) if flat else inner_path)


def _of_file(contents: object, name: str) -> Iterator[tuple[str, Leaf]]:
    """A file among others is one component, or several if it is a flat state dict of several networks."""
    if isinstance(contents, Files):
        for inner, held in contents.items():
            yield from _of_file(held, f"{name}/{inner}")
    elif isinstance(contents, Mapping) and _is_flat(contents):
        yield name, Leaf(name, _container(contents))
        for key, value in contents.items():
            yield from _below(value, _joined(name, key), _network(name, key))
    else:
        yield from _below(contents, name, name)


def _below(
    value: object, path: str, component: str, within: str = "", depth: int = 0
) -> Iterator[tuple[str, Leaf]]:
    if depth > _DEEPEST:
        raise UsageError(f"{path[:60]}... is nested deeper than {_DEEPEST}, or holds itself")
    if isinstance(value, Mapping):
        yield path, Leaf(component, _container(value), within)
        for key, inner in value.items():
            yield from _below(inner, _joined(path, key), component, path, depth + 1)
    elif isinstance(value, list | tuple) and not isinstance(value, torch.Size):
        yield path, Leaf(component, Container(type_name(value), len(value)), within)
        for index, inner in enumerate(value):
            yield from _below(inner, f"{path}[{index}]", component, path, depth + 1)
    else:
        yield path, Leaf(component, value.array if isinstance(value, StandInArray) else value, within)


def _container(mapping: Mapping[object, object]) -> Container:
    return Container(type_name(mapping), len(mapping), tuple(map(repr, mapping)))


def _joined(path: str, key: object) -> str:
    if not path and isinstance(key, str) and key.isidentifier():
        return key
    return f"{path}[{key!r}]"


def _is_flat(mapping: Mapping[object, object]) -> bool:
    """Whether it is a module's state dict: tensors by dotted names."""
    arrays = (torch.Tensor, np.ndarray, StandInArray)
    return any("." in str(key) for key in mapping) and all(
        isinstance(key, str) and isinstance(value, arrays) for key, value in mapping.items()
    )


def _network(path: str, key: object) -> str:
    """The network that an entry of a flat state dict belongs to."""
    name = str(key).partition(".")[0]
    return f"{path}: {name}" if path else name

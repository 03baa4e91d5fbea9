# SPDX-License-Identifier: MIT
"""A snapshot: every leaf of an agent's state at one moment, as comparable records."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Set


class Leaf(NamedTuple):
    """One value in an agent's state.

    Attributes:
        role: what holds it: ``parameter``, ``buffer``, ``mode``, ``option`` and ``moment`` (of an
            optimizer), ``schedule``, ``generator``, ``value``, ``context``: state that counts only
            through what follows from it (gradients, global random generators), or ``shared``: state of
            a class or a module of the agent's code, which all agents of a process have in common.
        kind: how it is encoded: ``tensor``, ``array``, ``scalar``, ``container``, ``object``,
            ``function``, ``generator`` or ``identity`` (this path is the object found at another path).
        meta: named aspects that must be equal besides the bytes, such as dtype and shape.
        digest: the value's bytes, or a hash of them if they are many.
        value: a private copy for reports; ``None`` if it would be large.
    """

    role: str
    kind: str
    meta: tuple[tuple[str, object], ...]
    digest: bytes
    value: object = None


@dataclass(frozen=True)
class Snapshot:
    """The leaves by path, in the order of discovery.

    Attributes:
        leaves: every leaf; paths read as Python.
        trained: paths of the tensors that an optimizer updates.
        opaque: paths that could not be looked into, with their type.
        defaults: what would be read at the path of an attribute, were it missing: its class's own value.
        elsewhere: paths of what stands for state outside this process, such as a worker, with its type.
        hidden: paths that were not followed, because the same object lies behind a volatile one.
    """

    leaves: Mapping[str, Leaf]
    trained: frozenset[str] = frozenset()
    opaque: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Leaf] = field(default_factory=dict)
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    hidden: Set[str] = frozenset()

    def __len__(self) -> int:
        return len(self.leaves)

    @functools.cached_property
    def aliases(self) -> Mapping[str, tuple[str, ...]]:
        """The other paths to an object, by its first; only of objects that have some."""
        found: dict[str, tuple[str, ...]] = {}
        for path, leaf in self.leaves.items():
            if leaf.kind == "identity":
                first = str(leaf.value)
                found[first] = (*found.get(first, ()), path)
        return found

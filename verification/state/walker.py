# SPDX-License-Identifier: MIT
"""The walk itself: paths, identities, and what is recorded of them, whatever the kinds of objects."""

from __future__ import annotations

import math
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from verification.errors import MISTAKES, shortly
from verification.state.encode import SCALARS, digest, scalar_bytes
from verification.state.introspect import class_constants, own_code, precedence, slots, type_name
from verification.state.snapshot import Leaf

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping, Sequence, Set

    import torch

    #: Visits one object: the walker, the object, its path, its role, and how deep it lies.
    Handler = Callable[["Walker", Any, str, str, int], None]

_T = TypeVar("_T")
_MAX_DEPTH = 120
#: Bytes of a value that is kept for reports, and of all of them in one snapshot: a trace holds many.
MOST_KEPT = 2**16
_MOST_KEPT_IN_ALL = 2**17
# What torch.compile notes on whatever it meets.
_DYNAMO = ("_dynamo", "_torchdynamo")
_MOST_TYPES = 4096
# Beyond these many leaves it is a table that code works with, or a list of all agents of the process.
_MOST_SHARED = 2000


class Rules(dict[type, "tuple[Handler, bool]"]):
    """How objects of a type are visited, and whether the type is of the agent's own code."""

    def __init__(self, handlers: Sequence[tuple[tuple[type, ...], Handler]]) -> None:
        super().__init__()
        self._handlers = handlers

    def __missing__(self, kind: type) -> tuple[Handler, bool]:
        if len(self) > _MOST_TYPES:  # made by the thousand, in a loop
            self.clear()
        handler = next(handler for kinds, handler in self._handlers if issubclass(kind, kinds))
        self[kind] = handler, own_code(kind)
        return self[kind]


class Walker:
    """Finds leaves; mutable objects are visited once, a second path to one is recorded as an identity.

    Attributes:
        leaves: what was found, by path.
        opaque: the paths that could not be looked into, with their type and the reason.
        defaults: the constants of classes that attributes of the same name hide, by the attribute's path.
        elsewhere: the paths of what stands for state outside this process, with its type.
        hidden_at: where objects were found again that lie behind a volatile path.
        own_types: the types of the agent's own code, each with an expression for it.
        own_functions: the functions of the agent's own code, each by its path.
        shared_places: the classes and modules that hold what all agents share, and its name there, by path.
        trained: the tensors that optimizers update.
        entered: the functions whose closures are being followed, by id.
        known: leaves of an earlier walk; those that are the same still are used again.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        volatile: re.Pattern[str] | None = None,
        hidden: Set[int] = frozenset(),
        known: Mapping[str, Leaf] = MappingProxyType({}),
    ) -> None:
        self.leaves: dict[str, Leaf] = {}
        self.opaque: dict[str, str] = {}
        self.defaults: dict[str, Leaf] = {}
        self.elsewhere: dict[str, str] = {}
        self.hidden_at: set[str] = set()
        self.own_types: dict[type, str] = {}
        self.own_functions: dict[str, Any] = {}
        self.shared_places: dict[str, tuple[Any, str]] = {}
        self.trained: list[torch.Tensor] = []
        self.entered: set[int] = set()
        self.known = known
        self._rules = rules
        self._volatile = volatile
        self._hidden = hidden
        self._shared = False
        self._kept = 0
        self._most: float = math.inf
        self._full: str | None = None
        self._paths: dict[int, str] = {}  # of objects by id
        self._storages: dict[int, str] = {}  # of the first tensor on a storage
        self._alive: list[object] = []  # keeps ids unique while the walk lasts
        self._postponed: list[tuple[int, Handler, Any, str, str, int]] = []
        self._behind_volatile: list[object] = []

    # -- results ---------------------------------------------------------------------------------------

    def trained_paths(self) -> list[str]:
        """Where the tensors that optimizers update were found."""
        return [self._paths[id(tensor)] for tensor in self.trained if id(tensor) in self._paths]

    def objects(self, kind: type[_T]) -> dict[str, _T]:
        """The objects of a type that were visited."""
        return {self._paths[id(one)]: one for one in self._alive if isinstance(one, kind)}

    def path_of(self, obj: object) -> str | None:
        """Where an object was first found."""
        return self._paths.get(id(obj))

    def path_at(self, address: int) -> str | None:
        """Where the object with an ``id()`` was first found."""
        return self._paths.get(address)

    def came_back(self) -> set[int]:
        """The ids of objects behind a volatile path that were found under another one."""
        return {id(obj) for obj in self._behind_volatile if id(obj) in self._paths}

    # -- the walk --------------------------------------------------------------------------------------

    def visit(self, obj: Any, path: str, role: str, depth: int) -> None:
        """Record an object and all that it holds; what fails is opaque, and costs nothing else."""
        if self._volatile is not None and self._is_volatile(obj, path, role):
            return
        if len(self.leaves) > self._most:
            self._full = self._full or path
            self.opaque[self._full] = f"more than {_MOST_SHARED} leaves that agents share"
            return
        kind = type(obj)
        handler, own = self._rules[kind]
        if own and not self._shared:
            self.own_types.setdefault(kind, f"{path}.__class__")
        if depth > _MAX_DEPTH and not isinstance(obj, SCALARS):
            self.opaque[path] = f"{type_name(obj)} (nested deeper than {_MAX_DEPTH})"
            return
        try:
            handler(self, obj, path, role, depth)
        except MISTAKES as error:  # whatever an object does when it is looked at
            self._note(error, obj, path)

    def postpone(self, handler: Handler, obj: Any, path: str, role: str, depth: int, *, rank: int) -> None:
        """Visit an object once everything else was found, in the order of ranks."""
        self._postponed.append((rank, handler, obj, path, role, depth))

    def visit_postponed(self) -> None:
        """Visit what was postponed."""
        while self._postponed:
            self._postponed.sort(key=lambda entry: entry[0])
            _, handler, obj, path, role, depth = self._postponed.pop(0)
            try:
                handler(self, obj, path, role, depth)
            except MISTAKES as error:  # as above
                self._note(error, obj, path)

    def _note(self, error: BaseException, obj: object, path: str) -> None:
        self.opaque[path] = f"{type_name(obj)} (looking into it raised {shortly(error)})"

    def share(self) -> None:
        """Record what is found from now on as shared by all agents of the process."""
        self._shared = True
        self._most = len(self.leaves) + _MOST_SHARED

    @property
    def sharing(self) -> bool:
        """Whether what is found now is shared by all agents of the process."""
        return self._shared

    def _is_volatile(self, obj: object, path: str, role: str) -> bool:
        assert self._volatile is not None
        if self._volatile.fullmatch(path):
            self._behind_volatile.append(obj)
            return True
        # Weights stay visible where they belong, and so does all that was given as a root.
        if id(obj) in self._hidden and role not in {"parameter", "buffer"} and path.count(".") > 0:
            self.hidden_at.add(path)
            return True
        return False

    # -- recording -------------------------------------------------------------------------------------

    def record(self, path: str, role: str, kind: str, data: bytes, value: object, **meta: object) -> None:
        """Add a leaf."""
        self.add(path, Leaf(role, kind, tuple(meta.items()), digest(data), value))

    def record_memory(
        self,
        path: str,
        role: str,
        kind: str,
        data: bytes | memoryview,
        copy: Callable[[], object] | None,
        **meta: object,
    ) -> None:
        """Add a leaf of many bytes; ``copy`` makes a value of it for reports, unless it would be large."""
        known = self.known.get(path)
        pairs = tuple(meta.items())
        if known is not None and known.meta == pairs:
            pairs = known.meta  # held once, where only values change
        leaf = Leaf(role, kind, pairs, digest(data), None)
        if known is not None and known[:4] == leaf[:4]:
            leaf = known
        elif copy is not None and len(data) <= MOST_KEPT and self._kept <= _MOST_KEPT_IN_ALL:
            self._kept += len(data)
            leaf = leaf._replace(value=copy())
        self.add(path, leaf)

    def add(self, path: str, leaf: Leaf) -> None:
        """Add a leaf that is made already."""
        if self._shared:
            leaf = leaf._replace(role="shared")
        known = self.known.get(path)
        # A trace of many snapshots holds each path once.
        self.leaves[sys.intern(path)] = known if known is not None and known[:4] == leaf[:4] else leaf

    def record_unless_volatile(
        self, path: str, role: str, kind: str, data: bytes, value: object, **meta: object
    ) -> None:
        """Add a leaf that is no object of its own, and so was never visited."""
        if self._volatile is None or not self._volatile.fullmatch(path):
            self.record(path, role, kind, data, value, **meta)

    def seen(self, obj: object, path: str, role: str) -> bool:
        """Record a second path to an object as an identity; register a first one."""
        first = self._paths.get(id(obj))
        if first is None:
            self._paths[id(obj)] = path
            self._alive.append(obj)
            return False
        self.record(path, role, "identity", first.encode(), first)
        return True

    def first_on(self, address: int, path: str) -> str | None:
        """The path of what was found before at an address of memory."""
        first = self._storages.setdefault(address, path)
        return None if first == path else first

    # -- attributes ------------------------------------------------------------------------------------

    def attributes(self, obj: Any, path: str, role: str, depth: int, *, skip: Set[str] = frozenset()) -> None:
        """Visit an object that is what its attributes are."""
        frozen = getattr(getattr(type(obj), "__dataclass_params__", None), "frozen", False)
        # Whether equal frozen values are one object is no state.
        if not frozen and self.seen(obj, path, role):
            return
        self.record(path, role, "object", type_name(obj).encode(), type_name(obj))
        self.children(obj, path, role, depth, skip=skip)

    def children(self, obj: Any, path: str, role: str, depth: int, *, skip: Set[str] = frozenset()) -> None:
        """Visit an object's attributes and slots; properties are not evaluated."""
        kind = type(obj)
        attributes = getattr(obj, "__dict__", {})
        if names := slots(kind):
            attributes = dict(attributes)
            for name in names:
                try:
                    attributes[name] = getattr(obj, name)
                except AttributeError:  # an empty slot
                    continue
        if not attributes:
            return
        ranked = sorted((precedence(type(attributes[name])), name) for name in attributes.keys() - skip)
        for name, value in [(name, attributes[name]) for _, name in ranked]:
            if not name.startswith(_DYNAMO):
                self.visit(value, f"{path}.{name}", role, depth + 1)
        for name in class_constants(kind) & attributes.keys():
            value = getattr(kind, name, None)
            meta = (("type", type_name(value)),)
            leaf = Leaf(role, "scalar", meta, digest(scalar_bytes(value)), value)
            self.defaults[f"{path}.{name}"] = leaf

# SPDX-License-Identifier: MIT
"""State discovery: find every leaf under some roots without asking the agent.

The walker is an independent oracle, so it never calls an object's ``state_dict`` or ``__getstate__``. It
follows attributes, slots, containers, the registries of modules, optimizers and schedulers, closures, and
random generators. Mutable objects are visited once; a second path to the same object is recorded as an
identity, because *that the optimizer's parameter is the module's parameter* is state, too.
"""

from __future__ import annotations

import collections
import enum
import functools
import io
import logging
import types
from collections.abc import Mapping, Set
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from verification.state.encode import SCALARS, digest, normalized_strides, scalar_bytes, tensor_array
from verification.state.generators import generator_state
from verification.state.introspect import code_bytes, member, precedence, slots, type_name
from verification.state.snapshot import Leaf, Snapshot

if TYPE_CHECKING:
    import re

_T = TypeVar("_T")

# Hooks are found under numbers that count up in a process, and the other names are bookkeeping that torch
# itself recreates: none of them survives, or needs to survive, a new process.
_MODULE_BOOKKEEPING = frozenset({"training", "_parameters", "_buffers", "_modules", "_is_full_backward_hook"})
# ``defaults`` is consulted only when a parameter group is added, and no load restores it.
_OPTIMIZER_BOOKKEEPING = frozenset(
    {"param_groups", "state", "defaults", "step", "_opt_called", "_zero_grad_profile_name", "_step_count"}
    | {"_warned_capturable_if_run_uncaptured", "_patch_step_function"}
)
_SCHEDULER_BOOKKEEPING = frozenset({"_get_lr_called_within_step", "_is_initial", "verbose"})

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial)
_NAMES = (type, types.ModuleType, types.GenericAlias, np.dtype, np.ufunc, PurePath, range, slice)
# Following these would leave the agent: the logging tree, open files.
_OUTSIDE = (logging.Logger, logging.Handler, io.IOBase)
_MAX_DEPTH = 120
_KEPT_BYTES = 2**16


def take(roots: Mapping[str, object], *, volatile: re.Pattern[str] | None = None) -> Snapshot:
    """Take a snapshot of everything reachable from ``roots``.

    Args:
        roots: named objects; a root's name starts the paths of its leaves.
        volatile: paths that match are neither recorded nor followed.
    """
    walker = _walk(roots, volatile)
    return Snapshot(walker.leaves, frozenset(walker.trained_paths()), walker.opaque)


def find(
    roots: Mapping[str, object], kind: type[_T], *, volatile: re.Pattern[str] | None = None
) -> dict[str, _T]:
    """Every object of a mutable type that is reachable from ``roots``, by the first path to it.

    Args:
        roots: as for :func:`take`.
        kind: the type, such as ``torch.optim.Optimizer``; subclasses are found, too.
        volatile: paths that match are not followed.
    """
    return _walk(roots, volatile).objects(kind)


def _walk(roots: Mapping[str, object], volatile: re.Pattern[str] | None) -> _Walker:
    walker = _Walker(volatile=volatile)
    for name, root in roots.items():
        walker.visit(root, name, "value", 0)
    walker.visit_postponed()
    return walker


class _Walker:
    def __init__(self, *, volatile: re.Pattern[str] | None) -> None:
        self.leaves: dict[str, Leaf] = {}
        self.opaque: dict[str, str] = {}
        self._volatile = volatile
        self._paths: dict[int, str] = {}  # of objects by id
        self._storages: dict[int, str] = {}  # of the first tensor on a storage
        self._trained: list[torch.Tensor] = []
        self._alive: list[object] = []  # keeps ids unique while the walk lasts
        self._postponed: list[tuple[Any, str, int]] = []  # optimizers and schedulers
        self._entered: set[int] = set()  # functions whose closures are being followed

    def trained_paths(self) -> list[str]:
        """Where the tensors that optimizers update were found."""
        return [self._paths[id(tensor)] for tensor in self._trained if id(tensor) in self._paths]

    def objects(self, kind: type[_T]) -> dict[str, _T]:
        """The objects of a type that were visited."""
        return {self._paths[id(one)]: one for one in self._alive if isinstance(one, kind)}

    def visit_postponed(self) -> None:
        """Visit users of parameters, once every network has been found: a path names what a tensor *is*."""
        while self._postponed:
            self._postponed.sort(key=lambda entry: precedence(type(entry[0])))
            obj, path, depth = self._postponed.pop(0)
            if isinstance(obj, torch.optim.Optimizer):
                self._optimizer(obj, path, depth)
            else:
                self._attributes(obj, path, "schedule", depth, skip=_SCHEDULER_BOOKKEEPING)

    # -- recording -------------------------------------------------------------------------------------

    def _record(self, path: str, role: str, kind: str, data: bytes, value: object, **meta: object) -> None:
        self.leaves[path] = Leaf(role, kind, tuple(meta.items()), digest(data), value)

    def _seen(self, obj: object, path: str, role: str) -> bool:
        """Record a second path to an object as an identity; register a first one."""
        first = self._paths.get(id(obj))
        if first is None:
            self._paths[id(obj)] = path
            self._alive.append(obj)
            return False
        self._record(path, role, "identity", first.encode(), first)
        return True

    # -- dispatch --------------------------------------------------------------------------------------

    def visit(self, obj: Any, path: str, role: str, depth: int) -> None:  # noqa: PLR0912
        if self._volatile is not None and self._volatile.fullmatch(path):
            return
        if isinstance(obj, SCALARS) and not isinstance(obj, enum.Enum):
            self._record(path, role, "scalar", scalar_bytes(obj), obj, type=type_name(obj))
        elif isinstance(obj, enum.Enum):
            self._record(path, role, "scalar", repr(obj).encode(), obj, type=type_name(obj))
        elif depth > _MAX_DEPTH:
            self.opaque[path] = f"{type_name(obj)} (nested deeper than {_MAX_DEPTH})"
        elif isinstance(obj, torch.Tensor):
            self._tensor(obj, path, role, depth)
        elif isinstance(obj, np.ndarray):
            self._array(obj, path, role, depth)
        elif isinstance(obj, torch.nn.Module):
            self._module(obj, path, role, depth)
        elif isinstance(obj, torch.amp.GradScaler):
            self._scaler(obj, path, role, depth)
        elif isinstance(obj, torch.optim.Optimizer | LRScheduler | ReduceLROnPlateau):
            self._postponed.append((obj, path, depth))
        elif (state := generator_state(obj)) is not None:
            if not self._seen(obj, path, "generator"):
                self._record(
                    path, "generator", "generator", state, f"<{type_name(obj)}>", type=type_name(obj)
                )
        elif isinstance(obj, Mapping):
            self._mapping(obj, path, role, depth)
        elif isinstance(obj, list | tuple | collections.deque):
            self._sequence(obj, path, role, depth)
        elif isinstance(obj, Set):
            self._set(obj, path, role, depth)
        elif isinstance(obj, _FUNCTIONS):
            self._function(obj, path, role, depth)
        elif isinstance(obj, _NAMES):
            self._record(path, role, "scalar", str(obj).encode(), obj, type=type_name(obj))
        else:
            self._object(obj, path, role, depth)

    # -- tensors and arrays ----------------------------------------------------------------------------

    def _tensor(self, tensor: torch.Tensor, path: str, role: str, depth: int) -> None:
        if tensor.is_nested:
            self.opaque[path] = "nested tensor"
            return
        if self._seen(tensor, path, role):
            return
        raw = tensor_array(tensor)
        strided = tensor.layout is torch.strided
        self._record(
            path,
            role,
            "tensor",
            raw.tobytes(),
            _kept(tensor if strided else tensor.to_dense(), raw.nbytes),
            type=type_name(tensor),
            dtype=tensor.dtype,
            shape=tuple(tensor.shape),
            strides=normalized_strides(tuple(tensor.shape), tensor.stride()) if strided else None,
            device=str(tensor.device),
            requires_grad=tensor.requires_grad,
            storage=self._shared_storage(tensor, path) if strided else None,
        )
        if tensor.is_leaf and tensor.grad is not None:
            self.visit(tensor.grad, f"{path}.grad", "context", depth + 1)
        self._children(tensor, path, role, depth)

    def _shared_storage(self, tensor: torch.Tensor, path: str) -> str | None:
        if not tensor.numel() or tensor.device.type == "meta":
            return None
        return self._first_on(tensor.untyped_storage().data_ptr(), path)

    def _first_on(self, address: int, path: str) -> str | None:
        first = self._storages.setdefault(address, path)
        return None if first == path else first

    def _array(self, array: np.ndarray[Any, Any], path: str, role: str, depth: int) -> None:
        if self._seen(array, path, role):
            return
        owner = array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        raw = b"" if array.dtype.hasobject else np.ascontiguousarray(array).tobytes()
        self._record(
            path,
            role,
            "array",
            raw,
            _kept(array, array.nbytes),
            type=type_name(array),
            dtype=array.dtype.str,
            shape=array.shape,
            strides=normalized_strides(array.shape, array.strides),
            storage=self._first_on(owner.ctypes.data, path) if array.size else None,
        )
        if array.dtype.hasobject:
            for index, item in enumerate(array.flat):
                self.visit(item, f"{path}.flat[{index}]", role, depth + 1)

    # -- torch objects ---------------------------------------------------------------------------------

    def _module(self, module: torch.nn.Module, path: str, role: str, depth: int) -> None:
        if self._seen(module, path, role):
            return
        self._record(path, role, "object", type_name(module).encode(), type_name(module))
        self.visit(module.training, f"{path}.training", "mode", depth + 1)
        registries = (("_parameters", "parameter"), ("_buffers", "buffer"), ("_modules", role))
        for registry, child_role in registries:
            for name, child in getattr(module, registry).items():
                if child is not None:
                    self.visit(child, member(path, name, module), child_role, depth + 1)
        skip = _MODULE_BOOKKEEPING | {
            name for name in vars(module) if name.endswith(("_hooks", "_hooks_with_kwargs"))
        }
        skip |= {name for name in vars(module) if name.endswith(("_hooks_always_called", "_pre_hooks"))}
        self._children(module, path, role, depth, skip=skip)

    def _optimizer(self, optimizer: torch.optim.Optimizer, path: str, depth: int) -> None:
        if self._seen(optimizer, path, "option"):
            return
        self._record(path, "option", "object", type_name(optimizer).encode(), type_name(optimizer))
        parameters: list[torch.Tensor] = []
        for index, group in enumerate(optimizer.param_groups):
            parameters += group["params"]
            self.visit(group, f"{path}.param_groups[{index}]", "option", depth + 1)
        self._trained += parameters
        # Entries are found by their parameter's position, as in a state dict: the order in which they
        # were created depends on which gradient came first and changes nothing.
        position = {id(parameter): index for index, parameter in enumerate(parameters)}
        kind = type_name(optimizer.state)  # only a defaultdict takes in a parameter's first gradient
        if self._volatile is None or not self._volatile.fullmatch(f"{path}.state"):
            self._record(f"{path}.state", "moment", "container", b"", "entries", type=kind)
        stale = 0
        for parameter, entry in optimizer.state.items():
            if not entry:
                continue  # reading a defaultdict creates empty entries
            if id(parameter) in position:
                key = f"{path}.state[{position[id(parameter)]}]"
            else:
                key = f"{path}.state[stale {stale}]"
                stale += 1
            self.visit(entry, key, "moment", depth + 1)
        skip = _OPTIMIZER_BOOKKEEPING | {name for name in vars(optimizer) if name.endswith("_hooks")}
        self._children(optimizer, path, "option", depth, skip=skip)

    def _scaler(self, scaler: torch.amp.GradScaler, path: str, role: str, depth: int) -> None:
        # Until its first use a scaler keeps as its first scale what it will make a tensor of: to have been
        # used, or loaded, or neither, is no state.
        held = vars(scaler)
        names = [name for name in ("scale", "growth_tracker") if f"_{name}" in held]
        for name in names:
            tensor = held[f"_{name}"]
            value = held[f"_init_{name}"] if tensor is None else tensor.item()
            self.visit(value, f"{path}._{name}", role, depth + 1)
        skip = {f"{prefix}_{name}" for prefix in ("", "_init") for name in names}
        self._attributes(scaler, path, role, depth, skip=skip)

    # -- containers ------------------------------------------------------------------------------------

    def _mapping(self, mapping: Mapping[Any, Any], path: str, role: str, depth: int) -> None:
        if self._seen(mapping, path, role):
            return
        plain = all(isinstance(key, SCALARS) for key in mapping)
        # Entries of an optimizer are read by name, and their order is not kept by torch itself.
        keys = sorted(map(repr, mapping)) if role in {"moment", "option"} else [repr(key) for key in mapping]
        order = ", ".join(keys) if plain else f"{len(mapping)} objects"
        self._record(path, role, "container", order.encode(), order, type=type_name(mapping))
        for index, (key, value) in enumerate(mapping.items()):
            if plain:
                self.visit(value, f"{path}[{key!r}]", role, depth + 1)
            else:
                self.visit(key, f"{path}.keys()[{index}]", role, depth + 1)
                self.visit(value, f"{path}.values()[{index}]", role, depth + 1)
        if isinstance(mapping, collections.defaultdict):
            self.visit(mapping.default_factory, f"{path}.default_factory", role, depth + 1)
        skip = frozenset({"data"}) if isinstance(mapping, collections.UserDict) else frozenset()
        self._children(mapping, path, role, depth, skip=skip)

    def _sequence(self, items: Any, path: str, role: str, depth: int) -> None:
        if not isinstance(items, tuple) and self._seen(items, path, role):
            return
        length = f"{len(items)} items"
        meta = {"maxlen": items.maxlen} if isinstance(items, collections.deque) else {}
        self._record(path, role, "container", length.encode(), length, type=type_name(items), **meta)
        names = getattr(items, "_fields", None)
        for index, item in enumerate(items):
            child = f"{path}.{names[index]}" if names else f"{path}[{index}]"
            self.visit(item, child, role, depth + 1)
        self._children(items, path, role, depth)

    def _set(self, items: Set[Any], path: str, role: str, depth: int) -> None:
        if not isinstance(items, frozenset) and self._seen(items, path, role):
            return
        if all(isinstance(item, SCALARS) for item in items):
            content = ", ".join(sorted(map(repr, items)))
            self._record(path, role, "container", content.encode(), content, type=type_name(items))
        else:
            self.opaque[path] = f"{type_name(items)} of objects, which has no order"
        self._children(items, path, role, depth)

    # -- functions and objects -------------------------------------------------------------------------

    def _function(self, function: Any, path: str, role: str, depth: int) -> None:
        if isinstance(function, functools.partial):
            self._record(path, role, "function", b"partial", "partial", type="partial")
            for name in ("func", "args", "keywords"):
                self.visit(getattr(function, name), f"{path}.{name}", role, depth + 1)
            return
        owner = getattr(function, "__self__", None)
        code = getattr(getattr(function, "__func__", function), "__code__", None)
        name = (
            f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type_name(function))}"
        )
        self._record(path, role, "function", name.encode() + (code_bytes(code) if code else b""), name)
        if owner is not None and not isinstance(owner, types.ModuleType):
            self.visit(owner, f"{path}.__self__", role, depth + 1)
        inner = getattr(function, "__func__", function)
        if id(inner) in self._entered:  # it refers to itself; whether two equal functions are one is no state
            return
        self._entered.add(id(inner))
        for index, cell in enumerate(getattr(inner, "__closure__", None) or ()):
            try:
                content = cell.cell_contents
            except ValueError:  # an empty cell
                continue
            self.visit(content, f"{path}.__closure__[{index}]", role, depth + 1)
        for name in ("__defaults__", "__kwdefaults__"):
            if defaults := getattr(inner, name, None):
                self.visit(defaults, f"{path}.{name}", role, depth + 1)
        if isinstance(inner, types.FunctionType):
            self._children(inner, path, role, depth)
        self._entered.discard(id(inner))

    def _object(self, obj: Any, path: str, role: str, depth: int) -> None:
        if isinstance(obj, _OUTSIDE) or (not hasattr(obj, "__dict__") and not slots(type(obj))):
            self.opaque[path] = type_name(obj)
            return
        self._attributes(obj, path, role, depth)

    def _attributes(
        self, obj: Any, path: str, role: str, depth: int, *, skip: Set[str] = frozenset()
    ) -> None:
        frozen = getattr(getattr(type(obj), "__dataclass_params__", None), "frozen", False)
        # Whether equal frozen values are one object is no state.
        if not frozen and self._seen(obj, path, role):
            return
        self._record(path, role, "object", type_name(obj).encode(), type_name(obj))
        self._children(obj, path, role, depth, skip=skip)

    def _children(self, obj: Any, path: str, role: str, depth: int, *, skip: Set[str] = frozenset()) -> None:
        attributes = dict(getattr(obj, "__dict__", {}))
        for name in slots(type(obj)):
            if hasattr(obj, name):
                attributes[name] = getattr(obj, name)
        for name in sorted(attributes, key=lambda name: (precedence(type(attributes[name])), name)):
            if name not in skip:
                self.visit(attributes[name], f"{path}.{name}", role, depth + 1)


def _kept(value: torch.Tensor | np.ndarray[Any, Any], size: int) -> object:
    """A private copy for reports, if it is small: a trace holds many snapshots."""
    if size > _KEPT_BYTES:
        return None
    return value.detach().clone() if isinstance(value, torch.Tensor) else value.copy()

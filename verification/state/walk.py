# SPDX-License-Identifier: MIT
"""State discovery: find every leaf under some roots without asking the agent.

The walker is an independent oracle, so it never calls an agent's ``state_dict`` or ``__getstate__``. It
follows attributes, slots, containers, the registries of modules, optimizers and schedulers, closures,
iterators and random generators, and then the classes and modules of the agent's own code. Mutable objects
are visited once; a second path to the same object is recorded as an identity, because *that the optimizer's
parameter is the module's parameter* is state, too.
"""

from __future__ import annotations

import collections
import enum
import functools
import io
import logging
import multiprocessing.sharedctypes
import queue
import threading
import types
import weakref
from collections.abc import Mapping, Set
from concurrent.futures import Future
from multiprocessing import shared_memory
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from verification.state import arrays, containers, iterators, networks, objects, outside
from verification.state.encode import SCALARS
from verification.state.generators import GENERATORS
from verification.state.shared_state import visit_shared
from verification.state.snapshot import Snapshot
from verification.state.walker import Rules, Walker

if TYPE_CHECKING:
    import re

    from verification.state.snapshot import Leaf

_T = TypeVar("_T")

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
_NAMES = (type, types.ModuleType, types.GenericAlias, np.dtype, np.ufunc, PurePath, range, slice)
# Following these would leave the agent: the logging tree, open files.
_OUTSIDE = (logging.Logger, logging.Handler, io.IOBase)

# The first that fits decides.
_RULES = Rules(
    (
        ((enum.Enum,), objects.visit_enum),
        (SCALARS, objects.visit_scalar),
        ((torch.Tensor,), arrays.visit_tensor),
        ((np.ndarray,), arrays.visit_array),
        ((torch.jit.ScriptModule,), networks.visit_script_module),
        ((torch.nn.Module,), networks.visit_module),
        ((torch.amp.GradScaler,), networks.visit_scaler),
        ((torch.optim.Optimizer, LRScheduler, ReduceLROnPlateau), networks.visit_user_of_parameters),
        (GENERATORS, objects.visit_generator_of_numbers),
        ((Mapping,), containers.visit_mapping),
        ((list, tuple, collections.deque), containers.visit_sequence),
        ((Set, weakref.WeakSet), containers.visit_set),
        ((functools.partial,), objects.visit_partial),
        (_FUNCTIONS, objects.visit_function),
        (_NAMES, objects.visit_name),
        (arrays.C_DATA, arrays.visit_c_data),
        (arrays.BUFFERS, arrays.visit_buffer),
        ((shared_memory.SharedMemory, shared_memory.ShareableList), arrays.visit_shared_memory),
        (arrays.IN_MEMORY_FILES, arrays.visit_bytes_io),
        (iterators.C_ITERATORS, iterators.visit_iterator),
        (tuple(iterators.GENERATORS), iterators.visit_generator),
        ((queue.SimpleQueue,), containers.visit_simple_queue),
        ((weakref.ref,), containers.visit_weak_reference),
        (outside.NO_STATE, outside.visit_nothing),
        ((threading.Thread,), outside.visit_thread),
        ((Future,), outside.visit_future),
        ((multiprocessing.sharedctypes.SynchronizedBase,), outside.visit_synchronized),
        (outside.PROCESSES, outside.visit_process),
        (outside.ELSEWHERE, outside.visit_elsewhere),
        (_OUTSIDE, objects.visit_outside),
        ((object,), objects.visit_object),
    )
)


def take(
    roots: Mapping[str, object],
    *,
    volatile: re.Pattern[str] | None = None,
    known: Mapping[str, Leaf] = MappingProxyType({}),
) -> Snapshot:
    """Take a snapshot of everything reachable from ``roots``.

    Args:
        roots: named objects; a root's name starts the paths of its leaves.
        volatile: paths that match are neither recorded nor followed, nor is an object that was found there
            at any other path, unless it is a root, or a parameter or buffer of a network.
        known: leaves of another snapshot. What is the same as there is not held twice.
    """
    walker = _walk(roots, volatile, known)
    visit_shared(walker)
    trained = frozenset(walker.trained_paths())
    return Snapshot(
        walker.leaves, trained, walker.opaque, walker.defaults, walker.elsewhere, walker.hidden_at
    )


def shared_places(roots: Mapping[str, object]) -> dict[str, tuple[Any, str]]:
    """Where classes and modules of the agent's code hold what all agents share.

    Returns:
        The class, or the module's dictionary, and the name in it, by the path of what is held there.
    """
    walker = _walk(roots, None)
    visit_shared(walker)
    return walker.shared_places


def find(
    roots: Mapping[str, object], kind: type[_T], *, volatile: re.Pattern[str] | None = None
) -> dict[str, _T]:
    """Every object of a mutable type that is reachable from ``roots``, by the first path to it.

    Args:
        roots: as for :func:`take`.
        kind: the type, such as ``torch.optim.Optimizer``; subclasses are found, too.
        volatile: paths that match are not followed, as by :func:`take`.
    """
    return _walk(roots, volatile).objects(kind)


def _walk(
    roots: Mapping[str, object],
    volatile: re.Pattern[str] | None,
    known: Mapping[str, Leaf] = MappingProxyType({}),
) -> Walker:
    hidden: frozenset[int] = frozenset()
    while True:
        walker = Walker(_RULES, volatile=volatile, hidden=hidden, known=known)
        for name, root in roots.items():
            walker.visit(root, name, "value", 0)
        walker.visit_postponed()
        if walker.came_back() <= hidden:
            return walker
        hidden |= walker.came_back()

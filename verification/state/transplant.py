# SPDX-License-Identifier: MIT
"""Writes a reference's values into a live agent where the two differ."""

from __future__ import annotations

import collections
import contextlib
import copy
import random
import types
from collections.abc import MutableMapping, MutableSet
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from verification.errors import MISTAKES
from verification.state.places import NoPlaceError, Place, holder_of, place_of
from verification.state.walk import find

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from verification.state.compare import Change

# In this order, for a parameter is a tensor, too.
_REGISTRIES = {"_parameters": torch.nn.Parameter, "_buffers": torch.Tensor, "_modules": torch.nn.Module}
_SCALER = ("_scale", "_init_scale", "_growth_tracker", "_init_growth_tracker")


def transplant(
    roots: Mapping[str, object], reference: Mapping[str, object], differing: Iterable[Change]
) -> dict[str, str]:
    """Give an agent what the reference holds in every place where they differ.

    Tensors, arrays and generators are written in place, because others hold them, too. What has to be made
    anew is copied, and refers to the agent's own objects where the reference refers to its own. No code of
    the agent runs, unless it is that of copying its objects.

    Args:
        roots: of the agent that is written into.
        reference: roots of the other; they are left as they are.
        differing: where the two differ, as :func:`verification.state.changes` tells it.

    Returns:
        What could not be written: the reason by path.
    """
    changes = sorted(differing, key=lambda change: change.path.count(".") + change.path.count("["))
    own = find(roots, object)
    # Below what is replaced as a whole, objects of the same path have nothing to do with each other.
    replaced = [one.path for one in changes if one.aspect in {"type", "missing", "unexpected"}]
    kept = {
        id(theirs): own[path]
        for path, theirs in find(reference, object).items()
        if type(own.get(path)) is type(theirs)
        and not any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in replaced)
    }
    failed: dict[str, str] = {}
    written: set[str] = set()
    for change in changes:
        if any(change.path.startswith((f"{one}.", f"{one}[")) for one in written):
            continue
        try:
            written |= _heal(roots, reference, change, kept)
        except MISTAKES as error:  # any object may refuse to be copied or set; the others are written
            failed[change.path] = f"{type(error).__name__}: {error}"
    return failed


def _heal(
    roots: Mapping[str, object], reference: Mapping[str, object], change: Change, kept: dict[int, Any]
) -> set[str]:
    """Write one place. Returns the paths below which everything has been made anew."""
    path = change.path
    if change.aspect == "unexpected" and _is_there(reference, path):
        return set()  # the reference has it, too, where the walk does not look: behind a volatile path
    if change.aspect == "unexpected":
        with contextlib.suppress(NoPlaceError):  # its holder has been written by now
            place_of(roots, path).remove()
        return {path}
    theirs = place_of(reference, path)
    try:
        own: Place | None = place_of(roots, path)
    except NoPlaceError:
        own = None
    if isinstance(theirs.holder, torch.amp.GradScaler):
        scaler = place_of(roots, holder_of(path)).value
        vars(scaler).update({name: copy.deepcopy(vars(theirs.holder)[name]) for name in _SCALER})
        return set()
    if change.expected is not None and change.expected.kind == "identity" and own is not None:
        _put(roots, path, place_of(roots, str(change.expected.value)).value)
        return set()
    if own is not None and change.aspect == "memory" and isinstance(own.value, torch.Tensor):
        _share(own.value, theirs.value, roots, reference, change)
        return set()
    if own is not None and change.aspect == "memory" and isinstance(own.value, np.ndarray):
        own.put(_sharing(own.value, theirs.value, roots, reference, change))
        return set()
    if own is not None and change.aspect != "identity" and _write(own.value, theirs.value, kept):
        return set()
    _replace(roots, reference, path, kept)
    return {path}


def _is_there(roots: Mapping[str, object], path: str) -> bool:
    try:
        place_of(roots, path)
    except NoPlaceError:
        return False
    return True


def _put(roots: Mapping[str, object], path: str, value: Any) -> None:
    """Put an object in place; of what is in a tuple, another tuple is made, and of a bound method another."""
    place = place_of(roots, path)
    if isinstance(place.holder, types.MethodType) and place.key == "__self__":
        _put(roots, holder_of(path), types.MethodType(place.holder.__func__, value))
        return
    if not isinstance(place.holder, tuple):
        place.put(value)
        return
    kind: Any = type(place.holder)
    keys = getattr(kind, "_fields", range(len(place.holder)))
    items = [value if key == place.key else item for key, item in zip(keys, place.holder, strict=True)]
    _put(roots, holder_of(path), kind._make(items) if hasattr(kind, "_make") else kind(items))


def _replace(
    roots: Mapping[str, object], reference: Mapping[str, object], path: str, kept: dict[int, Any]
) -> None:
    """Put a copy in place; of what is in a fixed container, the container is replaced."""
    theirs = place_of(reference, path)
    if theirs.holder is None:
        raise NoPlaceError(f"{path} is a root")
    made = copied(theirs.value, {key: value for key, value in kept.items() if key != id(theirs.value)})
    try:
        try:
            place_of(roots, path).put(made)
        except NoPlaceError:
            holder = _own_holder(roots, path, theirs, kept)
            key = _own_key(theirs.key, kept)
            if isinstance(holder, list) and key == len(holder):
                holder.append(made)
            else:
                Place(holder, key, theirs.how, None).put(made)
    except (NoPlaceError, AttributeError, TypeError, IndexError):
        above = holder_of(path)
        if above == path:
            raise
        _replace(roots, reference, above, kept)


def _own_key(key: Any, kept: dict[int, Any]) -> Any:
    """The agent's counterpart of a key: of an object, or of the address of one."""
    return id(kept[key]) if type(key) is int and key in kept else kept.get(id(key), key)


def _own_holder(roots: Mapping[str, object], path: str, theirs: Place, kept: dict[int, Any]) -> Any:
    """The agent's counterpart of what holds the reference's value."""
    if id(theirs.holder) in kept:
        return kept[id(theirs.holder)]
    above = place_of(roots, holder_of(path)).value
    if isinstance(above, torch.nn.Module):  # members are held by one of three registries
        for registry, kind in _REGISTRIES.items():
            if theirs.key in above.__dict__[registry] or isinstance(theirs.value, kind):
                return above.__dict__[registry]
        return above
    if isinstance(above, torch.optim.Optimizer) and theirs.how == "item":
        return above.state
    return above


def copied(value: Any, kept: Mapping[int, Any] | None = None) -> Any:
    """A deep copy of a value that refers to the objects ``kept``, by the identity of what they stand for."""
    memo = dict(kept or {})
    for tensor in find({"value": value}, torch.Tensor).values():
        if not tensor.is_leaf and id(tensor) not in memo:  # torch copies none that was computed
            memo[id(tensor)] = tensor.detach().clone().requires_grad_(tensor.requires_grad)
    return copy.deepcopy(value, memo)


def _write(own: Any, theirs: Any, kept: dict[int, Any]) -> bool:
    """Write into a mutable object, if it can take the value in."""
    if type(own) is not type(theirs):
        return False
    if isinstance(own, torch.Tensor):
        return _write_tensor(own, theirs)
    if isinstance(own, np.ndarray):
        fits = own.dtype == theirs.dtype and own.shape == theirs.shape and own.flags.writeable
        if fits and not own.dtype.hasobject and own.strides == theirs.strides:
            np.copyto(own, theirs)
            return True
        return False
    if set_generator(own, theirs):
        return True
    if isinstance(own, collections.deque) and own.maxlen != theirs.maxlen:
        return False
    if isinstance(own, list | collections.deque):
        items = [own[index] if index < len(own) else copied(item, kept) for index, item in enumerate(theirs)]
        own.clear()
        own.extend(items)
        return True
    if isinstance(own, MutableMapping):
        entries = {}
        for key, item in theirs.items():
            mine = _own_key(key, kept)
            entries[mine] = own[mine] if mine in own else copied(item, kept)
        own.clear()
        own.update(entries)
        return True
    if isinstance(own, MutableSet):
        own.clear()
        for item in theirs:
            own.add(copied(item, kept))
        return True
    return False


def _write_tensor(own: torch.Tensor, theirs: torch.Tensor) -> bool:
    fits = (own.dtype, own.shape, own.layout, own.device) == (
        theirs.dtype,
        theirs.shape,
        theirs.layout,
        theirs.device,
    )
    if not fits or own.layout is not torch.strided or own.is_meta or own.is_quantized:
        return False
    with torch.no_grad():
        if own.stride() == theirs.stride():
            own.detach().copy_(theirs.detach())
        else:
            own.data = torch.empty_strided(
                theirs.shape, theirs.stride(), dtype=theirs.dtype, device=theirs.device
            ).copy_(theirs.detach())
    if own.is_leaf and own.requires_grad != theirs.requires_grad:
        own.requires_grad_(theirs.requires_grad)
    return True


def _share(
    own: torch.Tensor,
    theirs: torch.Tensor,
    roots: Mapping[str, object],
    reference: Mapping[str, object],
    change: Change,
) -> None:
    """Let a tensor lie in another one's memory as the reference's does, or in memory of its own."""
    meta = dict(change.expected.meta) if change.expected is not None else {}
    with torch.no_grad():
        if meta.get("storage"):
            path = str(meta["storage"])
            base, their_base = (place_of(one, path).value for one in (roots, reference))
            start = base.storage_offset() + theirs.storage_offset() - their_base.storage_offset()
            own.data = base.detach().as_strided(theirs.shape, theirs.stride(), start)
        else:
            own.data = own.detach().clone()


def _sharing(
    own: np.ndarray[Any, Any],
    theirs: np.ndarray[Any, Any],
    roots: Mapping[str, object],
    reference: Mapping[str, object],
    change: Change,
) -> np.ndarray[Any, Any]:
    """An array like ``own`` that lies in another one's memory as the reference's does, or in its own."""
    meta = dict(change.expected.meta) if change.expected is not None else {}
    if not meta.get("storage"):
        return own.copy()
    path = str(meta["storage"])
    base, their_base = (place_of(one, path).value for one in (roots, reference))
    offset = theirs.ctypes.data - their_base.ctypes.data
    memory: Any = base if base.base is None else base.base
    start = offset + base.ctypes.data - memory.ctypes.data
    return np.ndarray(theirs.shape, theirs.dtype, memory, start, theirs.strides)


def set_generator(own: Any, theirs: Any) -> bool:
    """Give a random generator the state of another of its kind; whether it is one."""
    if isinstance(own, torch.Generator):
        own.set_state(theirs.get_state())
    elif isinstance(own, np.random.Generator):
        own.bit_generator.state = theirs.bit_generator.state
    elif isinstance(own, np.random.BitGenerator):
        own.state = theirs.state
    elif isinstance(own, np.random.RandomState):
        own.set_state(theirs.get_state(legacy=True))
    elif isinstance(own, random.Random) and not isinstance(own, random.SystemRandom):
        own.setstate(theirs.getstate())
    else:
        return False
    return True

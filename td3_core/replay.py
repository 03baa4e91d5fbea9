# SPDX-License-Identifier: MIT
"""Transitions: a batch of them, and the ring buffer they are sampled from."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from td3_core.errors import CheckpointError
from td3_core.quoting import LISTED, quoted

if TYPE_CHECKING:
    from td3_core.config import TD3Config

#: A batch of images or vectors, or a dict of both under the keys ``image`` and ``vector``.
Observation = Tensor | Mapping[str, Tensor]

#: Shape and dtype by key.
Specs = dict[str, tuple[tuple[int, ...], type[np.generic]]]


#: Bytes of transitions, at most, that make up one segment; see `ReplayBuffer.segment_rows`.
SEGMENT_BYTES = 8 * 1024 * 1024


class Batch(NamedTuple):
    """Transitions as tensors, batch first.

    ``action`` is (batch, action_size), ``reward`` and ``not_done`` are (batch, 1), all float32.
    ``not_done`` is 0 where the episode terminated, 1 where it went on or was only cut off.
    """

    observation: Observation
    action: Tensor
    next_observation: Observation
    reward: Tensor
    not_done: Tensor

    def to(self, device: torch.device) -> Batch:
        """This batch on ``device``."""
        return Batch(*(_to(value, device) for value in self))


def _to(value: Any, device: torch.device) -> Any:
    if isinstance(value, Mapping):
        return {key: item.to(device) for key, item in value.items()}
    return value.to(device)


def observation_arrays(specs: Specs, observation: Any) -> dict[str, np.ndarray[Any, Any]]:
    """One unbatched observation as arrays by key (``image``, ``vector``), in the dtypes of the specs.

    Raises ValueError, naming the part, where keys, shape or dtype are not those of the specs.
    """
    arrays = {}
    parts = _parts(specs, "the observation", observation)
    for key, (shape, dtype) in specs.items():
        array = np.asarray(parts[key])
        fits = array.dtype == dtype or (dtype == np.float32 and np.issubdtype(array.dtype, np.floating))
        if array.shape != shape or not fits:
            raise ValueError(
                f"the observed {key} must have shape {shape} and dtype {np.dtype(dtype)}, "
                f"not {array.shape} and {array.dtype}"
            )
        arrays[key] = array.astype(dtype, copy=False)
    return arrays


def check_observations(specs: Specs, name: str, observations: Observation, size: int) -> None:
    """Raise ValueError unless ``observations`` is a batch of ``size`` observations of these specs."""
    parts = _parts(specs, name, observations)
    for key, (shape, dtype) in specs.items():
        wanted = torch.uint8 if dtype == np.uint8 else torch.float32
        if tuple(parts[key].shape) != (size, *shape) or parts[key].dtype != wanted:
            raise ValueError(
                f"the {key} of {name} must have shape {(size, *shape)} and dtype {wanted}, "
                f"not {tuple(parts[key].shape)} and {parts[key].dtype}"
            )


def _parts(specs: Specs, name: str, observation: Any) -> dict[str, Any]:
    """An observation, or a batch of them, by key. Raises ValueError where the keys are not the specs'."""
    if len(specs) == 1:
        return dict.fromkeys(specs, observation)
    if not isinstance(observation, Mapping) or set(observation) != set(specs):
        got = sorted(observation) if isinstance(observation, Mapping) else type(observation).__name__
        raise ValueError(f"{name} must be a mapping with the keys {sorted(specs)}, not {got}")
    return dict(observation)


def observation_specs(config: TD3Config) -> Specs:
    """Shape and dtype of each part of an observation, by key; two parts are a dict."""
    specs: Specs = {}
    if config.image_shape is not None:
        specs["image"] = (config.image_shape, np.uint8 if config.image_dtype == "uint8" else np.float32)
    if config.vector_size:
        specs["vector"] = ((config.vector_size,), np.float32)
    return specs


class ReplayBuffer:
    """The last ``capacity`` transitions; memory is taken as it fills, images keep the config's dtype.

    Attributes:
        position: The row that the next transition is written to.
        full: Whether every row is filled, so that the next transition replaces the oldest.
        segment_rows: Rows in each segment, the piece that is saved once and not again until it changes.
    """

    def __init__(self, config: TD3Config, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(
                f"capacity = {quoted(capacity)} is not allowed: it must be an integer of at least 1"
            )
        # Not the whole config: hyper-parameters are the agent's, and change with it.
        self.observation_specs: Specs = observation_specs(config)
        self.action_size: int = config.action_size
        self.capacity: int = int(capacity)
        self.position: int = 0
        self.full: bool = False
        self._arrays = self._allocate()
        row = sum(array[:1].nbytes for array in self._arrays.values())
        self.segment_rows: int = max(1, SEGMENT_BYTES // row)

    def _allocate(self) -> dict[str, np.ndarray[Any, Any]]:
        specs: Specs = {}
        for key, spec in self.observation_specs.items():
            specs[f"observation_{key}"] = specs[f"next_observation_{key}"] = spec
        specs["action"] = ((self.action_size,), np.float32)
        specs["reward"] = specs["not_done"] = ((1,), np.float32)
        return {key: np.zeros((self.capacity, *shape), dtype) for key, (shape, dtype) in specs.items()}

    def __len__(self) -> int:
        return self.capacity if self.full else self.position

    def add(
        self, observation: Any, action: Any, next_observation: Any, reward: float, terminated: bool
    ) -> None:
        """Store one transition; in a full buffer it replaces the oldest.

        ``terminated`` is true where the episode reached a terminal state, not where it was cut off.
        Raises ValueError, before anything is stored, where a part does not fit the config.
        """
        row: dict[str, Any] = {}
        for prefix, value in (("observation", observation), ("next_observation", next_observation)):
            for key, array in observation_arrays(self.observation_specs, value).items():
                row[f"{prefix}_{key}"] = array
        row["action"] = np.asarray(action, np.float32)
        if row["action"].shape != (self.action_size,):
            raise ValueError(f"the action must have shape ({self.action_size},), not {row['action'].shape}")
        row["reward"], row["not_done"] = float(reward), 1.0 - bool(terminated)
        for key, value in row.items():
            self._arrays[key][self.position] = value
        known = _digests.get(self)
        if known:
            known.pop(self.position // self.segment_rows, None)
        self.position = (self.position + 1) % self.capacity
        self.full = self.full or self.position == 0

    def sample(self, batch_size: int, generator: torch.Generator) -> Batch:
        """Draw ``batch_size`` transitions with replacement. Raises ValueError if the buffer is empty."""
        if len(self) == 0:
            raise ValueError("the replay buffer is empty: add a transition before sampling")
        rows = torch.randint(len(self), (batch_size,), generator=generator, device="cpu").numpy()
        drawn = {key: torch.from_numpy(array[rows]) for key, array in self._arrays.items()}
        return Batch(
            observation=self._observation("observation", drawn),
            action=drawn["action"],
            next_observation=self._observation("next_observation", drawn),
            reward=drawn["reward"],
            not_done=drawn["not_done"],
        )

    def _observation(self, prefix: str, drawn: Mapping[str, Tensor]) -> Observation:
        parts = {key: drawn[f"{prefix}_{key}"] for key in self.observation_specs}
        return parts if len(parts) > 1 else next(iter(parts.values()))

    def rows(self, which: slice | np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
        """These rows of every array, by key; a slice gives views."""
        return {key: array[which] for key, array in self._arrays.items()}

    def state_dict(self, which: np.ndarray[Any, Any] | None = None) -> dict[str, Any]:
        """Copies of the filled rows of every array, with capacity, position and whether it has wrapped.

        With ``which``, only copies of these rows, given by their numbers.
        """
        rows = self.rows(slice(len(self)) if which is None else which)
        arrays = {key: torch.from_numpy(array.copy()) for key, array in rows.items()}
        return {"capacity": self.capacity, "position": self.position, "full": self.full, "arrays": arrays}

    def load_state_dict(self, state: Mapping[str, Any], which: np.ndarray[Any, Any] | None = None) -> None:
        """Become the buffer that ``state`` was taken from; nothing is shared with ``state``.

        With ``which``, the state has only these rows, given by their numbers, and the others are zero.

        Raises CheckpointError, with every mismatch by name and the buffer unchanged, where ``state`` is
        not from a buffer of this capacity and config.
        """
        problems = self._mismatches(state, None if which is None else len(which))
        if problems:
            raise CheckpointError("the replay buffer cannot be restored: " + "; ".join(problems))
        arrays = self._allocate()
        for key, saved in state["arrays"].items():
            arrays[key][slice(len(saved)) if which is None else which] = saved.numpy()
        self.position, self.full, self._arrays = state["position"], state["full"], arrays
        _digests.pop(self, None)

    def _mismatches(self, state: Mapping[str, Any], count: int | None) -> list[str]:
        expected = {"capacity": int, "position": int, "full": bool, "arrays": dict}
        if not isinstance(state, Mapping) or {key: type(state[key]) for key in state} != expected:
            return [f"it must hold {', '.join(expected)}, and each of its own type"]
        if state["capacity"] != self.capacity:
            return [f"capacity is {quoted(state['capacity'])} in the checkpoint and {self.capacity} here"]
        if not 0 <= state["position"] < self.capacity:
            return [f"position is {quoted(state['position'])}, outside of a capacity of {self.capacity}"]
        size = (self.capacity if state["full"] else state["position"]) if count is None else count
        saved = state["arrays"]
        problems = [f"{key} is missing" for key in self._arrays if key not in saved]
        unexpected = islice((quoted(key).strip("'") for key in saved if key not in self._arrays), LISTED)
        problems += [f"{key} is unexpected" for key in unexpected]
        for key in sorted(self._arrays.keys() & saved.keys()):
            like = torch.from_numpy(self._arrays[key][:0])
            shape = (size, *like.shape[1:])
            value = saved[key]
            if not isinstance(value, Tensor) or tuple(value.shape) != shape or value.dtype != like.dtype:
                got = f"{tuple(value.shape)} {value.dtype}" if isinstance(value, Tensor) else quoted(value)
                problems.append(f"{key} is {got} in the checkpoint and {shape} {like.dtype} here")
        return problems


#: What is known of buffers is kept beside them, not in them: it is no part of what decides a run's future.
_digests: WeakKeyDictionary[ReplayBuffer, dict[int, str]] = WeakKeyDictionary()


def digests_of(buffer: ReplayBuffer) -> dict[int, str]:
    """The digests of a buffer's segments by number, to be remembered; forgotten once a row in one changes."""
    return _digests.setdefault(buffer, {})

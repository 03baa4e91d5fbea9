# SPDX-License-Identifier: MIT
"""Random generators as bytes: their whole state, cached values included."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from verification.state.encode import tensor_array

GENERATORS = (
    torch.Generator,
    np.random.Generator,
    np.random.RandomState,
    np.random.BitGenerator,
    np.random.SeedSequence,
    random.Random,
)


def generator_state(obj: object) -> bytes:
    """The state of a random generator of torch, numpy or Python: where its stream of numbers is."""
    match obj:
        case torch.Generator():
            return tensor_array(obj.get_state()).tobytes()
        case np.random.Generator():
            return _bit_generator_state(obj.bit_generator)
        case np.random.RandomState():
            return repr([_plain(item) for item in obj.get_state(legacy=True)]).encode()
        case np.random.BitGenerator():
            return _bit_generator_state(obj)
        case np.random.SeedSequence():
            return seed_sequence_state(obj)
        case random.SystemRandom():
            return b"system entropy"
        case random.Random():
            return repr(obj.getstate()).encode()
    raise TypeError(f"{type(obj).__name__} is no random generator")


def parent_of_children(obj: object) -> np.random.SeedSequence | None:
    """The seed sequence of numpy's generator, if generators were spawned from it: the next are others then.

    One that spawned none is no state: it served to seed the generator, which may have been restored since.
    """
    if isinstance(obj, np.random.Generator):
        obj = obj.bit_generator
    sequence = getattr(obj, "seed_seq", None) if isinstance(obj, np.random.BitGenerator) else None
    return sequence if getattr(sequence, "n_children_spawned", 0) else None


def seed_sequence_state(sequence: np.random.SeedSequence) -> bytes:
    """What decides which generators it spawns next."""
    entropy = _plain(sequence.entropy)
    return repr((entropy, sequence.spawn_key, sequence.pool_size, sequence.n_children_spawned)).encode()


def _bit_generator_state(generator: np.random.BitGenerator) -> bytes:
    return repr(_plain(generator.state)).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value.tobytes() if isinstance(value, np.ndarray) else value

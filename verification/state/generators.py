# SPDX-License-Identifier: MIT
"""Random generators as bytes: their whole state, cached values included."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from verification.state.encode import tensor_array


def generator_state(obj: object) -> bytes | None:
    """The state of a random generator of torch, numpy or Python; ``None`` if ``obj`` is none."""
    if isinstance(obj, torch.Generator):
        return tensor_array(obj.get_state()).tobytes()
    if isinstance(obj, np.random.Generator):
        return _bit_generator_state(obj.bit_generator)
    if isinstance(obj, np.random.RandomState):
        return repr([_plain(item) for item in obj.get_state(legacy=True)]).encode()
    if isinstance(obj, np.random.BitGenerator):
        return _bit_generator_state(obj)
    if isinstance(obj, random.SystemRandom):
        return b"system entropy"
    if isinstance(obj, random.Random):
        return repr(obj.getstate()).encode()
    return None


def _bit_generator_state(generator: np.random.BitGenerator) -> bytes:
    return repr(_plain(generator.state)).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value.tobytes() if isinstance(value, np.ndarray) else value

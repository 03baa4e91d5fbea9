# SPDX-License-Identifier: MIT
"""The process's global random generators: set them, read them, put them back."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from verification.engine.class_state import held_apart, put_back
from verification.engine.process_settings import process_settings, restore_settings

if TYPE_CHECKING:
    from collections.abc import Iterator


def seed_globals(seed: int) -> None:
    """Set the global generators of Python, numpy and torch to a state that follows from ``seed``."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    # torch.manual_seed would do both, but formats the call stack, which takes as long as a small update.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)


def global_states() -> dict[str, Any]:
    """The states of the global generators, by the name a person knows them by."""
    states: dict[str, Any] = {
        "random": random.getstate(),
        "numpy.random": np.random.get_state(),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states["torch.cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore_globals(states: dict[str, Any]) -> None:
    """Put back what :func:`global_states` returned, or some of it."""
    if "random" in states:
        random.setstate(states["random"])
    if "numpy.random" in states:
        np.random.set_state(states["numpy.random"])
    if "torch" in states:
        torch.set_rng_state(states["torch"])
    if "torch.cuda" in states:
        torch.cuda.set_rng_state_all(states["torch.cuda"])


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """Run with one torch thread; leave the process's generators, settings and class state as they were.

    More threads change the order in which gradients are summed, hence their bits, and several workers
    with several threads each slow one another down many times over. TorchScript rewrites a function once
    the process has run it a few times, which changes bits as well.
    """
    states, settings, held = global_states(), process_settings(), held_apart()
    torch.set_num_threads(1)
    try:
        with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
            yield
    finally:
        restore_settings(settings)
        restore_globals(states)
        put_back(held)

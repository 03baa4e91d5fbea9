# SPDX-License-Identifier: MIT
"""The process's global random generators and flags: set them, read them, put them back."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

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
    """Run with one torch thread, and leave the process's generators and flags as they were.

    More threads change the order in which gradients are summed, hence their bits, and several workers
    with several threads each slow one another down many times over.
    """
    states = global_states()
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    grad = torch.is_grad_enabled()
    device = torch.get_default_device()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.set_grad_enabled(grad)
        if torch.get_default_device() != device:  # setting it, even to what it is, slows down every call
            torch.set_default_device(device)
        restore_globals(states)

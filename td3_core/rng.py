# SPDX-License-Identifier: MIT
"""Random streams that an agent owns, all derived from its one seed, none of them global."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

_STREAMS = ("weights", "target_noise", "exploration", "replay")


def generator(seed: int, stream: str) -> torch.Generator:
    """The generator of one named stream of an agent.

    It lives on the CPU wherever the agent does, so that an agent draws the same numbers on every device.
    Raises ValueError if ``seed`` is negative.
    """
    return torch.Generator(device="cpu").manual_seed(_stream_seed(seed, stream))


@contextmanager
def initial_weights(seed: int) -> Iterator[None]:
    """Let torch's initialisers draw an agent's first weights, and leave the global generator as it was."""
    # torch.manual_seed would also seed the generators of every accelerator, which fork_rng would then
    # have to start; weights are drawn on the CPU, so only its generator is borrowed.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(_stream_seed(seed, "weights"))
        yield


def _stream_seed(seed: int, stream: str) -> int:
    sequence = np.random.SeedSequence(seed, spawn_key=(_STREAMS.index(stream),))
    return int(sequence.generate_state(1, np.uint64)[0])

# SPDX-License-Identifier: MIT
"""Random streams that an agent owns, all derived from its one seed, none of them global."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A Mersenne Twister as torch keeps it: its seed, how many of its table's numbers are left, whether it is
#: seeded, how many are drawn, the table, and what is left of pairs of normal numbers.
_STATE, _TABLE = 5056, 624
_STREAMS = ("weights", "target_noise", "exploration", "replay")


def generator(seed: int, stream: str) -> torch.Generator:
    """The generator of one named stream of an agent.

    It lives on the CPU wherever the agent does, so that an agent draws the same numbers on every device.
    Raises ValueError if ``seed`` is negative.
    """
    return torch.Generator(device="cpu").manual_seed(_stream_seed(seed, stream))


def is_state(value: object) -> bool:
    """Whether this is the state of a generator on the CPU, such as ``get_state`` returns.

    torch compares neither count of drawn numbers with the other, and would draw from behind its table.
    """
    if not isinstance(value, torch.Tensor) or value.dtype != torch.uint8 or value.shape != (_STATE,):
        return False
    data = value.contiguous().numpy()
    left, seeded = (int(number) for number in data[8:16].view(np.int32))
    drawn = int(data[16:24].view(np.uint64)[0])
    table = data[24 : 24 + 8 * _TABLE].view(np.uint64)
    fresh = (left, drawn) == (1, 0)
    if seeded != 1 or not (fresh or (1 <= left <= _TABLE and left + drawn == _TABLE + 1)):
        return False
    if int(table.max()) >= 2**32:
        return False
    try:
        torch.Generator(device="cpu").set_state(value)
    except (TypeError, RuntimeError):
        return False
    return True


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

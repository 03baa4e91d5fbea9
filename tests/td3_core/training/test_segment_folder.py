# SPDX-License-Identifier: MIT
"""The lock on a folder of checkpoints is let go, wherever an interrupt comes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from interrupting import interrupted_at

from td3_core import interrupts
from td3_core.training import segment_folder
from td3_core.training.segment_folder import undisturbed

if TYPE_CHECKING:
    from pathlib import Path

fcntl = pytest.importorskip("fcntl")


def test_an_interrupt_at_any_line_lets_go_of_the_lock(tmp_path: Path) -> None:
    def hold() -> None:
        with undisturbed(tmp_path / "run.pth", saving=True):
            pass

    number = 1
    while interrupted_at(number, hold, segment_folder.__file__, interrupts.__file__):
        other = os.open(tmp_path, os.O_RDONLY)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(other)
        number += 1
    assert number > 15

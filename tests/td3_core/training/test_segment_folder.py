# SPDX-License-Identifier: MIT
"""The lock on a folder of checkpoints is let go, wherever an interrupt comes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from td3_core import interrupts
from td3_core.training import segment_folder
from td3_core.training.segment_folder import undisturbed

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

fcntl = pytest.importorskip("fcntl")


def interrupted_at(number: int, path: Path) -> bool:
    seen = 0

    def line(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal seen
        seen += event == "line"
        if seen == number:
            raise KeyboardInterrupt
        return line

    def call(frame: FrameType, event: str, _: Any) -> Any:
        files = (segment_folder.__file__, interrupts.__file__)
        return line if frame.f_code.co_filename in files else None

    tracer = sys.gettrace()
    try:
        sys.settrace(call)
        with undisturbed(path, saving=True):
            pass
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(tracer)
    return False


def test_an_interrupt_at_any_line_lets_go_of_the_lock(tmp_path: Path) -> None:
    number = 1
    while interrupted_at(number, tmp_path / "run.pth"):
        other = os.open(tmp_path, os.O_RDONLY)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(other)
        number += 1
    assert number > 15

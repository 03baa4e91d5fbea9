# SPDX-License-Identifier: MIT
"""Interrupts work before each of its lines in turn, which no signal could do so surely."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def interrupted_at(number: int, work: Callable[[], object], *files: str | None) -> bool:
    """Do ``work``, with a KeyboardInterrupt before that line of ``files``; whether it has so many lines."""
    seen = 0

    def line(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal seen
        seen += event == "line"
        if seen == number:
            raise KeyboardInterrupt
        return line

    def call(frame: FrameType, event: str, _: Any) -> Any:
        return line if frame.f_code.co_filename in files else None

    tracer = sys.gettrace()
    try:
        sys.settrace(call)
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(tracer)
    return False

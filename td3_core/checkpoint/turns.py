# SPDX-License-Identifier: MIT
"""Keeps apart what changes an agent and what saves it, so that no checkpoint mixes two steps.

What is kept about an agent is not part of it: agents can be copied, and their state is only what they learn.
"""

from __future__ import annotations

import threading
import weakref
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from td3_core.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class _Turn:
    """Whose turn it is.

    Attributes:
        lock: held by the thread that changes or reads the agent.
        changes: how many changes, one inside the other, are going on.
        torn: whether a change was given up half-way.
    """

    lock: Any = field(default_factory=threading.RLock)
    changes: int = 0
    torn: bool = False


_turns: weakref.WeakKeyDictionary[object, _Turn] = weakref.WeakKeyDictionary()
_guard = threading.Lock()


def _turn(agent: object) -> _Turn:
    with _guard:
        return _turns.setdefault(agent, _Turn())


@contextmanager
def changing(agent: object, *, whole: bool = False) -> Iterator[None]:
    """Take the agent's turn to change it; other threads wait.

    With ``whole``, what ends in an exception leaves an agent between two steps, which is not saved then.
    """
    turn = _turn(agent)
    with turn.lock:
        turn.changes += 1
        try:
            yield
        except BaseException:
            turn.torn |= whole
            raise
        finally:
            turn.changes -= 1


@contextmanager
def reading(agent: object, path: object) -> Iterator[None]:
    """Take the agent's turn to save it. Changes in other threads are waited for.

    Raises:
        CheckpointError: a change is going on in this very thread, or was given up half-way.
    """
    turn = _turn(agent)
    with turn.lock:
        if turn.changes:
            raise CheckpointError(f"{path} is not written: the agent is in the middle of a training step")
        if turn.torn:
            raise CheckpointError(
                f"{path} is not written: the agent's last update was interrupted half-way; load a checkpoint"
            )
        yield


def made_whole(agent: object) -> None:
    """Forget that a change was given up half-way: the agent has been restored."""
    _turn(agent).torn = False

# SPDX-License-Identifier: MIT
"""Keeps apart what changes an agent and what saves it, so that no checkpoint mixes two steps.

What is kept about an agent is not part of it: agents can be copied, and their state is only what they learn.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from td3_core.errors import CheckpointError
from td3_core.interrupts import completed, held_back, surely

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

#: How long a fork waits for the changes of other threads to end. More would be a deadlock of them and it.
_SECONDS_OF_A_FORK = 5.0


@dataclass(eq=False)
class _Turn:
    """Whose turn it is.

    Attributes:
        lock: held by the thread that changes or reads the agent.
        changes: those going on, one inside the other.
    """

    lock: Any = field(default_factory=threading.RLock)
    changes: set[object] = field(default_factory=set)


_turns: weakref.WeakKeyDictionary[object, _Turn] = weakref.WeakKeyDictionary()
#: Agents and runs of which a change has begun and not ended.
_torn: weakref.WeakSet[object] = weakref.WeakSet()


@contextmanager
def _taken(agent: object) -> Iterator[_Turn]:
    turn = _turns.setdefault(agent, _Turn())
    held: list[tuple[bool, Any]] = []

    def give_back() -> None:
        if held:
            held.pop()[1].release()

    with held_back(), surely(give_back):
        held.append((turn.lock.acquire(), turn.lock))  # on one line: nothing comes in between
        yield turn


@contextmanager
def changing(agent: object, *, tears: object = None) -> Iterator[None]:
    """Take the agent's turn to change it; other threads, and signals that ask to stop, wait.

    Args:
        agent: whose turn it is.
        tears: the agent or the run that is between two steps, and not saved, until the block has ended. An
            exception leaves it so.
    """
    change = object()
    with _taken(agent) as turn, surely(partial(turn.changes.discard, change)):
        turn.changes.add(change)
        torn_before = tears is None or tears in _torn
        if not torn_before:
            _torn.add(tears)
        yield
        if not torn_before:
            _torn.discard(tears)


def renew(owners: Collection[object], commit: Callable[[], None]) -> None:
    """Change agents and runs, in their turn, so that they are whole afterwards, whatever they were before.

    Args:
        owners: what ``commit`` changes.
        commit: replaces all of their state; an exception in the middle goes on its way once it is done again.
    """

    def change() -> None:
        _torn.update(owners)
        commit()
        _torn.difference_update(owners)

    completed(change)


@contextmanager
def reading(agent: object, path: object, *, run: object = None) -> Iterator[None]:
    """Take the agent's turn to save it, or ``run`` with it. Changes in other threads are waited for.

    Raises:
        CheckpointError: a change is going on in this very thread, or was given up half-way.
    """
    with _taken(agent) as turn:
        if turn.changes:
            raise CheckpointError(f"{path} is not written: the agent is in the middle of a training step")
        if agent in _torn:
            raise CheckpointError(
                f"{path} is not written: the agent's last update was interrupted half-way; load a checkpoint"
            )
        if run in _torn:
            raise CheckpointError(
                f"{path} is not written: the run's last step was interrupted half-way; load a checkpoint, or "
                "save the agent alone with agent.save_checkpoint"
            )
        yield


# -- forks ---------------------------------------------------------------------------------------------------

_forking = threading.local()


def _agents() -> list[tuple[object, _Turn]]:
    agents = [reference() for reference in _turns.keyrefs()]
    return [(agent, _turns[agent]) for agent in agents if agent is not None]


def _await_changes() -> None:
    """Fork between two steps: in a forked process, other threads never end theirs."""
    deadline, _forking.taken = time.monotonic() + _SECONDS_OF_A_FORK, []
    for _, turn in _agents():
        if turn.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            _forking.taken.append(turn)


def _go_on() -> None:
    for turn in _forking.taken:
        turn.lock.release()


def _go_on_in_child() -> None:
    for agent, turn in _agents():
        if turn not in _forking.taken:
            if turn.changes:
                _torn.add(agent)
            turn.lock, turn.changes = threading.RLock(), set()
    _go_on()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_await_changes, after_in_parent=_go_on, after_in_child=_go_on_in_child)

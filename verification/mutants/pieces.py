# SPDX-License-Identifier: MIT
"""Wrong loads of a specimen: what comes out of the file is changed before the agent is restored from it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from pathlib import Path

    from verification.mutants.model import Operation

#: Changes, in place, what a specimen is restored from, knowing what the receiver would have captured.
Change = Callable[[dict[str, Any], dict[str, Any]], None]


def changing(change: Change) -> Operation:
    """A load that restores the agent from changed contents."""

    def load(agent: Any, path: Path, _: Operation) -> Any:
        own = copy.deepcopy(agent.capture())
        contents = torch.load(path, weights_only=True)
        change(contents, own)
        agent.restore(contents)
        return agent

    return load


def keeping(*pieces: str) -> Operation:
    """A load that leaves pieces, named like ``replay.cursor``, as they were in the receiver."""

    def change(contents: dict[str, Any], own: dict[str, Any]) -> None:
        for piece in pieces:
            put(contents, piece, pick(own, piece))

    return changing(change)


def setting(piece: str, value: object) -> Operation:
    """A load that gives a piece a value of its own."""
    return changing(lambda contents, _: put(contents, piece, copy.deepcopy(value)))


def copying(source: str, destination: str) -> Operation:
    """A load that restores a piece from what was saved of another one."""
    return changing(lambda contents, _: put(contents, destination, copy.deepcopy(pick(contents, source))))


def converting(piece: str, convert: Callable[[Any], Any]) -> Operation:
    """A load that passes a piece through a function."""
    return changing(lambda contents, _: put(contents, piece, convert(pick(contents, piece))))


def losing_attributes(*names: str) -> Operation:
    """A load after which attributes of the agent hold what they held in the receiver."""

    def load(agent: Any, path: Path, correct: Operation) -> Any:
        own = {name: copy.deepcopy(getattr(agent, name)) for name in names}
        agent = correct(agent, path)
        for name, value in own.items():
            setattr(agent, name, value)
        return agent

    return load


def loosely(own: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
    """What ``load_state_dict(saved, strict=False)`` leaves in a module that holds ``own``."""
    return {key: saved.get(key, value) for key, value in own.items()}


def pick(contents: Any, piece: str) -> Any:
    """The piece of this name."""
    for key in piece.split("."):
        contents = contents[int(key) if isinstance(contents, list) else key]
    return contents


def put(contents: Any, piece: str, value: Any) -> None:
    """Put a value in the piece's place."""
    *way, last = piece.split(".")
    holder = pick(contents, ".".join(way)) if way else contents
    holder[int(last) if isinstance(holder, list) else last] = value

# SPDX-License-Identifier: MIT
"""Negative controls: adapters of the hand-made agent that are right or wrong in one plain way."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import torch
from adapters import Tiny

from verification import check_agent

if TYPE_CHECKING:
    from pathlib import Path

#: Every member that the suite calls, the optional ones behind the others.
MEMBERS = ("configs", "batches", "observations", "build", "learn", "act", "save", "load")
OPTIONAL = ("advance", "state", "variants", "reopen")


def warm_up() -> None:
    """Let torch import what an agent's first operations need, which takes seconds."""
    check_agent(Tiny(), examples=1, checks=["loading_restores_something"])


class Identity(Tiny):
    """Saves the whole agent as it is, and returns what it saved."""

    def save(self, agent: Any, path: Path) -> None:
        torch.save(agent, path)

    def load(self, agent: Any, path: Path) -> Any:
        return torch.load(path, weights_only=False)


class _Meddles(Tiny):
    """Does something in one of its members."""

    def __init__(self, member: str) -> None:
        super().__init__()
        self.member = member

    def state(self, agent: Any) -> dict[str, object]:
        return {"agent": agent}

    def reopen(self, config: Any, path: Path) -> Any:
        return self.load(self.build(config, 0), path)

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name not in (*MEMBERS, *OPTIONAL) or name != self.member:
            return value

        def member(*arguments: Any) -> Any:
            self.meddle()
            return value(*arguments)

        return member

    def meddle(self) -> None:
        raise NotImplementedError


class Raises(_Meddles):
    def meddle(self) -> None:
        raise RuntimeError("a mistake of the adapter")


class Hangs(_Meddles):
    def __init__(self, member: str, time_limit: float = 0.5) -> None:
        super().__init__(member)
        self.time_limit = time_limit

    def meddle(self) -> None:
        time.sleep(1000)


class HangsHard(Hangs):
    """Does not return to the interpreter: what stands for that is that no signal reaches it."""

    def __init__(self) -> None:
        super().__init__("load")
        warm_up()

    def meddle(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        super().meddle()


class Crashes(_Meddles):
    """Ends its process, as a segmentation fault does."""

    def __init__(self) -> None:
        super().__init__("load")

    def meddle(self) -> None:
        os._exit(139)


IGNORES_TRAINING, SAVES_NOTHING = Tiny("never learns"), Tiny("saves nothing")
LOADS_NOTHING, NONDETERMINISTIC = Tiny("loads nothing"), Tiny("is nondeterministic")

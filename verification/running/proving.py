# SPDX-License-Identifier: MIT
"""Finds a script that proves a loss without this suite: only one that was run, and has shown it, will do."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verification.counterexamples.proof import proofs
from verification.counterexamples.simpler import simpler
from verification.engine.driver import within_limit
from verification.engine.global_rng import isolated
from verification.processes.temporary_folders import temporary_folder

if TYPE_CHECKING:
    from verification.adapter import Adapter
    from verification.losses import Loss
    from verification.program import Program

# Seconds that the search for a script may take.
_SEARCH = 15.0
#: Fewer lines are a script that everybody reads.
READABLE = 30


def proven(
    adapter: Adapter, target: str, program: Program, cut: int, loss: Loss, *, closed_loop: bool
) -> str:
    """A script that shows the loss, and shows nothing without the reload; empty if none was found.

    Args:
        adapter: drives the agent.
        target: its name, as ``verify check`` takes it; empty for one that can be made by its class alone.
        program: that shows the loss.
        cut: after how many of its steps the checkpoint is saved.
        loss: what is lost.
        closed_loop: let the random streams flow, as in a run of an agent's own loop.
    """
    search = _Search(adapter, target, cut, loss, closed_loop)
    found = search.first(program)
    shorter = "\nother = " not in found  # with one config for both agents
    while shorter and lines_of(found) >= READABLE:
        shorter = False
        for config in simpler(program.config):
            candidate = dataclasses.replace(program, config=config, receiver_config=config)
            better = search.first(candidate, tries=1)
            if better and len(better) < len(found):
                program, found, shorter = candidate, better, True
                break  # what could not be left out before may be now
    return found


def lines_of(text: str) -> int:
    """How many lines there are to read."""
    return sum(bool(line.strip()) for line in text.splitlines())


class _Search:
    """The search for scripts of one loss, until it has taken long enough."""

    def __init__(self, adapter: Adapter, target: str, cut: int, loss: Loss, closed_loop: bool) -> None:
        self._adapter = adapter
        self._target = target
        self._cut = cut
        self._loss = loss
        self._closed_loop = closed_loop
        self._ends = time.monotonic() + _SEARCH

    def first(self, program: Program, tries: int | None = None) -> str:
        """The first script that shows the loss in the program; empty if there is none, or no time is left."""
        candidates = proofs(
            self._adapter, self._target, program, self._cut, self._loss, closed_loop=self._closed_loop
        )
        for proof in itertools.islice(candidates, tries):
            if time.monotonic() > self._ends:
                break
            wanted = proof.text.count("yield ")
            if _shows(self._adapter, proof.text) == wanted and _shows(self._adapter, proof.control) == 0:
                return proof.text
        return ""


def _shows(adapter: Adapter, text: str) -> int | None:
    """How many differences a script prints; ``None`` if it fails in another way."""
    told = io.StringIO()
    names: dict[str, Any] = {"__name__": "reproduce"}
    with isolated(), temporary_folder() as folder:
        text = text.replace("tempfile.mkdtemp()", f"tempfile.mkdtemp(dir={str(Path(folder))!r})")
        try:
            with contextlib.redirect_stdout(told), within_limit(adapter, "a script that reproduces a loss"):
                exec(compile(text, "reproduce.py", "exec"), names)  # noqa: S102 - our own lines
        except SystemExit as end:
            lines = told.getvalue().splitlines()
            number = sum(not line.endswith(" 0") and not line.endswith(" 0.0") for line in lines)
            return number if bool(end.code) == (number > 0) else None
        except Exception:  # another candidate may do better
            return None
    return None

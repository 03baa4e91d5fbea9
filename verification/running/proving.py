# SPDX-License-Identifier: MIT
"""Finds a script that proves a loss without this suite: only one that was run, and has shown it, will do."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from verification.counterexamples.proof import Proof
from verification.counterexamples.simpler import simpler
from verification.engine.driver import within_limit
from verification.engine.global_rng import isolated
from verification.processes.temporary_folders import temporary_folder

if TYPE_CHECKING:
    from verification.adapter import Adapter
    from verification.counterexamples.proof import Scripts, Shape
    from verification.program import Program

# Seconds of CPU time that the search for a script may take.
_SEARCH = 10.0
#: Fewer lines are a script that everybody reads.
READABLE = 30


def proven(scripts: Scripts, program: Program) -> str:
    """A script that shows a loss, and shows nothing without the reload; empty if none was found.

    Args:
        scripts: that may show it.
        program: that shows it.
    """
    search = _Search(scripts)
    found = search.first(program)
    if found is None:
        return ""
    if lines_of(found.text) >= READABLE and not found.shape.receiver:  # with one config for both agents
        found = search.simplest(found)
    if lines_of(found.text) >= READABLE:
        found = search.first(found.program, brief=True) or found
    return found.text


def lines_of(text: str) -> int:
    """How many lines there are to read."""
    return sum(bool(line.strip()) for line in text.splitlines())


class _Search:
    """The search for scripts of one loss, until it has taken long enough."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._ends = time.process_time() + _SEARCH

    def first(self, program: Program, *, brief: bool = False) -> _Found | None:
        """The first script that shows the loss in the program; ``None`` if none does, or no time is left."""
        failed: set[tuple[bool, tuple[str, str]]] = set()  # a view that has no numbers has none later
        for shape in self._scripts.shapes(program, brief=brief):
            if time.process_time() > self._ends:
                break
            if (shape.own, shape.view) in failed:
                continue
            if (script := self._scripts.proof(program, shape)) is None:
                continue
            shown = self._shows(script.text)
            if shown is None:
                failed.add((shape.own, shape.view))
            elif shown == _wanted(script) and self._shows(script.control) == 0:
                return _Found(script.text, program, shape)
        return None

    def simplest(self, found: _Found) -> _Found:
        """The same script with as much of the config left out as leaves it a proof, or takes the time."""
        best, shorter = found, True
        while shorter and lines_of(best.text) >= READABLE:
            shorter = False
            for config in simpler(best.program.config):
                if time.process_time() > self._ends:
                    break
                program = dataclasses.replace(best.program, config=config, receiver_config=config)
                script = self._scripts.proof(program, found.shape)
                if script is None or len(script.text) >= len(best.text):
                    continue
                if self._shows(script.text) == _wanted(script):
                    best, shorter = _Found(script.text, program, found.shape), True
                    break  # what could not be left out before may be now
        return best if best is found or self._shows(Proof(best.text).control) == 0 else found

    def _shows(self, text: str) -> int | None:
        return _shows(self._scripts.adapter, text)


class _Found(NamedTuple):
    """A script that shows a loss, and what it was written from."""

    text: str
    program: Program
    shape: Shape


def _wanted(script: Proof) -> int:
    """How many differences a script is to print."""
    return script.text.count("yield ")


def _shows(adapter: Adapter, text: str) -> int | None:
    """How many differences a script prints; ``None`` if it fails in another way."""
    printed: list[str] = []

    def write_down(*words: object) -> None:
        printed.append(" ".join(map(str, words)))

    # What the agent prints itself is no difference.
    names: dict[str, Any] = {"__name__": "reproduce", "print": write_down}
    with isolated(), temporary_folder() as folder:
        text = text.replace("tempfile.mkdtemp()", f"tempfile.mkdtemp(dir={str(Path(folder))!r})")
        try:
            with (
                contextlib.redirect_stdout(io.StringIO()),
                within_limit(adapter, "a script that reproduces a loss"),
            ):
                exec(compile(text, "reproduce.py", "exec"), names)  # noqa: S102 - our own lines
        except SystemExit as end:
            number = sum(not line.endswith((" 0", " 0.0")) for line in printed)
            return number if bool(end.code) == (number > 0) else None
        except Exception:  # another candidate may do better
            return None
    return None

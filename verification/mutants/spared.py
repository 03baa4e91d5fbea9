# SPDX-License-Identifier: MIT
"""Runs every check on correct agents with harmless changes: none may fail, and differences are noted."""

from __future__ import annotations

import functools
from concurrent.futures import as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verification.adapters.find import load_adapter
from verification.errors import UsageError, nearest
from verification.mutants.harmless import AGENTS, changed, harmless_changes
from verification.mutants.hunt import Drawn, draw_programs, hunt
from verification.processes.pool import executor_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Executor

    from verification.mutants.hunt import Kill


@dataclass(frozen=True)
class Spared:
    """How one change fared in one agent.

    Attributes:
        agent: its name.
        change: the name of the change.
        seed: of the programs.
        kill: what was said of it; no check should have failed.
        noted: the paths of what differed without a consequence where the agent holds what was added.
    """

    agent: str
    change: str
    seed: int
    kill: Kill
    noted: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nobody was blamed, and a difference that a load leaves was noted."""
        return not self.kill.checks and bool(self.noted) is harmless_changes()[self.change].noted

    def __str__(self) -> str:
        if self.kill.checks:
            named = self.kill.lost or self.kill.leaves
            return f"blamed by {', '.join(self.kill.checks)}: {', '.join(named)}"
        return f"noted: {', '.join(self.noted)}" if self.noted else "nothing differs"


def choose(names: Sequence[str] | None) -> list[tuple[str, str]]:
    """Every change in every agent; only those of a change or an agent in ``names``.

    Raises:
        UsageError: for a name that does not exist.
    """
    changes = harmless_changes()
    for name in names or ():
        if name not in (known := {*changes, *AGENTS}):
            raise UsageError(
                f"there is no harmless change or agent {name!r}; {nearest(name, known)}see them all"
            )
    return [
        (agent, change) for change in changes for agent in AGENTS if not names or {agent, change} & set(names)
    ]


def spare(agent: str, change: str, *, seed: int, examples: int) -> Spared:
    """Run every check up to level ``resume`` on one change in one agent."""
    kill = hunt(changed(agent, change), _programs(agent, seed, examples), exhaustive=True)
    attribute = f".{harmless_changes()[change].attribute}"
    return Spared(agent, change, seed, kill, tuple(path for path in kill.notes if attribute in path))


def spare_all(
    chosen: Iterable[tuple[str, str]],
    *,
    seeds: Sequence[int],
    examples: int,
    workers: int | Executor,
    progress: Callable[[Spared], None],
) -> list[Spared]:
    """Run every chosen change with every seed; ``progress`` is called with each result."""
    rows = []
    with executor_of(workers) as pool:
        tasks = [
            pool.submit(spare, agent, change, seed=seed, examples=examples)
            for seed in seeds
            for agent, change in chosen
        ]
        for future in as_completed(tasks):
            rows.append(future.result())
            progress(rows[-1])
    return rows


@functools.cache
def _programs(agent: str, seed: int, examples: int) -> Drawn:
    return draw_programs(load_adapter(agent), seed=seed, examples=examples)

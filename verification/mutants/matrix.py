# SPDX-License-Identifier: MIT
"""The kill matrix: which mutants were killed by what, and how soon."""

from __future__ import annotations

import functools
import statistics
from concurrent.futures import as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verification.adapters.find import load_adapter
from verification.errors import AdapterError, UsageError, nearest
from verification.levels import Level
from verification.mutants.any_agent import AnyMutantAdapter, mutants_of
from verification.mutants.hunt import Drawn, Kill, draw_programs, has_effect, hunt, level_of
from verification.mutants.model import Mutant, mutants, planted
from verification.processes.pool import executor_of
from verification.processes.worker import WorkerDied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Executor

    from verification.adapter import Adapter

#: The seed for which every mutant says exactly which checks kill it.
WRITTEN_SEED = 0

#: Programs tried behind the first failure of a mutant of which nobody said what kills it.
_MORE = 4


@dataclass(frozen=True)
class Row:
    """How one mutant fared with one seed.

    Attributes:
        mutant: its name.
        seed: of the programs.
        kill: what killed it, and when.
        wanted: the checks that should have killed it; empty if nobody said, so that any may.
        effective: whether it changed anything: an agent without optimizers cannot lose their state.
    """

    mutant: str
    seed: int
    kill: Kill
    wanted: tuple[str, ...]
    effective: bool = True

    @property
    def ok(self) -> bool:
        """Whether it was killed, by just the checks that should."""
        if not self.effective:
            return True
        return self.kill.checks == self.wanted if self.wanted else bool(self.kill.checks)


def choose(target: str | None, names: Sequence[str] | None) -> dict[str, Mutant]:
    """The mutants of ``target``, or of all built-in agents; only those with a name or class in ``names``.

    Raises:
        UsageError: for a name or target that does not exist.
    """
    known = mutants_of(load_adapter(target)) if target is not None else _resumed()
    if not names:
        return known
    selectors = {*known, *(mutant.bug_class for mutant in known.values()), *(m.agent for m in known.values())}
    for name in names:
        if name not in selectors:
            raise UsageError(
                f"there is no mutant, class or agent {name!r}; {nearest(name, selectors)}see them all"
            )
    return {
        name: mutant for name, mutant in known.items() if {name, mutant.bug_class, mutant.agent} & set(names)
    }


def _resumed() -> dict[str, Mutant]:
    """Those of built-in agents that programs can kill, without damaged files, killed saves or other paths."""
    return {name: mutant for name, mutant in mutants().items() if level_of(mutant) < Level.DURABLE}


def of_level(level: Level) -> list[Mutant]:
    """Those of built-in agents that it takes the checks of this level to kill."""
    return [mutant for mutant in mutants().values() if level_of(mutant) == level]


def hunt_all(
    target: str | None,
    chosen: Iterable[str],
    *,
    seeds: Sequence[int],
    examples: int,
    workers: int | Executor,
    exhaustive: bool = False,
    progress: Callable[[Row], None] | None = None,
) -> list[Row]:
    """Hunt every chosen mutant with every seed; rows come in the order of mutants and seeds.

    Args:
        target: an adapter as on the command line, or ``None`` for the built-in agents.
        chosen: names of its mutants.
        seeds: of the programs.
        examples: programs a hunt at most.
        workers: how many processes, or an executor.
        exhaustive: run all programs, to see every check that may fail.
        progress: called with each row as it is found.

    Raises:
        AdapterError: a process crashed.
    """
    tasks = [(target, name, seed, examples, exhaustive) for seed in seeds for name in chosen]
    order = {(task[1], task[2]): number for number, task in enumerate(tasks)}
    rows: list[Row] = []
    with executor_of(workers) as pool:
        hunts = {pool.submit(_row, *task): task for task in tasks}
        for future in as_completed(hunts):
            try:
                row = future.result()
            except WorkerDied as died:
                _, name, seed, *_ = hunts[future]
                raise AdapterError(
                    f"a process crashed in the middle of the hunt for {name} with seed {seed}, as compiled "
                    f"code may\n{died.output}".rstrip()
                ) from None
            rows.append(row)
            if progress:
                progress(row)
    return sorted(rows, key=lambda row: order[row.mutant, row.seed])


def summary(rows: Sequence[Row]) -> str:
    """How many were killed, and how soon."""
    effective = [row for row in rows if row.effective]
    killed = [row for row in effective if row.kill.checks]
    text = f"{len(killed)} of {len(effective)} killed"
    if len(effective) < len(rows):
        text += f", {len(rows) - len(effective)} found nothing to damage"
    if killed:
        examples = [row.kill.examples for row in killed]
        seconds = [row.kill.seconds for row in killed]
        text += (
            f"; examples: median {statistics.median(examples):g}, worst {max(examples)}"
            f"; seconds: median {statistics.median(seconds):.1f}, worst {max(seconds):.1f}"
        )
    return text


def _row(target: str | None, name: str, seed: int, examples: int, exhaustive: bool) -> Row:
    """What a process of the pool does."""
    if target is None:
        mutant = mutants()[name]
        drawn = _programs(mutant.agent, seed, examples)
        level = max(level_of(mutant), Level.RESUME)
        # Which checks can see a bug depends on what programs reach, so that it is written down for one seed.
        wanted = mutant.killed_by if seed == WRITTEN_SEED else ()
        kill = hunt(planted(name), drawn, level=level, wanted=wanted, exhaustive=exhaustive)
        return Row(name, seed, kill, wanted)
    adapter = _adapter(target)
    wrong = AnyMutantAdapter(adapter, mutants_of(adapter)[name])
    drawn = _programs(target, seed, examples)
    ignored = _own_failures(target, seed, examples)
    kill = hunt(wrong, drawn, ignored=ignored, more=_MORE, exhaustive=exhaustive)
    effective = (
        bool(kill.checks) or "load" not in wrong.mutant.operations or has_effect(wrong, adapter, drawn)
    )
    return Row(name, seed, kill, (), effective)


@functools.cache
def _adapter(target: str) -> Adapter:
    return load_adapter(target)


@functools.cache
def _programs(target: str, seed: int, examples: int) -> Drawn:
    return draw_programs(_adapter(target), seed=seed, examples=examples)


@functools.cache
def _own_failures(target: str, seed: int, examples: int) -> tuple[str, ...]:
    """The checks that the agent fails without any mutant."""
    return hunt(_adapter(target), _programs(target, seed, examples), exhaustive=True).checks

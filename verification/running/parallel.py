# SPDX-License-Identifier: MIT
"""The command's run: checks of the adapter of a name, in workers, with progress."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from verification.adapters.find import load_adapter
from verification.checks.registry import parse_level, select
from verification.counterexamples.store import FOLDER, FailureStore
from verification.engine.members import validate_adapter
from verification.expected_failures.entries import load_expected
from verification.processes.pool import WorkerPool, parse_workers
from verification.program import horizon_of
from verification.report.model import Report, Result, Verdict
from verification.report.text import STYLES
from verification.running.check_agent import environment
from verification.running.drawing import DEFAULT_EXAMPLES
from verification.running.places import by_target
from verification.running.quick import QUICK_EXAMPLES, quickly
from verification.running.rehearsal import rehearse
from verification.running.run_checks import Asked, run_checks
from verification.running.unasked import unasked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

_QUIET = frozenset({Verdict.PASSED, Verdict.NOT_APPLICABLE})


def check_in_parallel(
    target: str,
    *,
    level: str,
    checks: Sequence[str] | None,
    examples: int | None,
    seed: int | None,
    workers: str,
    expected_failures: Path | None,
    console: Console,
    horizon: int | None = None,
    quick: bool = False,
) -> Report:
    """Run the checks of the adapter named ``target``.

    Even one worker is a process of its own, so that an agent that crashes or hangs in compiled code ends
    that process and not the command.

    Raises:
        UsageError: if the adapter, the level or a check does not exist.
        AdapterError: if the adapter lacks a member, or one does not do what it has to in a rehearsal.
    """
    number = parse_workers(workers)
    adapter = load_adapter(target)
    validate_adapter(adapter)
    chosen = select(parse_level(level), checks)
    expected = load_expected(expected_failures, adapter)
    store = FailureStore(FOLDER.resolve(), target)
    for sentence in store.clean():
        console.print(sentence, markup=False, highlight=False)
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    horizon = horizon_of(adapter, horizon)
    examples = examples or (QUICK_EXAMPLES if quick else DEFAULT_EXAMPLES)
    chosen = quickly(chosen) if quick else chosen
    with WorkerPool(number) as pool:
        rehearse(by_target(target), seed, pool)
        with _progress(len(chosen), console) as progress:
            results = run_checks(
                by_target(target),
                chosen,
                Asked(seed, examples, store=store, horizon=horizon),
                expected=expected,
                executor=pool,
                at_once=number,
                progress=lambda _, result: _tell(progress, result),
            )
    of_level = parse_level(level)
    return Report(
        adapter.name,
        str(of_level),
        tuple(results),
        seed,
        environment(),
        horizon=horizon,
        unasked=unasked(adapter, of_level, chosen, quick=quick),
    )


@contextlib.contextmanager
def _progress(total: int, console: Console) -> Iterator[Progress]:
    columns = (
        TextColumn("checking"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task("checks", total=total, last="starting")
        yield progress


def _tell(progress: Progress, result: Result | None) -> None:
    """Show a check that has ended."""
    if result is None:
        return
    style = STYLES[result.verdict]
    said = f"[{style}]{str(result.verdict).replace('_', ' ')}[/] {result.check}"
    # A terminal has the bar; a log gets a line for every check, so that it is seen to move.
    if not progress.console.is_terminal or result.verdict not in _QUIET:
        progress.console.print(said, highlight=False)
    progress.update(progress.task_ids[0], advance=1, last=said)

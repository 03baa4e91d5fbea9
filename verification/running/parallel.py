# SPDX-License-Identifier: MIT
"""The command's run: checks of the adapter of a name, in workers, with progress."""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING

from verification.adapters.find import load_adapter
from verification.checks.registry import parse_level, select
from verification.counterexamples.store import FOLDER, FailureStore
from verification.engine.members import validate_adapter
from verification.errors import UsageError
from verification.expected_failures.entries import is_expected, load_expected
from verification.processes.pool import WorkerPool, parse_workers
from verification.program import horizon_of
from verification.report.model import Report
from verification.running.check_agent import environment
from verification.running.drawing import DEFAULT_EXAMPLES, names_drawn
from verification.running.jobs import RunOptions
from verification.running.live import live
from verification.running.not_run import not_run
from verification.running.places import by_target
from verification.running.quick import QUICK_EXAMPLES, quickly
from verification.running.rehearsal import rehearse
from verification.running.run_checks import Interrupted, run_checks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from verification.report.model import Result
    from verification.shard import Shard


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
    partial: bool = False,
    shard: Shard | None = None,
) -> Report:
    """Run the checks of the adapter named ``target``.

    Even one worker is a process of its own, so that an agent that crashes or hangs in compiled code ends
    that process and not the command. Where ``partial``, a run that is interrupted is reported as far as it
    got. A ``shard`` asks about its share of the examples.

    Raises:
        UsageError: if the adapter, the level or a check does not exist, or a shard has no example.
        AdapterError: if the adapter lacks a member, or one does not do what it has to in a rehearsal.
    """
    number = parse_workers(workers)
    adapter = load_adapter(target)
    validate_adapter(adapter)
    chosen = select(parse_level(level), checks)
    expected = load_expected(expected_failures, adapter)
    store = FailureStore(FOLDER.resolve(), target)
    for sentence in store.clean(lambda: names_drawn(adapter)):
        console.print(sentence, markup=False, highlight=False)
    if shard and seed is None:
        raise UsageError("--shard needs --seed, the same number for every shard")
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    horizon = horizon_of(adapter, horizon)
    examples = examples or (QUICK_EXAMPLES if quick else DEFAULT_EXAMPLES)
    chosen = quickly(chosen) if quick else chosen
    if shard and shard.of > examples:
        raise UsageError(f"--shard is {shard}, but there are {examples} examples; give --examples {shard.of}")
    if shard:  # another one may have the example that counts
        chosen = [dataclasses.replace(check, never_counted="") for check in chosen]
    options = RunOptions(seed, examples, store=store, horizon=horizon, shard=shard)
    results: Sequence[Result] = ()
    interrupted = False
    excused = {check.name for check in chosen if is_expected(expected, check)}
    with live(chosen, options.share, console, excused) as shown:
        try:
            with WorkerPool(number) as pool:
                rehearse(by_target(target), seed, pool)
                results = run_checks(
                    by_target(target),
                    chosen,
                    options,
                    expected=expected,
                    executor=pool,
                    at_once=number,
                    listener=shown,
                )
        except KeyboardInterrupt as interruption:
            if not partial:
                raise
            interrupted = True
            if isinstance(interruption, Interrupted):  # or else it came when all results were known, or none
                results = interruption.results
    of_level = parse_level(level)
    return Report(
        adapter.name,
        str(of_level),
        tuple(results),
        seed,
        environment(),
        horizon=horizon,
        not_run=(*((shard.remark,) if shard else ()), *not_run(adapter, of_level, chosen, quick=quick)),
        examples=examples,
        shard=shard,
        interrupted=interrupted,
    )

# SPDX-License-Identifier: MIT
"""``check_agent``: a plain call that needs no pytest."""

from __future__ import annotations

import inspect
import platform
import random
import warnings
from importlib import metadata
from typing import TYPE_CHECKING, Any

from verification.adapters.completing import complete, of_functions
from verification.adapters.signatures import ARGUMENTS
from verification.checks.registry import Check, parse_level, select
from verification.engine.members import OPTIONAL, validate_adapter
from verification.errors import UsageError, nearest
from verification.expected_failures.entries import load_expected
from verification.levels import Level
from verification.program import horizon_of
from verification.report.model import Report, Result
from verification.running.drawing import examples_of_the_profile, names_drawn
from verification.running.jobs import RunOptions
from verification.running.not_run import not_run
from verification.running.places import place_for
from verification.running.quick import QUICK_EXAMPLES, quickly
from verification.running.rounds import Listener
from verification.running.run_checks import run_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Executor
    from os import PathLike

    from verification.adapter import Adapter
    from verification.counterexamples.store import FailureStore
    from verification.expected_failures.entries import Expected


def check_agent(
    adapter: object = None,
    *,
    level: Level | str = Level.RESUME,
    checks: Iterable[str] | None = None,
    examples: int | None = None,
    seed: int | None = None,
    shrink: bool = True,
    expected_failures: Expected | str | PathLike[str] | None = None,
    store: FailureStore | None = None,
    progress: Callable[[Check, Result | None], None] | None = None,
    workers: int | Executor = 1,
    strict: bool = False,
    horizon: int | None = None,
    quick: bool = False,
    **members: Any,
) -> Report:
    """Check an agent implementation's checkpoints.

    Args:
        adapter: drives the agent; see :class:`verification.adapter.Adapter`. It needs no more than ``build``,
            ``learn``, ``save`` and ``load``.
        level: what the agent promises; checks of lower levels are included.
        checks: only these checks, with the prerequisites that give them meaning.
        examples: experiments a check; by default a fifth of the Hypothesis profile's ``max_examples``.
        seed: draws the same examples again; by default another one every time.
        shrink: look for the smallest failing program; without it, failures are found faster, and are longer.
        expected_failures: by check name, a reason or a table of an entry's keys; or a TOML file with them.
            These failures are not shrunk.
        store: keeps failing programs, runs them first the next time, and forgets those that pass.
            Without it nothing is written.
        progress: called with ``None`` when a check is first run, and with its result when that is known.
        workers: how many processes run a program each at once, so that an agent that crashes or hangs in
            compiled code is an ``error`` and nothing worse. 1, the default, runs all in this process.
            Or an executor, such as Dask's: its workers have to be able to import the adapter. The report is
            the same for any number.
        strict: let differences of which nothing follows fail the run, too.
        horizon: how many training steps some programs take before a checkpoint, and how many steps after a
            load are looked at where it is undecided whether a difference matters. By default the adapter's
            ``horizon``, or 12.
        quick: ask only what is cheap, about few examples, for a first verdict; the report says what was left.
        members: in the place of an adapter, its members as plain functions and values:
            ``check_agent(build=build, learn=learn, save=save, load=load)``, and any others.

    Returns:
        The report. ``report.ok`` says whether the agent kept every promise.

    Raises:
        UsageError: for an unknown level, check or argument, or an adapter that the executor's workers cannot
            import.
        AdapterError: for an adapter without a required member, or with one that cannot be understood.
    """
    adapter = _adapter_of(adapter, members)
    validate_adapter(adapter)
    level = parse_level(level)
    expected = load_expected(expected_failures, adapter)
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    for sentence in store.clean(lambda: names_drawn(adapter)) if store else ():
        warnings.warn(sentence, stacklevel=2)
    if isinstance(workers, int) and workers < 1:
        raise UsageError(f"workers is {workers}; give a number from 1 on, or an executor")
    if horizon is not None and horizon < 1:
        raise UsageError(f"horizon is {horizon}; give a number of steps from 1 on")
    horizon = horizon_of(adapter, horizon)
    chosen = select(level, checks)
    wanted = examples_of_the_profile() if examples is None else examples
    if quick:
        chosen, wanted = quickly(chosen), QUICK_EXAMPLES if examples is None else examples
    options = RunOptions(seed, wanted, shrink, store, horizon)
    with place_for(adapter, workers) as (find, executor, at_once):
        results = run_checks(
            find,
            chosen,
            options,
            expected=expected,
            executor=executor,
            at_once=at_once,
            listener=_Progress(progress) if progress else None,
        )
    return Report(
        adapter.name,
        str(level),
        tuple(results),
        seed,
        environment(),
        strict,
        horizon,
        not_run(adapter, level, chosen, quick=quick),
        examples=wanted,
    )


class _Progress(Listener):
    """Calls a function when a check is first run, and when its result is known."""

    def __init__(self, tell: Callable[[Check, Result | None], None]) -> None:
        self._tell = tell
        self._begun: set[str] = set()

    def began(self, check: Check) -> None:
        if check.name not in self._begun:
            self._begun.add(check.name)
            self._tell(check, None)

    def ended(self, check: Check, result: Result) -> None:
        self.began(check)  # one that is blocked was not run
        self._tell(check, result)


def _adapter_of(adapter: object, members: Mapping[str, Any]) -> Adapter:
    """The adapter that is given, or one of functions.

    Raises:
        UsageError: for both, neither, or an argument that is no member of an adapter.
        AdapterError: for a member that cannot be understood.
    """
    known = {*ARGUMENTS, *OPTIONAL, "name"}
    for name in members.keys() - known:
        arguments = [*inspect.signature(check_agent).parameters, *known]
        raise UsageError(
            f"check_agent() has no argument {name!r}; {nearest(name, arguments)}"
            "it takes its options, and the members of an adapter"
        )
    if adapter is None:
        if not members:
            raise UsageError("check_agent() needs an adapter, or the functions build, learn, save and load")
        return of_functions(members)
    if members:
        raise UsageError(
            f"check_agent() has an adapter, and {', '.join(sorted(members))} besides; give one or the other"
        )
    return complete(adapter)


def environment() -> dict[str, str]:
    """The versions that decide about bits."""
    packages = ("td3-verification", "torch", "numpy", "hypothesis", "gymnasium")
    versions = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {"python": platform.python_version(), "platform": platform.platform(), **versions}

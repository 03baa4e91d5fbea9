# SPDX-License-Identifier: MIT
"""The rehearsal: every member of an adapter is called once, so that a mistake in one is said at once."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from verification.engine.driver import Driver
from verification.engine.global_rng import isolated
from verification.errors import AdapterError, CheckFailure, UsageError
from verification.processes.temporary_folders import temporary_folder
from verification.program import Act, Advance, Learn
from verification.running.drawing import draw_simple

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from verification.adapter import Adapter
    from verification.program import Step
    from verification.running.places import Finder


def rehearse(find: Finder, seed: int, executor: Executor) -> None:
    """Let an executor go through an adapter once.

    What is wrong with the agent is left to the checks, and so is a process that dies of it.

    Raises:
        UsageError: if the adapter cannot be found there.
        AdapterError: in one sentence, naming the member.
    """
    failure = executor.submit(_find_and_rehearse, find, seed).exception()
    if isinstance(failure, UsageError | AdapterError):
        raise failure


def _find_and_rehearse(find: Finder, seed: int) -> None:
    rehearse_here(find(), seed)


def rehearse_here(adapter: Adapter, seed: int = 0) -> None:
    """Call every member of an adapter once, in this process.

    Raises:
        AdapterError: in one sentence, naming the member.
    """
    program = draw_simple(adapter, seed=seed)
    with (
        contextlib.suppress(CheckFailure),
        isolated(),
        temporary_folder() as folder,
    ):
        driver = Driver(adapter)
        agent = driver.build(program.config, program.seed)
        driver.snapshot(agent)
        steps = (*program.steps, *program.receiver_steps)
        training = [step for step in steps if isinstance(step, Learn)]
        acting = [Act(program.probe)] if driver.acts else []
        looping = [Advance(1)] if driver.closed_loop else []
        one_of_each: list[Step] = [*training[:1], *acting, *looping]
        for step in one_of_each:
            driver.perform(agent, step)
        driver.save(agent, Path(folder))
        receiver = driver.build(program.receiver_config, program.receiver_seed)
        driver.snapshot(driver.load(receiver, Path(folder)))

# SPDX-License-Identifier: MIT
"""Runs one check, without those that it needs, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verification.checks.registry import Check, all_checks
from verification.processes.pool import ThisProcess
from verification.running.jobs import RunOptions
from verification.running.run_checks import run_checks

if TYPE_CHECKING:
    from verification.report.model import Result


def run_one(adapter: Any, check: Check | str, *, examples: int, seed: int = 0, **options: Any) -> Result:
    """The result of one check, by itself or by its name; ``options`` are those of ``RunOptions``."""
    chosen = all_checks()[check] if isinstance(check, str) else check
    run_options = RunOptions(seed, examples, **options)
    (result,) = run_checks(
        lambda: adapter, [chosen], run_options, expected={}, executor=ThisProcess(), at_once=1
    )
    return result

# SPDX-License-Identifier: MIT
"""What a run did not ask, and why: the adapter lacks what it takes, or the caller wanted to be quick."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.adapters.completing import Completed
from verification.checks.registry import select
from verification.levels import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verification.adapter import Adapter
    from verification.checks.registry import Check


def not_run(adapter: Adapter, level: Level, chosen: Sequence[Check], *, quick: bool) -> tuple[str, ...]:
    """Sentences for a report.

    Args:
        adapter: drives the agent.
        level: of the run.
        chosen: the checks that were asked.
        quick: whether the dear ones were left out, and few examples drawn.
    """
    found = []
    names = {check.name for check in chosen}
    if quick:
        left = [check.name for check in select(level) if check.name not in names]
        besides = f"; not asked: {', '.join(left)}" if left else ""
        found.append(f"A quick run: few examples{besides}. A run that is not quick asks more.")
    if more := _members(adapter, level):
        found.append(f"The adapter could have more told: {'; '.join(more)}.")
    return tuple(found)


def _members(adapter: Adapter, level: Level) -> list[str]:
    """The members that an adapter lacks, each with what it would be good for."""
    found = []
    if level >= Level.RESUME and not hasattr(adapter, "advance"):
        found.append("add advance(agent, steps) to have the replay buffer and the exploration checked")
    if level >= Level.WEIGHTS and not hasattr(adapter, "act"):
        found.append("add act(agent, observation) and observations(config) to have actions compared")
    if isinstance(adapter, Completed) and not adapter.takes("learn", "batch"):
        found.append("add batches(config) to learn(agent, batch) to have other inputs drawn")
    if isinstance(adapter, Completed) and not hasattr(adapter.given, "configs"):
        found.append("add configs() to build(config, seed) to have other architectures checked")
    if level >= Level.TRAINING and not hasattr(adapter, "variants"):
        found.append("add variants(config) to see whether a load corrects the receiver's hyper-parameters")
    return found

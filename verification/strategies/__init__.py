# SPDX-License-Identifier: MIT
"""Hypothesis strategies for agents: their descriptions, spaces, observations, batches and programs.

Names are plural nouns with keyword-only bounds, useful for agents of any algorithm: ``docs/strategies.md``
shows how. They are loaded on first use, so that importing the package costs nothing.

Not here: what only one library's agents need (``adapters``).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verification.strategies.architectures import cnns, hidden_layers
    from verification.strategies.arrays import observations
    from verification.strategies.batches import transition_batches
    from verification.strategies.building import build_optimizer, build_schedule, lay_out
    from verification.strategies.config import (
        CNN,
        AgentConfig,
        Conv,
        OptimizerSpec,
        ScheduleSpec,
        Transitions,
        Treatment,
        Wave,
    )
    from verification.strategies.configs import PLAIN_PARAMETERS, agent_configs
    from verification.strategies.moments import OptimizerState, optimizer_states
    from verification.strategies.optimizers import optimizer_specs
    from verification.strategies.program import programs
    from verification.strategies.schedules import fitting_schedule, schedule_specs
    from verification.strategies.spaces import action_spaces, observation_spaces
    from verification.strategies.variants import agent_variants

__all__ = [
    "CNN",
    "PLAIN_PARAMETERS",
    "AgentConfig",
    "Conv",
    "OptimizerSpec",
    "OptimizerState",
    "ScheduleSpec",
    "Transitions",
    "Treatment",
    "Wave",
    "action_spaces",
    "agent_configs",
    "agent_variants",
    "build_optimizer",
    "build_schedule",
    "cnns",
    "fitting_schedule",
    "hidden_layers",
    "lay_out",
    "observation_spaces",
    "observations",
    "optimizer_specs",
    "optimizer_states",
    "programs",
    "schedule_specs",
    "transition_batches",
]

# No module may be named like what it exports: importing it would put the module in the function's place.
_HOMES = {
    "architectures": ("cnns", "hidden_layers"),
    "arrays": ("observations",),
    "batches": ("transition_batches",),
    "building": ("build_optimizer", "build_schedule", "lay_out"),
    "config": (
        "CNN",
        "AgentConfig",
        "Conv",
        "OptimizerSpec",
        "ScheduleSpec",
        "Transitions",
        "Treatment",
        "Wave",
    ),
    "configs": ("PLAIN_PARAMETERS", "agent_configs"),
    "moments": ("OptimizerState", "optimizer_states"),
    "optimizers": ("optimizer_specs",),
    "program": ("programs",),
    "schedules": ("fitting_schedule", "schedule_specs"),
    "spaces": ("action_spaces", "observation_spaces"),
    "variants": ("agent_variants",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

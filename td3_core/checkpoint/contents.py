# SPDX-License-Identifier: MIT
"""Everything that decides an agent's future: what its checkpoint consists of, taken out of the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from td3_core.checkpoint.optimizer_state import capture_optimizer, capture_scheduler, unusable_values
from td3_core.config import HYPER_PARAMETERS
from td3_core.errors import CheckpointError
from td3_core.quoting import listed, quoted
from td3_core.validation import is_count

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from td3_core.agent import TD3

TRAINED_NETWORKS = ("actor", "critic", "actor_cnn", "critic_cnn")
NETWORKS = TRAINED_NETWORKS + tuple(f"{name}_target" for name in TRAINED_NETWORKS)
GENERATORS = ("target_noise_generator", "exploration_generator", "replay_generator")

#: The sections of an agent's checkpoint that hold what it has learned, and where it is.
SECTIONS = (
    *(f"{name}_state_dict" for name in NETWORKS),
    *(f"{name}_{kind}_state_dict" for name in TRAINED_NETWORKS for kind in ("optimizer", "scheduler")),
    *(f"{name}_state" for name in GENERATORS),
    "total_it",
    *HYPER_PARAMETERS,
)

#: Sections that a checkpoint may have beside the agent's own, and that loading the agent leaves alone.
EXTRA_SECTIONS = ("run",)


def capture(agent: TD3) -> dict[str, Any]:
    """Every section of an agent's checkpoint; its tensors are the agent's own, not copies."""
    contents: dict[str, Any] = {
        "torch_version": str(torch.__version__),
        "config": agent.config.to_dict(),
        "use_dict_buffer": agent.use_dict_buffer,
        "total_it": agent.total_it,
    }
    contents |= {name: getattr(agent.config, name) for name in HYPER_PARAMETERS}
    for name in NETWORKS:
        network: torch.nn.Module | None = getattr(agent, name)
        contents[f"{name}_state_dict"] = None if network is None else network.state_dict()
    for name in TRAINED_NETWORKS:
        contents[f"{name}_optimizer_state_dict"] = capture_optimizer(getattr(agent, f"{name}_optimizer"))
        contents[f"{name}_scheduler_state_dict"] = capture_scheduler(getattr(agent, f"{name}_scheduler"))
    for name in GENERATORS:
        contents[f"{name}_state"] = getattr(agent, name).get_state()
    contents["training_modes"] = _flags(agent, "named_modules", "training")
    contents["requires_grad"] = _flags(agent, "named_parameters", "requires_grad")
    return contents


def to_save(agent: TD3, extra: Mapping[str, Any] | None, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Every section of a checkpoint of ``agent``, those in ``extra`` included.

    Raises:
        CheckpointError: The agent is in a state that loading refuses, or ``extra`` holds another section.
    """
    contents = capture(agent)
    problems = (
        [] if is_count(agent.total_it) else [f"total_it is {quoted(agent.total_it)}, which is no count"]
    )
    for name in TRAINED_NETWORKS:
        optimizer, scheduler = f"{name}_optimizer_state_dict", f"{name}_scheduler_state_dict"
        for index, group in enumerate((contents[optimizer] or {}).get("param_groups", ())):
            problems += unusable_values(f"{optimizer}.param_groups[{index}]", group)
        problems += unusable_values(scheduler, contents[scheduler] or {})
    if problems:
        raise CheckpointError(f"{path} is not written: " + listed(problems, "; "))
    return contents | _extra_sections(extra, path)


def _extra_sections(extra: Mapping[str, Any] | None, path: str | os.PathLike[str]) -> dict[str, Any]:
    """The sections to store beside the agent's own. Raises CheckpointError for one that is not known."""
    sections = dict(extra or {})
    for name in sections:
        if name not in EXTRA_SECTIONS:
            raise CheckpointError(
                f"{path} is not written: {quoted(name)} is not a section of a checkpoint: allowed are "
                + ", ".join(map(repr, EXTRA_SECTIONS))
            )
    return sections


def _flags(agent: TD3, listing: str, flag: str) -> dict[str, dict[str, bool]]:
    networks = {name: getattr(agent, name) for name in NETWORKS}
    return {
        name: {path: getattr(item, flag) for path, item in getattr(network, listing)()}
        for name, network in networks.items()
        if network is not None
    }

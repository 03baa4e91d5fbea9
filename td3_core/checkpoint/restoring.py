# SPDX-License-Identifier: MIT
"""Puts what was captured of an agent into another one: all of it or nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from td3_core.checkpoint import turns
from td3_core.checkpoint.contents import GENERATORS, NETWORKS
from td3_core.checkpoint.mismatches import refuse_mismatches
from td3_core.errors import CheckpointError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from td3_core.agent import TD3
    from td3_core.checkpoint.optimizer_state import Staged
    from td3_core.config import TD3Config


def restore(agent: TD3, contents: Mapping[str, Any], *, source: str | os.PathLike[str]) -> None:
    """Make ``agent`` equal to the one that was captured, or raise CheckpointError and leave it as it is.

    An interrupt after the first change, such as Ctrl-C, goes on its way once the agent is restored.
    """
    with turns.changing(agent):
        turns.renew([agent], prepared(agent, contents, source=source))


def prepared(
    agent: TD3, contents: Mapping[str, Any], *, source: str | os.PathLike[str]
) -> Callable[[], None]:
    """What, when called, makes ``agent`` equal to the one that was captured; twice is as if once.

    Everything that can fail is done before, while the agent stays as it is. Raises CheckpointError.
    """
    config, optimizers = refuse_mismatches(agent, contents, source=source)
    try:
        for name, staged in optimizers.items():
            staged.load(contents[f"{name}_optimizer_state_dict"], contents[f"{name}_scheduler_state_dict"])
        relaid = _relaid(agent, contents)
    except Exception as error:
        raise CheckpointError(
            f"{source} could not be restored, and the agent is as it was: {error}"
        ) from error
    return partial(_commit, agent, contents, config, optimizers, relaid)


def _relaid(agent: TD3, contents: Mapping[str, Any]) -> dict[tuple[str, str], torch.Tensor]:
    """Copies of the saved tensors of another memory format, such as channels_last, by network and key.

    Such a tensor rounds differently, so that its format has to be taken over.
    """
    return {
        (name, key): contents[f"{name}_state_dict"][key].to(tensor.device, copy=True)
        for name in NETWORKS
        if getattr(agent, name) is not None
        for key, tensor in getattr(agent, name).state_dict().items()
        if tensor.stride() != contents[f"{name}_state_dict"][key].stride()
    }


@torch.no_grad()
def _commit(
    agent: TD3,
    contents: Mapping[str, Any],
    config: TD3Config,
    optimizers: Mapping[str, Staged],
    relaid: Mapping[tuple[str, str], torch.Tensor],
) -> None:
    """Put captured contents that have no mismatches into ``agent``."""
    agent.config = config
    agent.max_action = config.max_action
    agent.total_it = contents["total_it"]
    for name in NETWORKS:
        network: torch.nn.Module | None = getattr(agent, name)
        if network is None:
            continue
        for key, tensor in network.state_dict(keep_vars=True).items():
            if (name, key) in relaid:
                tensor.data = relaid[name, key]
            else:
                tensor.copy_(contents[f"{name}_state_dict"][key])
        for path, module in network.named_modules():
            module.training = contents["training_modes"][name][path]
        for path, parameter in network.named_parameters():
            parameter.requires_grad_(contents["requires_grad"][name][path])
            parameter.grad = None
    for name, staged in optimizers.items():
        staged.adopt_into(getattr(agent, f"{name}_optimizer"), getattr(agent, f"{name}_scheduler"))
    for name in GENERATORS:
        getattr(agent, name).set_state(contents[f"{name}_state"])

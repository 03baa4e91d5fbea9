# SPDX-License-Identifier: MIT
"""An agent whose optimizers have state, without the time that training takes."""

from __future__ import annotations

import torch

from td3_core import TD3, TD3Config
from td3_core.checkpoint.contents import TRAINED_NETWORKS


def filled(config: TD3Config) -> TD3:
    """An agent after one step of every optimizer on random gradients."""
    agent = TD3(config, seed=0)
    for name in TRAINED_NETWORKS:
        optimizer, network = getattr(agent, f"{name}_optimizer"), getattr(agent, name)
        if optimizer is not None:
            for parameter in network.parameters():
                parameter.grad = torch.randn_like(parameter)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return agent

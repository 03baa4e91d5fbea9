# SPDX-License-Identifier: MIT
"""Agents, batches and observations for the tests of td3_core, and an oracle that compares whole agents."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from td3_core import TD3, Batch, TD3Config
from td3_core.config import OptimizerConfig, ScheduleConfig
from verification.state.compare import compare
from verification.state.walk import take

torch.set_num_threads(1)

OBSERVATIONS = ("dict", "image", "vector")

OPTIMIZERS = {
    "Adam": OptimizerConfig("Adam", {"lr": 1e-3}),
    "Adam-amsgrad": OptimizerConfig("Adam", {"lr": 1e-3, "amsgrad": True, "weight_decay": 0.01}),
    "AdamW": OptimizerConfig("AdamW", {"lr": 1e-3, "betas": (0.8, 0.99), "maximize": True}),
    "SGD": OptimizerConfig("SGD", {"lr": 1e-3}),
    "SGD-momentum": OptimizerConfig("SGD", {"lr": 1e-3, "momentum": 0.9, "dampening": 0.1}),
    "SGD-nesterov": OptimizerConfig("SGD", {"lr": 1e-3, "momentum": 0.9, "nesterov": True}),
    "RMSprop": OptimizerConfig("RMSprop", {"lr": 1e-3, "alpha": 0.9}),
    "RMSprop-centered": OptimizerConfig("RMSprop", {"lr": 1e-3, "centered": True, "momentum": 0.5}),
}

SCHEDULES = {
    "StepLR": ScheduleConfig("StepLR", {"step_size": 2, "gamma": 0.5}),
    "MultiStepLR": ScheduleConfig("MultiStepLR", {"milestones": (1, 3), "gamma": 0.5}),
    "ExponentialLR": ScheduleConfig("ExponentialLR", {"gamma": 0.9}),
    "ConstantLR": ScheduleConfig("ConstantLR", {"factor": 0.5, "total_iters": 3}),
    "LinearLR": ScheduleConfig("LinearLR", {"start_factor": 0.5, "total_iters": 4}),
    "PolynomialLR": ScheduleConfig("PolynomialLR", {"total_iters": 20}),
    "CosineAnnealingLR": ScheduleConfig("CosineAnnealingLR", {"T_max": 5}),
    "CosineAnnealingWarmRestarts": ScheduleConfig("CosineAnnealingWarmRestarts", {"T_0": 3}),
    "CyclicLR": ScheduleConfig("CyclicLR", {"base_lr": 1e-4, "max_lr": 1e-2, "step_size_up": 3}),
    "OneCycleLR": ScheduleConfig("OneCycleLR", {"max_lr": 1e-2, "total_steps": 30}),
}


def with_optimizer(config: TD3Config, optimizer: OptimizerConfig) -> TD3Config:
    """The config with this optimizer for every network that has one."""
    names = ("actor_optimizer", "critic_optimizer", "actor_cnn_optimizer", "critic_cnn_optimizer")
    return replace(config, **{name: optimizer for name in names if getattr(config, name) is not None})


def with_normalization(config: TD3Config, normalization: str | None) -> TD3Config:
    """The config with this normalisation in both CNNs."""
    assert config.actor_cnn is not None
    assert config.critic_cnn is not None
    return replace(
        config,
        actor_cnn=replace(config.actor_cnn, normalization=normalization),
        critic_cnn=replace(config.critic_cnn, normalization=normalization),
    )


def batch(config: TD3Config, seed: int, size: int = 6) -> Batch:
    """Random transitions that fit the config."""
    generator = torch.Generator().manual_seed(seed)

    def observation() -> Any:
        parts = {}
        if config.image_shape is not None:
            image = torch.randint(0, 256, (size, *config.image_shape), generator=generator)
            parts["image"] = image.to(torch.uint8) if config.image_dtype == "uint8" else image / 255
        if config.vector_size:
            parts["vector"] = torch.randn(size, config.vector_size, generator=generator)
        return parts if config.use_dict_buffer else next(iter(parts.values()))

    action = torch.rand(size, config.action_size, generator=generator) * 2 - 1
    reward = torch.randn(size, 1, generator=generator)
    not_done = torch.randint(0, 2, (size, 1), generator=generator).to(torch.float32)
    return Batch(observation(), action * config.max_action, observation(), reward, not_done)


def observation(config: TD3Config, seed: int) -> Any:
    """One unbatched observation of arrays that fits the config."""
    observed = batch(config, seed, size=1).observation
    if isinstance(observed, dict):
        return {key: value[0].numpy() for key, value in observed.items()}
    return observed[0].numpy()


def learn(agent: TD3, steps: int, first: int = 0) -> TD3:
    """Update the agent on the batches numbered ``first`` to ``first + steps - 1``; returns the agent."""
    for number in range(first, first + steps):
        agent.update(batch(agent.config, number))
    return agent


def differences(one: TD3, other: TD3) -> list[str]:
    """Every leaf of state in which two agents differ, bit by bit, found without asking the agents."""
    return [str(difference) for difference in compare(take({"agent": one}), take({"agent": other}))]


def global_generators() -> tuple[Any, ...]:
    """The states of all global random generators, comparable with ``==``."""
    name, keys, position, has_gauss, cached = np.random.get_state()
    numpy_state = (name, np.asarray(keys).tobytes(), position, has_gauss, cached)
    return random.getstate(), numpy_state, torch.get_rng_state().numpy().tobytes()

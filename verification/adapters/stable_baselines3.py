# SPDX-License-Identifier: MIT
"""Stable-Baselines3's TD3, with its MlpPolicy, CnnPolicy and MultiInputPolicy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from stable_baselines3 import TD3
from stable_baselines3.common import logger, noise, type_aliases, utils, vec_env

from verification.environments import ToyEnv
from verification.strategies import (
    PLAIN_PARAMETERS,
    agent_configs,
    agent_variants,
    observations,
    transition_batches,
)

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

    from verification.strategies import AgentConfig, Transitions

_POLICIES = {"vector": "MlpPolicy", "image": "CnnPolicy", "dict": "MultiInputPolicy"}
_FEATURES = {"vector": {}, "image": {"features_dim": 8}, "dict": {"cnn_output_dim": 8}}
# A short warm-up, and a replay buffer that soon wraps around.
_SIZES = {"buffer_size": 16, "learning_starts": 2, "batch_size": 4}


class StableBaselines3:
    """TD3, saved and loaded as SB3's guide says, with the replay buffer and a new environment.

    Sources: "Examples: Advanced Saving and Loading" (``save``, ``save_replay_buffer``, ``load``,
    ``load_replay_buffer``) and "On saving and loading" (what the file holds). Training continues with
    ``learn(reset_num_timesteps=False)``: ``True`` would repeat the warm-up and the schedule.
    """

    name = "stable_baselines3"

    def configs(self) -> SearchStrategy[AgentConfig]:
        """Images of NatureCNN's smallest size. SB3 has one optimizer class for all networks: the actor's."""
        return agent_configs(
            **PLAIN_PARAMETERS,
            image_sizes=(36,),
            image_dtypes=("uint8",),
            optimizers=("Adam", "AdamW", "SGD", "RMSprop"),
            schedules=(None, "LinearLR"),
        )

    def variants(self, config: AgentConfig) -> SearchStrategy[AgentConfig]:
        """Other hyper-parameters; ``save`` stores all of them."""
        return agent_variants(config)

    def batches(self, config: AgentConfig) -> SearchStrategy[Transitions]:
        """Transitions, with actions as the environment takes them."""
        return transition_batches(config.observation_space, config.action_space)

    def observations(self, config: AgentConfig) -> SearchStrategy[Any]:
        """One observation."""
        return observations(config.observation_space)

    def build(self, config: AgentConfig, seed: int) -> TD3:
        """An agent that trains in a toy environment."""
        policy = _POLICIES[config.observation_kind]
        return TD3(policy, _environment(config), **_arguments(config), **_SIZES, device="cpu", seed=seed)

    def learn(self, agent: TD3, batch: Transitions) -> None:
        """One gradient step; ``batch`` stands in for what the replay buffer would have sampled."""
        before, after = (
            agent.policy.obs_to_tensor(observation)[0]
            for observation in (batch.observation, batch.next_observation)
        )
        rest = (agent.policy.scale_action(batch.action), batch.terminated, batch.reward)
        action, done, reward = map(torch.as_tensor, rest)
        samples = type_aliases.ReplayBufferSamples(before, action, after, done, reward)
        real, agent.replay_buffer = agent.replay_buffer, SimpleNamespace(sample=lambda *_, **__: samples)
        agent.set_logger(logger.Logger(folder=None, output_formats=[]))  # train() needs one
        agent.train(gradient_steps=1, batch_size=len(batch.action))
        agent.replay_buffer = real

    def act(self, agent: TD3, observation: Any) -> Any:
        """The action without noise."""
        return agent.predict(observation, deterministic=True)[0]

    def advance(self, agent: TD3, steps: int) -> None:
        """SB3's own loop, continued, with a logger that prints nothing."""
        agent.set_logger(logger.Logger(folder=None, output_formats=[]))
        agent.learn(steps, log_interval=None, reset_num_timesteps=False)

    def save(self, agent: TD3, path: Path) -> None:
        """The agent in one file, its replay buffer in another."""
        agent.save(path)
        agent.save_replay_buffer(f"{path}_replay_buffer")

    def load(self, agent: TD3, path: Path) -> TD3:
        """A new agent from both files; of the receiver, only the spaces are used."""
        agent = TD3.load(path, env=_environment(agent), device="cpu")
        agent.load_replay_buffer(f"{path}_replay_buffer")
        return agent


def _environment(owner: Any) -> vec_env.DummyVecEnv:
    return vec_env.DummyVecEnv([lambda: ToyEnv(owner.observation_space, owner.action_space)])


def _arguments(config: AgentConfig) -> dict[str, Any]:
    options = dict(config.actor_optimizer.options)
    lr = options.pop("lr")
    sigma = np.full(config.action_space.shape, config.exploration_noise)
    return {
        "learning_rate": lr if config.schedule is None else utils.LinearSchedule(lr, lr / 10, 1.0),
        "tau": config.tau,
        "gamma": config.discount,
        "policy_delay": config.policy_freq,
        "target_policy_noise": config.policy_noise,
        "target_noise_clip": config.noise_clip,
        "action_noise": noise.NormalActionNoise(np.zeros_like(sigma), sigma),
        "policy_kwargs": {
            "net_arch": {"pi": list(config.actor_hidden), "qf": list(config.critic_hidden)},
            "features_extractor_kwargs": dict(_FEATURES[config.observation_kind]),
            "optimizer_class": getattr(torch.optim, config.actor_optimizer.name),
            "optimizer_kwargs": options,
        },
    }

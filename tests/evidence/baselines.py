# SPDX-License-Identifier: MIT
"""Agents to compare with, of the same architecture: Stable-Baselines3's TD3, and one as CleanRL writes it."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
import stable_baselines3 as sb3
import torch
import torch.nn.functional as F  # noqa: N812
from stable_baselines3.common.buffers import DictReplayBuffer, ReplayBuffer
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.torch_layers import CombinedExtractor, NatureCNN
from torch import nn

from td3_core.config import image_sizes

if TYPE_CHECKING:
    from td3_core import TD3Config


def observation_space(config: TD3Config) -> gym.Space[Any]:
    """What an agent of this config observes."""
    parts: dict[str, gym.Space[Any]] = {}
    if config.image_shape is not None:
        parts["image"] = gym.spaces.Box(0, 255, config.image_shape, np.uint8)
    if config.vector_size:
        parts["vector"] = gym.spaces.Box(-np.inf, np.inf, (config.vector_size,), np.float32)
    return gym.spaces.Dict(parts) if len(parts) > 1 else next(iter(parts.values()))


class Spaces(gym.Env[Any, Any]):
    """An environment that is never stepped, because Stable-Baselines3 takes its spaces from one."""

    def __init__(self, config: TD3Config) -> None:
        self.observation_space = observation_space(config)
        bound = config.max_action
        self.action_space = gym.spaces.Box(-bound, bound, (config.action_size,), np.float32)


def stable_baselines3(config: TD3Config, env: gym.Env[Any, Any], **options: Any) -> sb3.TD3:
    """Its TD3 with the networks, optimizers and hyper-parameters of ``config``, as far as it has them.

    Its CNN is the one of Mnih et al. (2015); its optimizer of the critic also trains the critic's CNN.
    """
    policy: dict[str, Any] = {"net_arch": {"pi": [*config.actor_hidden], "qf": [*config.critic_hidden]}}
    kind = "MlpPolicy"
    if config.actor_cnn is not None:
        size = config.actor_cnn.features
        kind = "MultiInputPolicy" if config.use_dict_buffer else "CnnPolicy"
        policy["features_extractor_class"] = CombinedExtractor if config.use_dict_buffer else NatureCNN
        name = "cnn_output_dim" if config.use_dict_buffer else "features_dim"
        policy["features_extractor_kwargs"] = {name: size}
    agent = sb3.TD3(
        kind,
        env,
        learning_rate=config.actor_optimizer.options["lr"],
        gamma=config.discount,
        tau=config.tau,
        policy_delay=config.policy_freq,
        target_policy_noise=config.policy_noise,
        target_noise_clip=config.noise_clip,
        policy_kwargs=policy,
        device="cpu",
        **options,
    )
    agent.set_logger(Logger(folder=None, output_formats=[]))
    return agent


def cnn(config: TD3Config) -> nn.Module | None:
    """The layers of ``config.actor_cnn``, one after the other."""
    if config.actor_cnn is None or config.image_shape is None:
        return None
    layers: list[nn.Module] = []
    channels = config.image_shape[0]
    for layer in config.actor_cnn.layers:
        conv = nn.Conv2d(channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding)
        layers += [conv, nn.ReLU()]
        channels = layer.out_channels
    flat = int(np.prod(image_sizes(config.actor_cnn, config.image_shape)[-1]))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, config.actor_cnn.features), nn.ReLU())


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Encoder(nn.Module):
    """Observations to features: those of a CNN, a vector, or both."""

    def __init__(self, config: TD3Config) -> None:
        super().__init__()
        self.cnn = cnn(config)
        self.size = config.vector_size + (0 if config.actor_cnn is None else config.actor_cnn.features)

    def forward(self, observation: Any) -> torch.Tensor:
        if self.cnn is None:
            features: torch.Tensor = observation
        elif isinstance(observation, dict):
            features = torch.cat([self.cnn(observation["image"] / 255.0), observation["vector"]], 1)
        else:
            features = self.cnn(observation / 255.0)
        return features


class CleanRLStyle:
    """TD3 in one piece, with the networks and the replay buffer that CleanRL's scripts have.

    The two critics share an encoder, as in the agents that it is compared with; the actor's loss reads its
    features without a gradient.
    """

    def __init__(self, config: TD3Config, buffer: ReplayBuffer) -> None:
        self.config, self.buffer, self.updates = config, buffer, 0
        self.actor_encoder, self.critic_encoder = Encoder(config), Encoder(config)
        size = self.actor_encoder.size
        self.actor = nn.Sequential(mlp(size, *config.actor_hidden, config.action_size), nn.Tanh())
        self.qf1 = mlp(size + config.action_size, *config.critic_hidden, 1)
        self.qf2 = mlp(size + config.action_size, *config.critic_hidden, 1)
        self.scale, self.bias = torch.tensor(config.max_action), torch.tensor(0.0)
        self.online = nn.ModuleList([self.actor_encoder, self.critic_encoder, self.actor, self.qf1, self.qf2])
        self.target = deepcopy(self.online)
        lr = config.actor_optimizer.options["lr"]
        self.actor_optimizer = torch.optim.Adam(
            [*self.actor_encoder.parameters(), *self.actor.parameters()], lr
        )
        self.q_optimizer = torch.optim.Adam(
            [p for network in (self.critic_encoder, self.qf1, self.qf2) for p in network.parameters()], lr
        )

    def update(self, batch_size: int) -> None:
        """Sample a batch and take one training step."""
        data, config = self.buffer.sample(batch_size), self.config
        actor_encoder, critic_encoder, actor, qf1, qf2 = self.target
        with torch.no_grad():
            noise = (torch.randn_like(data.actions) * config.policy_noise).clamp(
                -config.noise_clip, config.noise_clip
            )
            following = data.next_observations
            actions = (actor(actor_encoder(following)) + noise).clamp(-1, 1)
            inputs = torch.cat([critic_encoder(following), actions], 1)
            value = data.rewards + (1 - data.dones) * config.discount * torch.min(qf1(inputs), qf2(inputs))
        inputs = torch.cat([self.critic_encoder(data.observations), data.actions], 1)
        loss = F.mse_loss(self.qf1(inputs), value) + F.mse_loss(self.qf2(inputs), value)
        self.q_optimizer.zero_grad()
        loss.backward()
        self.q_optimizer.step()
        self.updates += 1
        if self.updates % config.policy_freq:
            return
        with torch.no_grad():
            features = self.critic_encoder(data.observations)
        actions = self.actor(self.actor_encoder(data.observations))
        loss = -self.qf1(torch.cat([features, actions], 1)).mean()
        self.actor_optimizer.zero_grad()
        loss.backward()
        self.actor_optimizer.step()
        for online, target in zip(self.online.parameters(), self.target.parameters(), strict=True):
            target.data.copy_(config.tau * online.data + (1 - config.tau) * target.data)

    def act(self, observation: Any) -> Any:
        """The action for one observation."""
        with torch.no_grad():
            if isinstance(observation, dict):
                batch: Any = {key: torch.from_numpy(part)[None] for key, part in observation.items()}
            else:
                batch = torch.from_numpy(observation)[None]
            action: torch.Tensor = self.actor(self.actor_encoder(batch)) * self.scale + self.bias
            return action[0].numpy()


def replay_buffer(config: TD3Config, capacity: int) -> ReplayBuffer:
    """The replay buffer of Stable-Baselines3, of which CleanRL has a copy."""
    env = Spaces(config)
    kind = DictReplayBuffer if config.use_dict_buffer else ReplayBuffer
    return kind(capacity, env.observation_space, env.action_space, "cpu", handle_timeout_termination=False)

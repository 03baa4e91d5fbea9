# SPDX-License-Identifier: MIT
"""Three agents as people write them, each in another way, for ``verify init`` to be tried on."""

from __future__ import annotations

import collections
import copy
import random
from typing import Any

import numpy as np
import torch
from torch import nn


class Deterministic:
    """Updates on given transitions; saves and loads by path; sized by two numbers."""

    def __init__(self, state_dim: int, action_dim: int, max_action: float, lr: float = 1e-3) -> None:
        self.actor = nn.Sequential(nn.Linear(state_dim, 8), nn.Tanh(), nn.Linear(8, action_dim))
        self.critic = nn.Linear(state_dim + action_dim, 1)
        self.critic_target = copy.deepcopy(self.critic)
        self.optimizer = torch.optim.Adam([*self.actor.parameters(), *self.critic.parameters()], lr=lr)
        self.max_action = max_action

    def select_action(self, state: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return self.max_action * self.actor(state)

    def update(self, state: Any, action: Any, reward: Any, next_state: Any, done: Any) -> None:
        with torch.no_grad():
            following = torch.cat([next_state, self.actor(next_state)], 1)
            target = reward + (1 - done) * self.critic_target(following)
        loss = (self.critic(torch.cat([state, action], 1)) - target).square().mean()
        loss = loss - self.critic(torch.cat([state, self.actor(state)], 1)).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            for mine, theirs in zip(self.critic_target.parameters(), self.critic.parameters(), strict=True):
                mine.lerp_(theirs, 0.05)

    def save(self, filename: Any) -> None:
        names = ["actor", "critic", "critic_target", "optimizer"]
        torch.save({name: getattr(self, name).state_dict() for name in names}, filename)

    def load(self, filename: Any) -> None:
        for name, state in torch.load(filename, weights_only=True).items():
            getattr(self, name).load_state_dict(state)


class SmallDQN:
    """Chooses among actions of a numpy observation; samples its own memory; forgets its target when saved."""

    def __init__(
        self, obs_dim: int, n_actions: int, capacity: int, device: str = "cpu", seed: int = 0
    ) -> None:
        torch.manual_seed(seed)
        self.rng = random.Random(seed)
        self.device = device
        self.q = nn.Linear(obs_dim, n_actions)
        self.q_target = copy.deepcopy(self.q)
        self.optimizer = torch.optim.SGD(self.q.parameters(), lr=0.1, momentum=0.9)
        self.memory = collections.deque([torch.randn(obs_dim) for _ in range(8)], maxlen=capacity)

    def act(self, obs: np.ndarray[Any, Any]) -> int:
        assert isinstance(obs, np.ndarray)
        return int(self.q(torch.from_numpy(obs).float()).argmax())

    def train_step(self) -> float:
        seen = torch.stack(self.rng.sample(list(self.memory), 4))
        loss = (self.q(seen) - 0.9 * self.q_target(seen).detach().amax(1, keepdim=True) - 1).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.q_target.load_state_dict(
            {
                name: 0.5 * value + 0.5 * self.q.state_dict()[name]
                for name, value in self.q_target.state_dict().items()
            }
        )
        return float(loss.detach())

    def save_checkpoint(self, path: Any) -> None:
        torch.save(
            [self.q.state_dict(), self.optimizer.state_dict(), list(self.memory), self.rng.getstate()], path
        )

    def load_checkpoint(self, path: Any) -> None:
        q, optimizer, memory, state = torch.load(path)
        self.q.load_state_dict(q)
        self.q_target.load_state_dict(q)
        self.optimizer.load_state_dict(optimizer)
        self.memory = collections.deque(memory, maxlen=self.memory.maxlen)
        self.rng.setstate(state)


class Recurrent(nn.Module):
    """A module built of spaces, that is loaded by its class, and trains in its own environment."""

    def __init__(self, env: Any, observation_space: Any, action_space: Any) -> None:
        super().__init__()
        self.spaces = observation_space, action_space
        self.env = env
        self.cell = nn.Linear(observation_space.shape[0], action_space.shape[0])
        self.observation, _ = env.reset(seed=0)

    def get_action(self, observation: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return torch.tanh(self.cell(observation))

    def learn(self, total_timesteps: int) -> None:
        for _ in range(total_timesteps):
            action = torch.tanh(self.cell(torch.as_tensor(self.observation)))
            self.zero_grad()
            action.sum().backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                for one in self.cell.parameters():
                    one.sub_(0.01 * one.grad)
            self.observation, _, ended, cut, _ = self.env.step(action.detach().numpy())
            if ended or cut:
                self.observation, _ = self.env.reset()

    def save(self, path: Any) -> None:
        torch.save([self.spaces, self.state_dict()], path)

    @classmethod
    def load(cls, path: Any, env: Any = None) -> Recurrent:
        spaces, state = torch.load(path, weights_only=False)
        made = cls(env, *spaces)
        made.load_state_dict(state)
        return made

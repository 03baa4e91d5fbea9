# SPDX-License-Identifier: MIT
"""AgileRL's TD3, which learns from batches."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import hypothesis.strategies as st
import numpy as np
import torch
from agilerl.algorithms import TD3
from tensordict import TensorDict

from verification.strategies import observations, transition_batches

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

    from verification.strategies import Transitions

_OBSERVATIONS, _ACTIONS = gym.spaces.Box(-1, 1, (3,)), gym.spaces.Box(-1, 1, (2,))
_LAYERS = {"latent_dim": 8, "encoder_config": {"hidden_size": [6]}, "head_config": {"hidden_size": [6]}}
_ROWS = ("obs", "action", "reward", "next_obs", "done")


class AgileRL:
    """Saved with ``save_checkpoint`` and loaded with ``load``, as "Saving and loading agents" says."""

    name = "agilerl"

    def configs(self) -> SearchStrategy[dict[str, Any]]:
        """With and without a policy delay, an encoder that the critics share, and noise with a memory."""
        return st.fixed_dictionaries(
            {
                "policy_freq": st.integers(1, 3),
                "share_encoders": st.booleans(),
                "O_U_noise": st.booleans(),
                "tau": st.sampled_from([0.05, 0.5]),
            }
        )

    def batches(self, config: dict[str, Any]) -> SearchStrategy[Transitions]:
        """Transitions."""
        return transition_batches(_OBSERVATIONS, _ACTIONS, batch_sizes=(4,))

    def observations(self, config: dict[str, Any]) -> SearchStrategy[Any]:
        """One observation."""
        return observations(_OBSERVATIONS)

    def build(self, config: dict[str, Any], seed: int) -> Any:
        """The constructor draws from torch's and numpy's global generators."""
        torch.manual_seed(seed)
        np.random.seed(seed)
        return TD3(_OBSERVATIONS, _ACTIONS, net_config=copy.deepcopy(_LAYERS), batch_size=4, **config)

    def learn(self, agent: Any, batch: Transitions) -> None:
        """One step, as the training loop does it with what it has sampled."""
        rows = (batch.observation, batch.action, batch.reward, batch.next_observation, batch.terminated)
        tensors = {
            name: torch.tensor(row, dtype=torch.float32) for name, row in zip(_ROWS, rows, strict=True)
        }
        agent.learn(TensorDict(tensors, batch_size=[len(batch.reward)]))

    def act(self, agent: Any, observation: Any) -> Any:
        """Without noise."""
        return agent.get_action(np.asarray(observation)[None], training=False)

    def save(self, agent: Any, path: Path) -> None:
        """One file."""
        agent.save_checkpoint(str(path))

    def load(self, agent: Any, path: Path) -> Any:
        """Makes a new agent."""
        return type(agent).load(str(path))

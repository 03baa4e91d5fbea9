# SPDX-License-Identifier: MIT
"""xuance's TD3, which learns from batches."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import hypothesis.strategies as st
import torch
from xuance import get_arguments
from xuance.torch.agents import TD3_Agent

from verification.strategies import observations, transition_batches

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

    from verification.strategies import Transitions

_OBSERVATIONS, _ACTIONS = gym.spaces.Box(-1, 1, (3,)), gym.spaces.Box(-1, 1, (2,))
#: What is smaller than in the library's own options for TD3 on Pendulum.
_SMALL = {
    "actor_hidden_size": [5],
    "critic_hidden_size": [5],
    "batch_size": 4,
    "buffer_size": 16,
    "parallels": 1,
    "running_steps": 400,
    "start_training": 1,
    "training_frequency": 1,
}
_FILE = "final_train_model.pth"


class XuanCe:
    """Saved with ``save_model`` and loaded with ``load_model``, as the documentation says."""

    name = "xuance"

    def configs(self) -> SearchStrategy[dict[str, Any]]:
        """With and without a policy delay and learning rates that fall."""
        return st.fixed_dictionaries(
            {
                "actor_update_delay": st.integers(1, 3),
                "end_factor_lr_decay": st.sampled_from([1.0, 0.25]),
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
        """An agent without an environment, whose log goes with it."""
        folder = tempfile.TemporaryDirectory()
        places = {"log_dir": f"{folder.name}/logs/", "model_dir": f"{folder.name}/models/"}
        options = vars(get_arguments("td3", "classic_control", "Pendulum-v1")) | _SMALL | places
        agent = TD3_Agent(Namespace(**options | config | {"seed": seed}), None, _OBSERVATIONS, _ACTIONS)
        agent.folder = folder
        return agent

    def learn(self, agent: Any, batch: Transitions) -> None:
        """One step, as the agent does it with what it has sampled."""
        agent.learner.update(
            obs=batch.observation,
            actions=batch.action,
            rewards=batch.reward[:, 0],
            obs_next=batch.next_observation,
            terminals=batch.terminated[:, 0],
        )

    def act(self, agent: Any, observation: Any) -> Any:
        """Without noise."""
        return agent.get_actions(torch.as_tensor(observation)[None], test_mode=True)["actions"]

    def save(self, agent: Any, path: Path) -> None:
        """A folder."""
        agent.save_model(_FILE, str(path))

    def load(self, agent: Any, path: Path) -> Any:
        """In place."""
        agent.load_model(str(path), _FILE)
        return agent

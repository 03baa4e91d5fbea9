# SPDX-License-Identifier: MIT
"""PPO of rsl_rl, in its runner, with normalised observations and random network distillation."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium as gym
import hypothesis.strategies as st
import torch
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

from verification.environments import ToyEnv
from verification.strategies import observations, transition_batches

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

    from verification.strategies import Transitions

_OBSERVATIONS, _ACTIONS = gym.spaces.Box(-1, 1, (3,)), gym.spaces.Box(-1, 1, (2,))
_ROLLOUT = 4
_WEIGHTS = (
    None,
    {"mode": "step", "final_step": 10, "final_value": 0.1},
    {"mode": "linear", "initial_step": 0, "final_step": 40, "final_value": 0.0},
)


class RslRl:
    """Saved and loaded with the runner, as rsl_rl's guide and the training scripts of Isaac Lab do.

    An environment is a simulator's, which nobody saves, so each rollout has one of its own.
    """

    name = "rsl_rl"
    volatile: ClassVar[dict[str, str]] = {
        "agent.env*": "each rollout has an environment of its own",
        "agent.logger*": "sums and clocks that are printed",
    }

    def configs(self) -> SearchStrategy[dict[str, Any]]:
        """Adaptive and fixed learning rates, and curiosity."""
        curiosity = st.fixed_dictionaries(
            {
                "weight_schedule": st.sampled_from(_WEIGHTS),
                "reward_normalization": st.sampled_from([True, False]),
            }
        )
        return st.fixed_dictionaries(
            {
                "hidden": st.integers(3, 6),
                "obs_normalization": st.booleans(),
                "schedule": st.sampled_from(["adaptive", "fixed"]),
                "rnd": curiosity,
            }
        )

    def batches(self, config: dict[str, Any]) -> SearchStrategy[Transitions]:
        """The transitions of a rollout."""
        return transition_batches(_OBSERVATIONS, _ACTIONS, batch_sizes=(_ROLLOUT,))

    def observations(self, config: dict[str, Any]) -> SearchStrategy[Any]:
        """One observation."""
        return observations(_OBSERVATIONS)

    def build(self, config: dict[str, Any], seed: int) -> OnPolicyRunner:
        """A runner that writes no logs."""
        torch.manual_seed(seed)
        model = {
            "class_name": "MLPModel",
            "hidden_dims": [config["hidden"]],
            "obs_normalization": config["obs_normalization"],
        }
        normal = {"class_name": "GaussianDistribution", "init_std": 1.0}
        algorithm = {"class_name": "PPO", "num_learning_epochs": 2, "num_mini_batches": 2}
        algorithm["schedule"] = config["schedule"]
        if config["rnd"] is not None:  # it holds most state, so that all agents that are drawn have it
            sizes = {"num_outputs": 2, "predictor_hidden_dims": [3], "target_hidden_dims": [3]}
            algorithm["rnd_cfg"] = {**sizes, **config["rnd"], "weight": 1.0, "state_normalization": True}
        train = {
            "num_steps_per_env": _ROLLOUT,
            "save_interval": 10**9,
            "obs_groups": {name: ["policy"] for name in ("actor", "critic", "rnd_state")},
            "actor": {**model, "distribution_cfg": normal},
            "critic": model,
            "algorithm": algorithm,
        }
        with contextlib.redirect_stdout(io.StringIO()):  # it prints its networks
            return OnPolicyRunner(_Simulator(0), train, log_dir=None, device="cpu")

    def learn(self, agent: OnPolicyRunner, batch: Transitions) -> None:
        """One iteration, on a rollout in which ``batch`` is what the environment answers."""
        agent.env = _Recorded(batch)
        agent.learn(1)

    def act(self, agent: OnPolicyRunner, observation: Any) -> torch.Tensor:
        """The mean action."""
        with torch.no_grad():
            action: torch.Tensor = agent.get_inference_policy()(_seen(observation))
        return action

    def advance(self, agent: OnPolicyRunner, steps: int) -> None:
        """The library's loop, in an environment that the saved count of iterations decides."""
        for _ in range(steps):
            agent.env = _Simulator(agent.current_learning_iteration)
            agent.learn(1)
            agent.current_learning_iteration += 1  # where the next call goes on, as in one call of several

    def save(self, agent: OnPolicyRunner, path: Path) -> None:
        """One file."""
        agent.save(str(path))

    def load(self, agent: OnPolicyRunner, path: Path) -> OnPolicyRunner:
        """Into the receiver."""
        agent.load(str(path))
        return agent


class _Environment(VecEnv):  # type: ignore[misc]
    """One environment that never runs out of time."""

    num_envs, num_actions, max_episode_length = 1, 2, 100
    device, step_dt = "cpu", 1.0

    def __init__(self) -> None:
        self.cfg: dict[str, Any] = {}
        self.episode_length_buf = torch.zeros(1, dtype=torch.long)

    @property
    def unwrapped(self) -> _Environment:
        return self


class _Recorded(_Environment):
    """Answers with the rows of a batch, whatever is done."""

    def __init__(self, batch: Transitions) -> None:
        super().__init__()
        self.batch, self.row = batch, 0

    def get_observations(self) -> TensorDict:
        return _seen(self.batch.observation[self.row])

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        reward, ended = self.batch.reward[self.row], self.batch.terminated[self.row]
        seen = _seen(self.batch.next_observation[self.row])
        self.row = min(self.row + 1, _ROLLOUT - 1)
        return seen, torch.as_tensor(reward), torch.as_tensor(ended), {}


class _Simulator(_Environment):
    """The toy environment."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.toy = ToyEnv(_OBSERVATIONS, _ACTIONS)
        self.seen = self.toy.reset(seed=seed)[0]

    def get_observations(self) -> TensorDict:
        return _seen(self.seen)

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        self.seen, reward, terminated, truncated, _ = self.toy.step(actions[0].numpy())
        ended = terminated or truncated
        if ended:
            self.seen, _ = self.toy.reset()
        done = torch.tensor([float(ended)])
        return self.get_observations(), torch.tensor([reward], dtype=torch.float32), done, {}


def _seen(observation: Any) -> TensorDict:
    return TensorDict({"policy": torch.as_tensor(observation)[None]}, [1])

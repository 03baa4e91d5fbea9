# SPDX-License-Identifier: MIT
"""TD3, SAC and PPO of skrl, with the models that skrl makes of a description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import hypothesis.strategies as st
import torch
from skrl.agents.torch import ppo, sac, td3
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.resources.noises.torch import GaussianNoise, OrnsteinUhlenbeckNoise
from skrl.resources.preprocessors.torch import RunningStandardScaler
from skrl.resources.schedulers.torch import KLAdaptiveLR
from skrl.trainers.torch import SequentialTrainer
from skrl.utils.model_instantiators import torch as models

from verification.environments import ToyEnv
from verification.strategies import observations, transition_batches

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

    from verification.strategies import Transitions

_OBSERVATIONS, _ACTIONS = gym.spaces.Box(-1, 1, (3,)), gym.spaces.Box(-1, 1, (2,))
_SPACES: dict[str, Any] = {"observation_space": _OBSERVATIONS, "action_space": _ACTIONS, "device": "cpu"}
_PAIR = "concatenate([OBSERVATIONS, ACTIONS])"
_ROWS = 4
# Neither TensorBoard nor checkpoints at intervals.
_QUIET = {"write_interval": 0, "checkpoint_interval": 0}
# Classes with the arguments that skrl makes them with.
_STEP_LR = (torch.optim.lr_scheduler.StepLR, {"step_size": 2, "gamma": 0.5})
_GAUSSIAN = (GaussianNoise, {"mean": 0.0, "std": 0.2})
_CORRELATED = (OrnsteinUhlenbeckNoise, {"theta": 0.1, "sigma": 0.2, "base_scale": 0.5})
_SCALER = (RunningStandardScaler, {"size": _OBSERVATIONS, "device": "cpu"})
_VALUE_SCALER = (RunningStandardScaler, {"size": 1, "device": "cpu"})


@dataclass(frozen=True)
class SkrlConfig:
    """The hidden units of each network, and an agent's options: a class stands with its arguments."""

    hidden: int
    options: dict[str, Any]


class _Algorithm:
    """Saved with ``agent.save`` and loaded with ``agent.load``, as "Saving, loading and logging" says.

    A trainer begins with a reset of the environment and counts from zero, so each call of ``advance`` has an
    environment of its own.
    """

    algorithm: Any
    memory_size = 8

    @property
    def name(self) -> str:
        """As on the command line."""
        return f"skrl_{type(self).__name__.lower()}"

    def options(self) -> dict[str, SearchStrategy[Any]]:
        """Options that hold state."""
        raise NotImplementedError

    def models(self, hidden: int) -> dict[str, Any]:
        """Networks by their roles."""
        raise NotImplementedError

    def configs(self) -> SearchStrategy[SkrlConfig]:
        """Sizes, schedules and scalers."""
        options = {
            "learning_rate_scheduler": st.sampled_from([None, _STEP_LR]),
            "observation_preprocessor": st.sampled_from([None, _SCALER]),
            **self.options(),
        }
        return st.builds(SkrlConfig, st.integers(3, 6), st.fixed_dictionaries(options))

    def batches(self, config: SkrlConfig) -> SearchStrategy[Transitions]:
        """Transitions."""
        return transition_batches(_OBSERVATIONS, _ACTIONS, batch_sizes=(_ROWS,))

    def observations(self, config: SkrlConfig) -> SearchStrategy[Any]:
        """One observation."""
        return observations(_OBSERVATIONS)

    def build(self, config: SkrlConfig, seed: int) -> Any:
        """An agent that is ready to train."""
        torch.manual_seed(seed)
        options: dict[str, Any] = {**config.options, "experiment": dict(_QUIET)}
        for name, value in config.options.items():
            if isinstance(value, tuple):
                options[name], options[f"{name}_kwargs"] = value[0], dict(value[1])
        memory = RandomMemory(memory_size=self.memory_size, device="cpu")
        networks = self.models(config.hidden)
        for role, network in networks.items():
            network.init_state_dict(role=role)  # its layers are lazy
        agent = self.algorithm(models=networks, memory=memory, cfg=options, **_SPACES)
        agent.init()
        agent.enable_training_mode(True)
        return agent

    def learn(self, agent: Any, batch: Transitions) -> None:
        """One update on ``batch``, which stands in for what the memory would have sampled."""
        real, agent.memory = agent.memory, _Sampled(_rows(batch))
        agent.enable_models_training_mode(True)
        agent.update(timestep=0, timesteps=1)
        agent.enable_models_training_mode(False)
        agent.memory = real

    def act(self, agent: Any, observation: Any) -> Any:
        """The action without noise."""
        seen = agent._observation_preprocessor(torch.as_tensor(observation)[None])  # noqa: SLF001
        with torch.no_grad():
            actions, outputs = agent.policy.act({"observations": seen}, role="policy")
        return outputs.get("mean_actions", actions)

    def advance(self, agent: Any, steps: int) -> None:
        """The library's trainer."""
        env = ToyEnv(_OBSERVATIONS, _ACTIONS)
        env.reset(seed=0)
        cfg = {"timesteps": steps, "disable_progressbar": True, "headless": True}
        SequentialTrainer(cfg=cfg, env=wrap_env(env, verbose=False), agents=agent).train()

    def save(self, agent: Any, path: Path) -> None:
        """One file."""
        path.mkdir()
        agent.save(str(path / "agent.pt"))

    def load(self, agent: Any, path: Path) -> Any:
        """Into the receiver."""
        agent.load(str(path / "agent.pt"))
        return agent


class _Sampled:
    """In a memory's place: always the same rows."""

    def __init__(self, rows: dict[str, Any]) -> None:
        self.rows = rows

    def sample(self, names: list[str], **_: Any) -> list[list[Any]]:
        return [[self.rows[name] for name in names]]


class _OffPolicy(_Algorithm):
    """What TD3 and SAC have in common."""

    def options(self) -> dict[str, SearchStrategy[Any]]:
        """Batches as large as a program's."""
        return {"batch_size": st.just(_ROWS), "learning_starts": st.just(2), "random_timesteps": st.just(1)}

    def models(self, hidden: int) -> dict[str, Any]:
        """Two critics with a target each."""
        roles = ("critic_1", "critic_2", "target_critic_1", "target_critic_2")
        return {role: _deterministic(_PAIR, hidden, "ONE") for role in roles}

    def save(self, agent: Any, path: Path) -> None:
        """The memory besides, in a file whose name skrl makes up."""
        super().save(agent, path)
        agent.memory.save(str(path))

    def load(self, agent: Any, path: Path) -> Any:
        """Both into the receiver."""
        agent.memory.load(str(next((path / "memories").iterdir())))
        return super().load(agent, path)


class TD3(_OffPolicy):
    """Twin delayed DDPG, with exploration that may be correlated in time."""

    algorithm: Any = td3.TD3

    def options(self) -> dict[str, SearchStrategy[Any]]:
        """The policy delay, and noise."""
        return {
            **super().options(),
            "policy_delay": st.integers(1, 3),
            "smooth_regularization_noise": st.just(_GAUSSIAN),
            "exploration_noise": st.sampled_from([_GAUSSIAN, _CORRELATED]),
        }

    def models(self, hidden: int) -> dict[str, Any]:
        """A policy with a target, besides."""
        policies = {
            role: _deterministic("OBSERVATIONS", hidden, "ACTIONS") for role in ("policy", "target_policy")
        }
        return {**policies, **super().models(hidden)}


class SAC(_OffPolicy):
    """Soft actor-critic, with a fixed or a learned temperature."""

    algorithm: Any = sac.SAC

    def options(self) -> dict[str, SearchStrategy[Any]]:
        """The temperature."""
        return {**super().options(), "learn_entropy": st.booleans()}

    def models(self, hidden: int) -> dict[str, Any]:
        """A stochastic policy, besides."""
        return {"policy": _gaussian(hidden), **super().models(hidden)}


class PPO(_Algorithm):
    """Proximal policy optimisation, on rollouts as long as a batch."""

    algorithm: Any = ppo.PPO
    memory_size = _ROWS

    def options(self) -> dict[str, SearchStrategy[Any]]:
        """Short rollouts, and a scaler for values."""
        return {
            "rollouts": st.just(_ROWS),
            "learning_epochs": st.integers(1, 2),
            "learning_rate_scheduler": st.sampled_from([None, (KLAdaptiveLR, {}), _STEP_LR]),
            "value_preprocessor": st.just(_VALUE_SCALER),
        }

    def models(self, hidden: int) -> dict[str, Any]:
        """A policy and its values."""
        return {"policy": _gaussian(hidden), "value": _deterministic("OBSERVATIONS", hidden, "ONE")}

    def learn(self, agent: Any, batch: Transitions) -> None:
        """One update on a rollout in which the policy acted on the batch's observations."""
        for index in range(_ROWS):
            row = _rows(batch, slice(index, index + 1))
            with torch.no_grad():
                row["actions"], _ = agent.act(row["observations"], None, timestep=index, timesteps=_ROWS)
                agent.record_transition(**row, infos={}, timestep=index, timesteps=_ROWS)
            agent.post_interaction(timestep=index, timesteps=_ROWS)

    def advance(self, agent: Any, steps: int) -> None:
        """Whole rollouts, as a checkpoint does not hold one that is begun."""
        super().advance(agent, steps * _ROWS)


def _rows(batch: Transitions, which: slice = slice(None)) -> dict[str, torch.Tensor | None]:
    """Rows of a batch under skrl's names; a state is what only a simulator knows."""
    terminated = torch.as_tensor(batch.terminated[which]) > 0
    return {
        "observations": torch.as_tensor(batch.observation[which]),
        "states": None,
        "actions": torch.as_tensor(batch.action[which]),
        "rewards": torch.as_tensor(batch.reward[which]),
        "next_observations": torch.as_tensor(batch.next_observation[which]),
        "next_states": None,
        "terminated": terminated,
        "truncated": torch.zeros_like(terminated),
    }


def _network(inputs: str, hidden: int) -> dict[str, Any]:
    return {"network": [{"name": "net", "input": inputs, "layers": [hidden], "activations": "relu"}]}


def _deterministic(inputs: str, hidden: int, output: str) -> Any:
    return models.deterministic_model(**_SPACES, **_network(inputs, hidden), output=output)


def _gaussian(hidden: int) -> Any:
    return models.gaussian_model(**_SPACES, **_network("OBSERVATIONS", hidden), output="ACTIONS")

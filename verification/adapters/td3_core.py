# SPDX-License-Identifier: MIT
"""This project's own TD3, driven through its training run, so that resuming covers replay and episode."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, ClassVar

import hypothesis.strategies as st
import torch

from td3_core import TD3, TD3Config
from td3_core.config import CNNConfig, ConvLayer, OptimizerConfig, ScheduleConfig
from td3_core.optimizers import OPTIMIZER_OPTIONS, SCHEDULE_OPTIONS
from td3_core.replay import Batch
from td3_core.training.environments import spaces_of
from td3_core.training.run import TrainingRun
from verification.environments import ToyEnv
from verification.strategies import (
    PLAIN_PARAMETERS,
    agent_configs,
    agent_variants,
    lay_out,
    observations,
    transition_batches,
)
from verification.strategies.configs import NUMBERS, POLICY_FREQS
from verification.strategies.schedules import SCHEDULES

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

    from verification.strategies import CNN, AgentConfig, OptimizerSpec, Transitions

_NUMBERS = ("discount", "tau", "policy_noise", "noise_clip", "policy_freq", "exploration_noise")
_BOUNDS: dict[str, Any] = {
    **PLAIN_PARAMETERS,
    "normalizations": (None, "batch", "layer", "group", "batch"),  # the one that has a state of its own
    "dilations": (1,),
    "conv_groups": (1,),
    "poolings": (None,),
    "frozen": (False, True),
    "memories": ("contiguous", "channels_last", "transposed"),
    "optimizers": tuple(OPTIMIZER_OPTIONS),
    "schedules": (None, *(name for name in SCHEDULES if name in SCHEDULE_OPTIONS)),
}
_SHARED = ("actor_hidden", "critic_hidden", *_NUMBERS)


class TD3Core:
    """``td3_core.TD3`` in a ``TrainingRun``: one file holds the agent and the run."""

    name = "td3_core"
    agent_class: ClassVar[type[TD3]] = TD3
    volatile: ClassVar[dict[str, str]] = {
        "run.env": "led back to its place by playing the episode again; what it answers is compared",
        "run.episode._env": "as run.env",
    }

    def configs(self) -> SearchStrategy[AgentConfig]:
        """What the strategies offer, but for what ``TD3Config`` has no word for."""
        return agent_configs(**_BOUNDS)

    def variants(self, config: AgentConfig) -> SearchStrategy[AgentConfig]:
        """Other hyper-parameters: all of them are in the checkpoint."""
        return agent_variants(config)

    def batches(self, config: AgentConfig) -> SearchStrategy[Transitions]:
        """Transitions of the config's spaces."""
        return transition_batches(config.observation_space, config.action_space)

    def observations(self, config: AgentConfig) -> SearchStrategy[Any]:
        """One observation."""
        return observations(config.observation_space)

    def build(self, config: AgentConfig, seed: int) -> TrainingRun:
        """A run in a toy environment, with a replay buffer that soon wraps around."""
        env = ToyEnv(config.observation_space, config.action_space)
        agent = self.agent_class(_td3_config(config, env), seed)
        for name, network in vars(agent).items():
            if isinstance(network, torch.nn.Module):
                lay_out(network, config.treatment.memory)
                if config.treatment.frozen and name == ("critic_cnn" if agent.critic_cnn else "critic"):
                    next(network.parameters()).requires_grad_(False)
        return TrainingRun(agent, env, capacity=7, batch_size=4, learning_starts=2, seed=seed)

    def learn(self, agent: TrainingRun, batch: Transitions) -> None:
        """One update."""
        agent.agent.update(
            Batch(
                _tensors(batch.observation),
                torch.from_numpy(batch.action),
                _tensors(batch.next_observation),
                torch.from_numpy(batch.reward),
                1 - torch.from_numpy(batch.terminated),
            )
        )

    def act(self, agent: TrainingRun, observation: Any) -> Any:
        """The action without noise."""
        return agent.agent.select_action(observation)

    def advance(self, agent: TrainingRun, steps: int) -> None:
        """The training loop of ``td3-train``."""
        agent.run(steps)

    def operations(self, config: AgentConfig) -> SearchStrategy[tuple[Any, ...]]:
        """Set a hyper-parameter, a learning rate or the counter; switch a module's mode; freeze a layer."""
        return _OPERATIONS["vector" if config.actor_cnn is None else "image"]

    def operate(self, agent: TrainingRun, operation: tuple[Any, ...]) -> None:
        """The operation's name, its place where there are several, and the value."""
        match operation:
            case "lr", name, value:
                for group in getattr(agent.agent, f"{name}_optimizer").param_groups:
                    group["lr"] = value
            case "train", name, mode:
                getattr(agent.agent, name).train(mode)
            case "requires_grad", name, flag:
                operator.attrgetter(name)(agent.agent)[0].requires_grad_(flag)
            case name, value:
                setattr(agent.agent, name, value)

    def save(self, agent: TrainingRun, path: Path) -> None:
        """One file."""
        agent.save(path)

    def load(self, agent: TrainingRun, path: Path) -> TrainingRun:
        """Into the receiver."""
        agent.load(path)
        return agent

    def state(self, agent: TrainingRun) -> dict[str, object]:
        """The agent and the run around it."""
        return {"agent": agent.agent, "run": agent}


def _operations(networks: tuple[str, ...]) -> SearchStrategy[tuple[Any, ...]]:
    """Operations on an agent that has these networks."""
    numbers = {**NUMBERS, "policy_freq": POLICY_FREQS}
    # A critic's first layer is that of one of its two networks.
    layers = tuple("critic.q1" if name == "critic" else name for name in networks)
    everywhere = networks + tuple(f"{name}_target" for name in networks)
    return st.one_of(
        st.sampled_from([("total_it", 2**24 + 1), ("total_it", 0)]),
        st.sampled_from([(name, value) for name, values in numbers.items() for value in values]),
        st.tuples(st.just("lr"), st.sampled_from(networks), st.sampled_from((1e-4, 1e-3))),
        st.tuples(st.just("train"), st.sampled_from(everywhere), st.booleans()),
        st.tuples(st.just("requires_grad"), st.sampled_from(layers), st.booleans()),
    )


_OPERATIONS = {
    "vector": _operations(("actor", "critic")),
    "image": _operations(("actor", "critic", "actor_cnn", "critic_cnn")),
}


def _td3_config(config: AgentConfig, env: ToyEnv) -> TD3Config:
    names = ("actor_optimizer", "critic_optimizer", "actor_cnn_optimizer", "critic_cnn_optimizer")
    fields: dict[str, Any] = spaces_of(env)
    fields |= {name: getattr(config, name) for name in _SHARED}
    fields |= {name: _optimizer(getattr(config, name), config) for name in names}
    fields["channels_last"] = _is_fast(config) and config.actor_cnn is not None
    return TD3Config(**fields, actor_cnn=_cnn(config.actor_cnn), critic_cnn=_cnn(config.critic_cnn))


def _is_fast(config: AgentConfig) -> bool:
    """Whether the agent is laid out and optimized for speed, as presets are."""
    return config.treatment.memory == "channels_last"


def _cnn(cnn: CNN | None) -> CNNConfig | None:
    if cnn is None:
        return None
    sizes = ("out_channels", "kernel_size", "stride", "padding")
    layers = tuple(ConvLayer(*(getattr(layer, name) for name in sizes)) for layer in cnn.layers)
    return CNNConfig(layers, cnn.features, cnn.activation, cnn.normalization)


def _optimizer(spec: OptimizerSpec | None, config: AgentConfig) -> OptimizerConfig | None:
    if spec is None:
        return None
    schedule = None
    if config.schedule is not None:
        schedule = ScheduleConfig(config.schedule.name, dict(config.schedule.options))
    options = dict(spec.options)
    if _is_fast(config) and "fused" in OPTIMIZER_OPTIONS[spec.name]:
        options.pop("foreach", None)
        options["fused"] = True
    return OptimizerConfig(spec.name, options, schedule)


def _tensors(observation: Any) -> Any:
    if isinstance(observation, dict):
        return {key: torch.from_numpy(value) for key, value in observation.items()}
    return torch.from_numpy(observation)

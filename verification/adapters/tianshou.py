# SPDX-License-Identifier: MIT
"""Tianshou 2's TD3 on vectors, with the networks that tianshou provides."""

from __future__ import annotations

import pickle
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from tianshou import data, env, exploration, trainer
from tianshou.algorithm import optim
from tianshou.algorithm.modelfree import ddpg, td3
from tianshou.utils import torch_utils
from tianshou.utils.net import common, continuous

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

    from verification.strategies import AgentConfig, OptimizerSpec, Transitions

# One environment step and one update an epoch, so that a run can be interrupted after each of them.
_EPOCHS = {"epoch_num_steps": 1, "collection_step_num_env_steps": 1, "batch_size": 4}
# Those that a factory makes of an optimizer and options, and that step without a metric.
_SCHEDULES = (
    *(None, "StepLR", "MultiStepLR", "ExponentialLR", "ConstantLR", "LinearLR", "PolynomialLR"),
    *("CosineAnnealingLR", "CosineAnnealingWarmRestarts"),
)
_QUIET = {"verbose": False, "show_progress": False}


class Tianshou:
    """TD3, saved and loaded as tianshou's user guide and its resumable examples say.

    Sources: "Core Abstractions: Learning Orchestration" (``state_dict`` and ``load_state_dict`` are for
    networks, optimizers and schedules) and "Core Abstractions: Buffer" (pickle); both together in
    ``test/discrete/test_c51.py``, which resumes. Other hyper-parameters stay the caller's business.

    The agent is an algorithm with the collector that feeds it, and a trainer once closed-loop training has
    begun. A trainer is no root: it has numbers for logs and stopping, which ``resume_from_log`` is for.
    """

    name = "tianshou"
    volatile: ClassVar[dict[str, str]] = {
        "agent._last": "the last actor loss, reported again by updates without an actor step",
        "collector.collect_*": "totals and clock for a run's statistics; every new run sets them to zero",
    }

    def configs(self) -> SearchStrategy[AgentConfig]:
        """Vectors: for images and dicts tianshou's users write networks of their own."""
        return agent_configs(
            **PLAIN_PARAMETERS,
            observation_kinds=("vector",),
            optimizers=("Adam", "AdamW", "SGD", "RMSprop"),
            schedules=_SCHEDULES,
        )

    def variants(self, config: AgentConfig) -> SearchStrategy[AgentConfig]:
        """Other options of the optimizers, the only hyper-parameters that ``state_dict`` has."""
        return agent_variants(config, hyper_parameters=("optimizers",))

    def batches(self, config: AgentConfig) -> SearchStrategy[Transitions]:
        """Transitions, with actions as the environment takes them."""
        return transition_batches(config.observation_space, config.action_space)

    def observations(self, config: AgentConfig) -> SearchStrategy[Any]:
        """One observation."""
        return observations(config.observation_space)

    def build(self, config: AgentConfig, seed: int) -> SimpleNamespace:
        """An algorithm, seeded as in tianshou's examples, and a replay buffer that soon wraps around."""
        np.random.seed(seed)
        torch.manual_seed(seed)
        algorithm = _td3(config)
        collector = _collector(algorithm.policy, data.VectorReplayBuffer(16, buffer_num=1))
        return SimpleNamespace(algorithm=algorithm, collector=collector, trainer=None)

    def learn(self, agent: SimpleNamespace, batch: Transitions) -> None:
        """One update on a buffer that holds just ``batch``; a sample size of 0 takes all of it in order."""
        policy, ended = agent.algorithm.policy, batch.terminated[:, 0] > 0
        buffer = data.ReplayBuffer.from_data(
            obs=batch.observation,
            act=policy.map_action_inverse(batch.action),
            rew=batch.reward[:, 0].astype(np.float64),
            terminated=ended,
            truncated=np.zeros_like(ended),
            done=ended,
            obs_next=batch.next_observation,
        )
        with torch_utils.policy_within_training_step(policy):
            agent.algorithm.update(buffer=buffer, sample_size=0)

    def act(self, agent: SimpleNamespace, observation: Any) -> Any:
        """The action without noise, in eval mode as when a collector acts."""
        with torch.no_grad(), torch_utils.torch_train_mode(agent.algorithm.policy, enabled=False):
            return agent.algorithm.policy.compute_action(observation)

    def advance(self, agent: SimpleNamespace, steps: int) -> None:
        """Epochs of tianshou's own trainer; like ``run_training``, it begins with a reset."""
        if agent.trainer is None:
            agent.collector.env.seed(np.random.randint(2**31))
            params = trainer.OffPolicyTrainerParams(training_collector=agent.collector, **_EPOCHS, **_QUIET)
            agent.trainer = agent.algorithm.create_trainer(params)
            agent.trainer.reset()
        for _ in range(steps):
            agent.trainer.execute_epoch()

    def state(self, agent: SimpleNamespace) -> dict[str, object]:
        """What learns, and what collects: buffer, environment and the observation to act on next."""
        return {"agent": agent.algorithm, "collector": agent.collector}

    def save(self, agent: SimpleNamespace, path: Path) -> None:
        """The algorithm's state dict in one file, the pickled buffer in another."""
        torch.save(agent.algorithm.state_dict(), path)
        path.with_suffix(".buffer").write_bytes(pickle.dumps(agent.collector.buffer))

    def load(self, agent: SimpleNamespace, path: Path) -> SimpleNamespace:
        """The state dict into the receiver's algorithm, the buffer into a new collector."""
        agent.algorithm.load_state_dict(torch.load(path))
        buffer = pickle.loads(path.with_suffix(".buffer").read_bytes())  # noqa: S301 (it is our own file)
        collector = _collector(agent.algorithm.policy, buffer)
        return SimpleNamespace(algorithm=agent.algorithm, collector=collector, trainer=None)


def _collector(policy: Any, buffer: Any) -> Any:
    toy = partial(ToyEnv, policy.observation_space, policy.action_space)
    return data.Collector(policy, env.DummyVectorEnv([toy]), buffer, exploration_noise=True)


def _td3(config: AgentConfig) -> Any:
    state, action = config.observation_space.shape, config.action_space.shape
    actor_net = common.Net(state_shape=state, hidden_sizes=config.actor_hidden)
    critic_net = partial(common.Net, state_shape=state, action_shape=action, concat=True)
    critics = [critic_net(hidden_sizes=config.critic_hidden) for _ in range(2)]
    policy = ddpg.ContinuousDeterministicPolicy(
        actor=continuous.ContinuousActorDeterministic(preprocess_net=actor_net, action_shape=action),
        exploration_noise=exploration.GaussianNoise(sigma=config.exploration_noise),
        observation_space=config.observation_space,
        action_space=config.action_space,
    )
    return td3.TD3(
        policy=policy,
        policy_optim=_optimizer(config.actor_optimizer, config),
        critic=continuous.ContinuousCritic(preprocess_net=critics[0]),
        critic2=continuous.ContinuousCritic(preprocess_net=critics[1]),
        critic_optim=_optimizer(config.critic_optimizer, config),
        tau=config.tau,
        gamma=config.discount,
        policy_noise=config.policy_noise,
        noise_clip=config.noise_clip,
        update_actor_freq=config.policy_freq,
    )


def _optimizer(spec: OptimizerSpec, config: AgentConfig) -> Any:
    factory = optim.TorchOptimizerFactory(getattr(torch.optim, spec.name), **spec.options)
    if config.schedule is None:
        return factory
    schedule = partial(getattr(torch.optim.lr_scheduler, config.schedule.name), **config.schedule.options)
    return factory.with_lr_scheduler_factory(SimpleNamespace(create_scheduler=schedule))

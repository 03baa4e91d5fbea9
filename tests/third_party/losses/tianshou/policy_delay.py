# SPDX-License-Identifier: MIT
"""tianshou's TD3 does not save its place in the policy delay.

`state_dict()` has networks and optimizers, but not `_cnt`, the count of updates. A loaded algorithm
counts from zero, so that the actor and the targets are updated at other steps than they would have been.

Lost: agent._cnt
Fix: make `_cnt` a buffer, so that `state_dict()` has it.
"""

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.modelfree.ddpg import ContinuousDeterministicPolicy
from tianshou.algorithm.modelfree.td3 import TD3
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch, ReplayBuffer
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import ContinuousActorDeterministic, ContinuousCritic
from tianshou.utils.torch_utils import policy_within_training_step

SPACES = {"observation_space": gym.spaces.Box(-1, 1, (3,)), "action_space": gym.spaces.Box(-1, 1, (2,))}


def build():
    actor = ContinuousActorDeterministic(preprocess_net=Net(state_shape=3, hidden_sizes=[8]), action_shape=2)
    net = Net(state_shape=3, action_shape=2, hidden_sizes=[8], concat=True)
    adam = AdamOptimizerFactory(lr=1e-3)
    policy = ContinuousDeterministicPolicy(actor=actor, **SPACES)
    critic = ContinuousCritic(preprocess_net=net)
    return TD3(policy=policy, policy_optim=adam, critic=critic, critic_optim=adam, update_actor_freq=2)


def update(algorithm, number):
    random = np.random.RandomState(number)
    torch.manual_seed(number)
    rows = {"obs": random.rand(3), "act": random.rand(2), "rew": random.rand(), "obs_next": random.rand(3)}
    buffer = ReplayBuffer(4)
    buffer.add(Batch(**rows, terminated=False, truncated=False))
    before = [parameter.clone() for parameter in algorithm.policy.actor.parameters()]
    with policy_within_training_step(algorithm.policy):
        algorithm.update(buffer=buffer, sample_size=0)
    return not all(map(torch.equal, before, algorithm.policy.actor.parameters()))


algorithm, loaded = build(), build()
for number in range(3):
    update(algorithm, number)
loaded.load_state_dict(algorithm.state_dict())
went_on, resumed = ([update(one, number) for number in range(3, 7)] for one in (algorithm, loaded))
print("actor updated without an interruption:", went_on)
print("actor updated after a reload:         ", resumed)
print("LOST" if went_on != resumed else "KEPT")

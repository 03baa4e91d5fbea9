# SPDX-License-Identifier: MIT
"""tianshou's algorithms do not save their learning-rate schedules.

`state_dict()` has the optimizers, but not `lr_schedulers`, which set their learning rates. A loaded
algorithm starts each schedule from the beginning, so that the learning rate is lowered later than it
would have been.

Lost: agent.lr_schedulers
Fix: let `state_dict()` and `load_state_dict()` of the algorithm take the schedules along, as they do the
optimizers.
"""

import gymnasium as gym
import torch
from tianshou.algorithm.modelfree.ddpg import DDPG, ContinuousDeterministicPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory, LRSchedulerFactory
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import ContinuousActorDeterministic, ContinuousCritic

SPACES = {"observation_space": gym.spaces.Box(-1, 1, (3,)), "action_space": gym.spaces.Box(-1, 1, (2,))}


class Steps(LRSchedulerFactory):
    def create_scheduler(self, optim):
        return torch.optim.lr_scheduler.StepLR(optim, step_size=4, gamma=0.1)


def build():
    actor = ContinuousActorDeterministic(preprocess_net=Net(state_shape=3, hidden_sizes=[8]), action_shape=2)
    net = Net(state_shape=3, action_shape=2, hidden_sizes=[8], concat=True)
    adam = AdamOptimizerFactory(lr=1e-3).with_lr_scheduler_factory(Steps())
    policy = ContinuousDeterministicPolicy(actor=actor, **SPACES)
    return DDPG(
        policy=policy, policy_optim=adam, critic=ContinuousCritic(preprocess_net=net), critic_optim=adam
    )


def step(algorithm):  # what update() does with the schedules
    optimizer = algorithm.policy_optim._optim
    optimizer.step()
    for schedule in algorithm.lr_schedulers:
        schedule.step()
    return optimizer.param_groups[0]["lr"]


algorithm, loaded = build(), build()
for _ in range(3):
    step(algorithm)
loaded.load_state_dict(algorithm.state_dict())
went_on, resumed = [step(algorithm) for _ in range(3)], [step(loaded) for _ in range(3)]
print("learning rates without an interruption:", went_on)
print("learning rates after a reload:         ", resumed)
print("LOST" if went_on != resumed else "KEPT")

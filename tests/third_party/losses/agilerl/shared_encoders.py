# SPDX-License-Identifier: MIT
"""AgileRL's TD3 does not save the critics' encoders where they are shared with the actor.

With `share_encoders=True` the critics' encoders are plain tensors, which no `state_dict` holds. `TD3.load`
makes them anew, from another actor than the one that it loads, so that the critics judge the same pair
otherwise.

Lost: agent.critic_1 agent.critic_2 agent.critic_target_1 agent.critic_target_2
Fix: share the encoder again once the actor's weights are loaded.
"""

import tempfile

import gymnasium as gym
import torch
from agilerl.algorithms import TD3

LAYERS = {"latent_dim": 8, "encoder_config": {"hidden_size": [6]}, "head_config": {"hidden_size": [6]}}
observations, actions = gym.spaces.Box(-1, 1, (3,)), gym.spaces.Box(-1, 1, (2,))

torch.manual_seed(0)
agent = TD3(observations, actions, net_config=LAYERS, share_encoders=True)
path = f"{tempfile.mkdtemp()}/checkpoint"
agent.save_checkpoint(path)
loaded = TD3.load(path)

pair = torch.full((1, 3), 0.3), torch.zeros(1, 2)
before, after = agent.critic_1(*pair).item(), loaded.critic_1(*pair).item()
print("value of a pair before the save:   ", before)
print("value of the same pair after a load:", after)
print("LOST" if before != after else "KEPT")

# SPDX-License-Identifier: MIT
"""skrl's TD3 does not save its place in the policy delay.

`agent.save` leaves out `_update_counter`. A loaded agent counts from zero, so that the policy and the
targets are updated at other steps than they would have been.

Lost: agent._update_counter
Fix: let `save` write `_update_counter` and `load` put it back.
"""

import tempfile

import gymnasium as gym
import torch
from skrl.agents.torch.td3 import TD3
from skrl.memories.torch import RandomMemory
from skrl.utils.model_instantiators.torch import deterministic_model

SPACES = {"observation_space": gym.spaces.Box(-1, 1, (3,)), "action_space": gym.spaces.Box(-1, 1, (2,))}


def build(seed):
    torch.manual_seed(seed)
    net = {"name": "net", "layers": [8], "activations": "relu"}
    both = [{**net, "input": "concatenate([OBSERVATIONS, ACTIONS])"}]
    only = [{**net, "input": "OBSERVATIONS"}]
    roles = ("critic_1", "critic_2", "target_critic_1", "target_critic_2")
    models = {role: deterministic_model(**SPACES, device="cpu", network=both, output="ONE") for role in roles}
    for role in ("policy", "target_policy"):
        models[role] = deterministic_model(**SPACES, device="cpu", network=only, output="ACTIONS")
    for role, model in models.items():
        model.init_state_dict(role=role)
    quiet = {"write_interval": 0, "checkpoint_interval": 0}
    memory = RandomMemory(memory_size=8, device="cpu")
    agent = TD3(
        models=models, memory=memory, cfg={"batch_size": 4, "experiment": quiet}, device="cpu", **SPACES
    )
    agent.init()
    torch.manual_seed(0)  # both have the same memory
    rows = {"observations": torch.rand(8, 3), "actions": torch.rand(8, 2), "rewards": torch.rand(8, 1)}
    memory.add_samples(**rows, next_observations=torch.rand(8, 3), terminated=torch.zeros(8, 1))
    return agent


def update(agent, timestep):
    torch.manual_seed(timestep)
    before = [parameter.clone() for parameter in agent.policy.parameters()]
    agent.update(timestep=timestep, timesteps=10)
    return not all(map(torch.equal, before, agent.policy.parameters()))


agent, loaded = build(1), build(2)
for timestep in range(3):
    update(agent, timestep)
with tempfile.NamedTemporaryFile() as file:
    agent.save(file.name)
    loaded.load(file.name)
went_on, resumed = ([update(one, timestep) for timestep in range(3, 7)] for one in (agent, loaded))
print("policy updated without an interruption:", went_on)
print("policy updated after a reload:         ", resumed)
print("LOST" if went_on != resumed else "KEPT")

# SPDX-License-Identifier: MIT
"""skrl's SAC does not save its learned temperature.

`agent.save` writes the optimizer of the entropy coefficient, but not the coefficient, so that a loaded
agent begins with `initial_entropy_value` again and takes other steps from the first update on.

Lost: agent.log_entropy_coefficient agent._entropy_coefficient
Fix: let `save` write `log_entropy_coefficient` and `load` put it back, and compute
`_entropy_coefficient` from it.
"""

import tempfile

import gymnasium as gym
import torch
from skrl.agents.torch.sac import SAC
from skrl.memories.torch import RandomMemory
from skrl.utils.model_instantiators.torch import deterministic_model, gaussian_model

SPACES = {"observation_space": gym.spaces.Box(-1, 1, (3,)), "action_space": gym.spaces.Box(-1, 1, (2,))}


def build(seed):
    torch.manual_seed(seed)
    net = {"name": "net", "layers": [8], "activations": "relu"}
    both = [{**net, "input": "concatenate([OBSERVATIONS, ACTIONS])"}]
    roles = ("critic_1", "critic_2", "target_critic_1", "target_critic_2")
    models = {role: deterministic_model(**SPACES, device="cpu", network=both, output="ONE") for role in roles}
    only = [{**net, "input": "OBSERVATIONS"}]
    models["policy"] = gaussian_model(**SPACES, device="cpu", network=only, output="ACTIONS")
    quiet = {"write_interval": 0, "checkpoint_interval": 0}
    memory = RandomMemory(memory_size=8, device="cpu")
    agent = SAC(
        models=models, memory=memory, cfg={"batch_size": 4, "experiment": quiet}, device="cpu", **SPACES
    )
    agent.init()
    rows = {"observations": torch.rand(8, 3), "actions": torch.rand(8, 2), "rewards": torch.rand(8, 1)}
    memory.add_samples(**rows, next_observations=torch.rand(8, 3), terminated=torch.zeros(8, 1))
    return agent


agent, loaded = build(1), build(2)
for timestep in range(5):
    agent.update(timestep=timestep, timesteps=10)
with tempfile.NamedTemporaryFile() as file:
    agent.save(file.name)
    loaded.load(file.name)
print("temperature saved: ", agent.log_entropy_coefficient.exp().item())
print("temperature loaded:", loaded.log_entropy_coefficient.exp().item())
print("KEPT" if torch.equal(agent.log_entropy_coefficient, loaded.log_entropy_coefficient) else "LOST")

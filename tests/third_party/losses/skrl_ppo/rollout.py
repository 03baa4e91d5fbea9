# SPDX-License-Identifier: MIT
"""skrl's PPO does not save its place in a rollout.

`agent.save` leaves out `_rollout`, the count of steps, and the transitions of the rollout that is begun.
An agent that was saved in the middle of one updates at other steps than it would have, on a rollout with
old rows in it.

Lost: agent._rollout
Fix: let `save` write `_rollout` and the memory, or let checkpoints be written only after an update.
"""

import tempfile

import gymnasium as gym
import torch
from skrl.agents.torch.ppo import PPO
from skrl.memories.torch import RandomMemory
from skrl.utils.model_instantiators.torch import deterministic_model, gaussian_model

SPACES = {"observation_space": gym.spaces.Box(-1, 1, (3,)), "action_space": gym.spaces.Box(-1, 1, (2,))}


def build():
    network = [{"name": "net", "input": "OBSERVATIONS", "layers": [8], "activations": "relu"}]
    models = {
        "policy": gaussian_model(**SPACES, device="cpu", network=network, output="ACTIONS"),
        "value": deterministic_model(**SPACES, device="cpu", network=network, output="ONE"),
    }
    for role, model in models.items():
        model.init_state_dict(role=role)
    cfg = {"rollouts": 4, "experiment": {"write_interval": 0, "checkpoint_interval": 0}}
    agent = PPO(
        models=models, memory=RandomMemory(memory_size=4, device="cpu"), cfg=cfg, device="cpu", **SPACES
    )
    agent.init()
    agent.enable_training_mode(True)
    return agent


def step(agent, timestep):  # as in a trainer's loop
    before = [parameter.clone() for parameter in agent.policy.parameters()]
    seen, when = torch.rand(1, 3), {"timestep": timestep, "timesteps": 10}
    row = {"observations": seen, "states": None, "next_observations": torch.rand(1, 3), "next_states": None}
    row |= {"rewards": torch.rand(1, 1), "infos": {}}
    row |= {name: torch.zeros(1, 1, dtype=torch.bool) for name in ("terminated", "truncated")}
    with torch.no_grad():
        agent.record_transition(**row, actions=agent.act(seen, None, **when)[0], **when)
    agent.post_interaction(**when)
    return not all(map(torch.equal, before, agent.policy.parameters()))


agent, loaded = build(), build()
for timestep in range(6):
    step(agent, timestep)
with tempfile.NamedTemporaryFile() as file:
    agent.save(file.name)
    loaded.load(file.name)
went_on, resumed = ([step(one, timestep) for timestep in range(6, 11)] for one in (agent, loaded))
print("policy updated without an interruption:", went_on)
print("policy updated after a reload:         ", resumed)
print("LOST" if went_on != resumed else "KEPT")

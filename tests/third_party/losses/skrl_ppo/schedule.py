# SPDX-License-Identifier: MIT
"""skrl's PPO does not save its learning-rate schedule.

The optimizer is in the checkpoint, the schedule that sets its learning rate is not. A loaded agent
starts it from the beginning, so that the learning rate is lowered later than it would have been.
`KLAdaptiveLR` is not concerned: all that it goes by is in the optimizer.

Lost: agent.scheduler
Fix: put `scheduler` into `checkpoint_modules` where it is set.
"""

import tempfile

import gymnasium as gym
import torch
from skrl.agents.torch.ppo import PPO
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
    schedule = {
        "learning_rate_scheduler": torch.optim.lr_scheduler.StepLR,
        "learning_rate_scheduler_kwargs": {"step_size": 4, "gamma": 0.1},
    }
    return PPO(models=models, cfg=schedule, device="cpu", **SPACES)


def step(agent):  # what update() does with the schedule after each epoch
    agent.optimizer.step()
    agent.scheduler.step()
    return agent.optimizer.param_groups[0]["lr"]


agent, loaded = build(), build()
for _ in range(3):
    step(agent)
with tempfile.NamedTemporaryFile() as file:
    agent.save(file.name)
    loaded.load(file.name)
went_on, resumed = [step(agent) for _ in range(3)], [step(loaded) for _ in range(3)]
print("learning rates without an interruption:", went_on)
print("learning rates after a reload:         ", resumed)
print("LOST" if went_on != resumed else "KEPT")

# SPDX-License-Identifier: MIT
"""skrl's SAC does not save its learning-rate schedules.

The optimizers are in the checkpoint, the schedules that set their learning rates are not. A loaded agent
starts each schedule from the beginning, so that the learning rate is lowered later than it would have
been.

Lost: agent.policy_scheduler agent.critic_scheduler
Fix: put `policy_scheduler` and `critic_scheduler` into `checkpoint_modules` where they are set.
"""

import tempfile

import gymnasium as gym
import torch
from skrl.agents.torch.sac import SAC
from skrl.utils.model_instantiators.torch import deterministic_model, gaussian_model

SPACES = {"observation_space": gym.spaces.Box(-1, 1, (3,)), "action_space": gym.spaces.Box(-1, 1, (2,))}


def build():
    net = {"name": "net", "layers": [8], "activations": "relu"}
    both = [{**net, "input": "concatenate([OBSERVATIONS, ACTIONS])"}]
    roles = ("critic_1", "critic_2", "target_critic_1", "target_critic_2")
    models = {role: deterministic_model(**SPACES, device="cpu", network=both, output="ONE") for role in roles}
    only = [{**net, "input": "OBSERVATIONS"}]
    models["policy"] = gaussian_model(**SPACES, device="cpu", network=only, output="ACTIONS")
    for role, model in models.items():
        model.init_state_dict(role=role)
    schedule = {
        "learning_rate_scheduler": torch.optim.lr_scheduler.StepLR,
        "learning_rate_scheduler_kwargs": {"step_size": 4, "gamma": 0.1},
    }
    return SAC(models=models, cfg=schedule, device="cpu", **SPACES)


def step(agent):  # what update() does with the schedules
    agent.policy_optimizer.step()
    agent.policy_scheduler.step()
    return agent.policy_optimizer.param_groups[0]["lr"]


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

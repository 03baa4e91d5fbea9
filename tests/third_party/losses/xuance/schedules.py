# SPDX-License-Identifier: MIT
"""xuance's agents do not save their learning-rate schedules.

`save_model` writes the optimizers, with the rate of that moment, and not `learner.scheduler`. After
`load_model` the schedule begins again, and its next step falls from another rate than it would have.

Lost: agent.learner.scheduler
Fix: save and load each scheduler's `state_dict` beside its optimizer's.
"""

import tempfile

import gymnasium as gym
import numpy as np
from xuance import get_arguments
from xuance.torch.agents import TD3_Agent


def build(seed):
    options = get_arguments("td3", "classic_control", "Pendulum-v1")
    options.seed, options.log_dir = seed, tempfile.mkdtemp()
    options.running_steps, options.end_factor_lr_decay = 2200, 0.25
    return TD3_Agent(options, None, gym.spaces.Box(-1, 1, (3,)), gym.spaces.Box(-1, 1, (1,)))


def step(agent):
    rows = np.ones((4, 3), np.float32), np.ones((4, 1), np.float32), np.ones(4, np.float32)
    agent.learner.update(
        obs=rows[0], actions=rows[1], rewards=rows[2], obs_next=rows[0], terminals=0 * rows[2]
    )


agent, loaded = build(seed=0), build(seed=1)
for _ in range(3):
    step(agent)
folder = tempfile.mkdtemp()
agent.save_model("model.pth", folder)
loaded.load_model(folder, "model.pth")
for one in (agent, loaded):
    step(one)
went_on, resumed = (one.learner.optimizer["critic"].param_groups[0]["lr"] for one in (agent, loaded))
print("learning rate of the critic without an interruption:", went_on)
print("learning rate of the critic after a reload:         ", resumed)
print("LOST" if went_on != resumed else "KEPT")

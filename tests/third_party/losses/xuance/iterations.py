# SPDX-License-Identifier: MIT
"""xuance's TD3 does not save its place in the policy delay.

`learner.iterations` decides which updates train the actor. `save_model` writes networks, optimizers and
generators only, and after `load_model` the learner counts from 0: the actor is trained at other updates than
it would have been.

Lost: agent.learner.iterations
Fix: save and load `iterations` beside the optimizers.
"""

import tempfile

import gymnasium as gym
import numpy as np
from xuance import get_arguments
from xuance.torch.agents import TD3_Agent


def build(seed):
    options = get_arguments("td3", "classic_control", "Pendulum-v1")
    options.seed, options.log_dir = seed, tempfile.mkdtemp()
    return TD3_Agent(options, None, gym.spaces.Box(-1, 1, (3,)), gym.spaces.Box(-1, 1, (1,)))


def step(agent):
    rows = np.ones((4, 3), np.float32), np.ones((4, 1), np.float32), np.ones(4, np.float32)
    agent.learner.update(
        obs=rows[0], actions=rows[1], rewards=rows[2], obs_next=rows[0], terminals=0 * rows[2]
    )


agent, loaded = build(seed=0), build(seed=1)
step(agent)
step(agent)
folder = tempfile.mkdtemp()
agent.save_model("model.pth", folder)
loaded.load_model(folder, "model.pth")
print("updates counted before the save:", agent.learner.iterations)
print("updates counted after a load:   ", loaded.learner.iterations)


def trains_the_actor(one):
    before = [weight.clone() for weight in one.policy.actor.parameters()]
    step(one)
    return any((old != new).any() for old, new in zip(before, one.policy.actor.parameters(), strict=True))


went_on, resumed = trains_the_actor(agent), trains_the_actor(loaded)
print("the next update trains the actor, without an interruption:", went_on)
print("the next update trains the actor, after a reload:         ", resumed)
print("LOST" if went_on != resumed else "KEPT")

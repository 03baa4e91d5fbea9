"""How td3-verification drives the agent."""

import hypothesis.strategies as st
import numpy as np
import torch
from gymnasium.spaces import Box
from little_dqn import DoubleDQN

from verification.strategies import observations, transition_batches

PLACES, ACTIONS = Box(0, 1, (1,)), Box(0, 1, (1,), np.int64)


class DoubleDQNAdapter:
    name = "little_dqn"

    def configs(self):
        numbers = {"hidden": [4, 8], "lr": [1e-3, 1e-2], "discount": [0.9, 0.95], "target_every": [2, 3]}
        return st.fixed_dictionaries({name: st.sampled_from(values) for name, values in numbers.items()})

    def variants(self, config):
        return st.sampled_from([0.5, 0.99]).map(lambda discount: {**config, "discount": discount})

    def batches(self, config):
        return transition_batches(PLACES, ACTIONS)

    def observations(self, config):
        return observations(PLACES)

    def build(self, config, seed):
        return DoubleDQN(**config, seed=seed)

    def learn(self, agent, batch):
        names = ["observation", "action", "reward", "next_observation", "terminated"]
        agent.update(*[torch.as_tensor(getattr(batch, name)) for name in names])

    def advance(self, agent, steps):
        agent.train(steps)

    def act(self, agent, observation):
        return agent.act(torch.as_tensor(observation))

    def save(self, agent, path):
        agent.save(path)

    def load(self, agent, path):
        agent.load(path)
        return agent

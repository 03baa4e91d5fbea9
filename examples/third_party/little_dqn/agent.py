"""The agent: it walks along a corridor, and sees at which place it is."""

import copy

import torch
from torch import nn

LENGTH = 8  # places of the corridor; the last one is the goal
SAVED = ["network", "target", "optimizer"]


class DoubleDQN:
    def __init__(self, *, hidden=16, lr=1e-3, discount=0.95, target_every=4, seed=0):
        self.discount, self.target_every = discount, target_every
        self.generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        self.network = nn.Sequential(nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, 2))
        self.target = copy.deepcopy(self.network)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=lr)
        self.replay = []  # observation, action, reward, next observation and end of each step
        self.place, self.updates, self.epsilon = 0, 0, 1.0

    def act(self, observation):
        with torch.no_grad():
            return self.network(observation).argmax(-1, keepdim=True)

    def update(self, observation, action, reward, next_observation, terminated):
        with torch.no_grad():
            best = self.network(next_observation).argmax(-1, keepdim=True)
            value = self.target(next_observation).gather(-1, best)
            wanted = reward + self.discount * (1 - terminated) * value
        loss = nn.functional.smooth_l1_loss(self.network(observation).gather(-1, action), wanted)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.updates += 1
        if self.updates % self.target_every == 0:
            self.target.load_state_dict(self.network.state_dict())

    def train(self, steps):
        for _ in range(steps):
            seen = torch.tensor([self.place / LENGTH])
            explores = torch.rand(1, generator=self.generator).item() < self.epsilon
            action = torch.randint(2, (1,), generator=self.generator) if explores else self.act(seen)
            following = max(0, self.place + 2 * int(action) - 1)
            ended = torch.tensor([float(following == LENGTH - 1)])
            self.replay.append((seen, action, ended, torch.tensor([following / LENGTH]), ended))
            self.place = 0 if ended else following
            self.epsilon = max(0.1, self.epsilon * 0.99)
            chosen = torch.randint(len(self.replay), (4,), generator=self.generator)
            self.update(*map(torch.stack, zip(*(self.replay[index] for index in chosen), strict=True)))

    def save(self, path):
        numbers = ["discount", "target_every", "replay", "place", "updates", "epsilon"]
        state = {name: getattr(self, name).state_dict() for name in SAVED}
        state["numbers"] = {name: getattr(self, name) for name in numbers}
        torch.save({**state, "generator": self.generator.get_state()}, path)

    def load(self, path):
        state = torch.load(path, weights_only=True)
        for name in SAVED:
            getattr(self, name).load_state_dict(state[name])
        vars(self).update(state["numbers"])
        self.generator.set_state(state["generator"])

# SPDX-License-Identifier: MIT
"""DQN on stacked frames of several environments, with an exploration schedule and early stopping."""

from __future__ import annotations

import collections
import copy
import dataclasses
import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces

from verification.specimens.base import SpecimenAdapter
from verification.specimens.episode import Episode
from verification.specimens.networks import first_weights, load_state_dicts, mlp, state_dicts, step
from verification.specimens.numbers import drawn, varied
from verification.specimens.replay import Replay
from verification.strategies import observations, transition_batches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

    from verification.strategies import Transitions

_STATEFUL = ("network", "target", "optimizer")
_NUMBERS = (
    *("epsilon", "environment_steps", "updates"),
    *("best_return", "episodes_without_record", "stopped"),
)


@dataclasses.dataclass(frozen=True)
class DQNConfig:
    """Sizes and hyper-parameters; the target becomes the network every ``target_interval`` updates."""

    frame_size: int = 1
    frames: int = 3
    actions: int = 3
    environments: int = 2
    hidden: int = 4
    capacity: int = 9
    batch_size: int = 3
    learning_starts: int = 3
    target_interval: int = 3
    patience: int = 2
    discount: float = 0.9
    learning_rate: float = 0.01
    first_epsilon: float = 0.95
    last_epsilon: float = 0.1
    epsilon_decay: float = 0.9


class Worker:
    """One environment with the frames that an observation is stacked from, oldest first."""

    def __init__(self, config: DQNConfig, seed: int) -> None:
        frame, action = _space(config.frame_size), _action_space(config)
        self.episode: Episode = Episode(frame, action, seed)
        self.frames: collections.deque[Any] = collections.deque(maxlen=config.frames)
        self.fill()

    def fill(self) -> None:
        """Stack the first frame of an episode as often as frames are stacked."""
        assert self.frames.maxlen is not None
        self.frames.extend(self.episode.observation.copy() for _ in range(self.frames.maxlen))

    def observation(self) -> np.ndarray[Any, Any]:
        """The stacked frames, shape ``(frames * frame_size,)``."""
        return np.concatenate(list(self.frames))

    def capture(self) -> dict[str, Any]:
        """Plain data."""
        return {"episode": self.episode.capture(), "frames": [torch.tensor(frame) for frame in self.frames]}

    def restore(self, contents: dict[str, Any]) -> None:
        """Go on from a captured place."""
        self.episode.restore(contents["episode"])
        frames = [frame.numpy().copy() for frame in contents["frames"]]
        self.frames = collections.deque(frames, maxlen=self.frames.maxlen)


class DQN:
    """Deep Q-network (Mnih et al. 2015) with a target that is copied every few updates."""

    def __init__(self, config: DQNConfig, seed: int) -> None:
        self.config: DQNConfig = config
        with first_weights(seed):
            self.network: torch.nn.Sequential = mlp(
                config.frames * config.frame_size, config.hidden, config.actions
            )
        self.target: torch.nn.Sequential = copy.deepcopy(self.network)
        self.optimizer: torch.optim.RMSprop = torch.optim.RMSprop(
            self.network.parameters(), config.learning_rate
        )
        self.exploration: np.random.Generator = np.random.default_rng(seed + 1)
        self.sampler: np.random.Generator = np.random.default_rng(seed + 2)
        self.workers: list[Worker] = [Worker(config, seed + index) for index in range(config.environments)]
        self.replay: Replay = Replay(config.capacity, config.frames * config.frame_size, 1)
        self.epsilon: float = config.first_epsilon
        self.environment_steps: int = 0
        self.updates: int = 0
        self.best_return: float = -math.inf
        self.episodes_without_record: int = 0
        self.stopped: bool = False

    def act(self, observation: np.ndarray[Any, Any]) -> torch.Tensor:
        """The action of the highest value, a tensor without dimensions."""
        with torch.no_grad():
            values: torch.Tensor = self.network(torch.from_numpy(observation))
            return values.argmax()

    def update(self, batch: Transitions) -> None:
        """One step on the squared temporal-difference error; exploration decays with it."""
        with torch.no_grad():
            value = self.target(torch.from_numpy(batch.next_observation)).max(-1, keepdim=True).values
            going_on = 1 - torch.from_numpy(batch.terminated)
            target = torch.from_numpy(batch.reward) + self.config.discount * going_on * value
        values = self.network(torch.from_numpy(batch.observation))
        chosen = values.gather(-1, torch.from_numpy(batch.action).long())
        step(self.optimizer, torch.nn.functional.smooth_l1_loss(chosen, target))
        self.updates += 1
        if self.updates % self.config.target_interval == 0:
            self.target.load_state_dict(self.network.state_dict())
        self.epsilon = max(self.config.last_epsilon, self.epsilon * self.config.epsilon_decay)

    def advance(self, steps: int) -> None:
        """Let every environment step once, then learn once, until too long no record has been set."""
        for _ in range(steps):
            for worker in self.workers:
                self._explore(worker)
            if self.environment_steps >= self.config.learning_starts and not self.stopped:
                places = self.sampler.integers(len(self.replay), size=self.config.batch_size)
                self.update(self.replay.transitions(places))

    def capture(self) -> dict[str, Any]:
        """Everything that decides the agent's future."""
        return {
            "config": dataclasses.asdict(self.config),
            **state_dicts(self, _STATEFUL),
            **{name: getattr(self, name) for name in _NUMBERS},
            "exploration": self.exploration.bit_generator.state,
            "sampler": self.sampler.bit_generator.state,
            "workers": [worker.capture() for worker in self.workers],
            "replay": self.replay.capture(),
        }

    def restore(self, contents: dict[str, Any]) -> None:
        """Become the agent that was captured."""
        self.config = DQNConfig(**contents["config"])
        load_state_dicts(self, _STATEFUL, contents)
        for name in _NUMBERS:
            setattr(self, name, contents[name])
        self.exploration.bit_generator.state = contents["exploration"]
        self.sampler.bit_generator.state = contents["sampler"]
        for worker, captured in zip(self.workers, contents["workers"], strict=True):
            worker.restore(captured)
        self.replay.restore(contents["replay"])

    def _explore(self, worker: Worker) -> None:
        """One step of one environment, random with probability ``epsilon``."""
        observation = worker.observation()
        if self.exploration.random() < self.epsilon:
            action = int(self.exploration.integers(self.config.actions))
        else:
            action = int(self.act(observation))
        following, reward, terminated, total = worker.episode.step(np.array([action]))
        worker.frames.append(following.copy())
        self.replay.add(
            observation=observation,
            action=action,
            reward=reward,
            next_observation=worker.observation(),
            terminated=terminated,
        )
        self.environment_steps += 1
        if total is not None:
            worker.fill()
            self._judge(total)

    def _judge(self, total: float) -> None:
        """Notice a record; stop after too many episodes without one."""
        self.episodes_without_record = 0 if total > self.best_return else self.episodes_without_record + 1
        self.best_return = max(self.best_return, total)
        self.stopped = self.stopped or self.episodes_without_record > self.config.patience


def _space(size: int) -> spaces.Box:
    return spaces.Box(-1.0, 1.0, (size,), np.float32)


def _action_space(config: DQNConfig) -> spaces.Box:
    return spaces.Box(0, config.actions - 1, (1,), np.int64)


class DQNAdapter(SpecimenAdapter):
    """Drives :class:`DQN`."""

    name = "dqn"
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {
        "learning_starts": (3, 1, 6),
        "target_interval": (3, 2, 5),
        "patience": (2, 1, 4),
        "discount": (0.9, 0.5, 0.99),
        "learning_rate": (0.01, 0.03),
        "last_epsilon": (0.1, 0.2),
        "epsilon_decay": (0.9, 0.93),
    }

    def configs(self) -> SearchStrategy[DQNConfig]:
        """All hyper-parameters that may differ, and one to three environments."""
        return drawn(DQNConfig, {**self.choices, "environments": (2, 1, 3)})

    def variants(self, config: DQNConfig) -> SearchStrategy[DQNConfig]:
        """Other hyper-parameters: all of them are in the checkpoint."""
        return varied(config, self.choices)

    def batches(self, config: DQNConfig) -> SearchStrategy[Transitions]:
        """Transitions of stacked frames."""
        space = _space(config.frames * config.frame_size)
        return transition_batches(space, _action_space(config), batch_sizes=(2, 3, 4))

    def observations(self, config: DQNConfig) -> SearchStrategy[Any]:
        """One stack of frames."""
        return observations(_space(config.frames * config.frame_size))

    def build(self, config: DQNConfig, seed: int) -> DQN:
        """A new agent."""
        return DQN(config, seed)

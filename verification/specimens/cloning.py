# SPDX-License-Identifier: MIT
"""Behaviour cloning in half precision: scaled and accumulated gradients, epochs, warm-up, early stopping."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from hypothesis import strategies as st

from verification.specimens.base import SpecimenAdapter
from verification.specimens.networks import first_weights, load_state_dicts, mlp, state_dicts
from verification.specimens.numbers import drawn, varied
from verification.strategies import observations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

_STATEFUL = ("policy", "optimizer", "schedule", "scaler")
_NUMBERS = ("micro_steps", "updates", "best_loss", "evaluations_without_record", "stopped")
# Demonstrations to learn from, few enough for several epochs in a short run, and held out for evaluation.
_TRAINED, _HELD_OUT = 7, 3


@dataclasses.dataclass(frozen=True)
class CloningConfig:
    """Sizes and hyper-parameters; gradients of ``accumulation`` batches make one step."""

    observation_size: int = 2
    action_size: int = 1
    hidden: int = 4
    batch_size: int = 2
    accumulation: int = 2
    warm_up: int = 4
    patience: int = 2
    first_scale: float = 2.0**17
    growth_interval: int = 2
    learning_rate: float = 0.5


class EpochSampler:
    """Walks through a shuffled data set, and shuffles it again at the end of each epoch."""

    def __init__(self, size: int, seed: int) -> None:
        self.generator: torch.Generator = torch.Generator().manual_seed(seed)
        self.permutation: torch.Tensor = torch.randperm(size, generator=self.generator)
        self.index: int = 0
        self.epoch: int = 0

    def draw(self, number: int) -> torch.Tensor:
        """The next rows, fewer at the end of an epoch."""
        rows = self.permutation[self.index : self.index + number].clone()
        self.index += len(rows)
        if self.index >= len(self.permutation):
            self.permutation = torch.randperm(len(self.permutation), generator=self.generator)
            self.index = 0
            self.epoch += 1
        return rows

    def capture(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "generator": self.generator.get_state(),
            "permutation": self.permutation,
            "index": self.index,
            "epoch": self.epoch,
        }

    def restore(self, contents: dict[str, Any]) -> None:
        """Go on from a captured place."""
        self.generator.set_state(contents["generator"])
        self.permutation = contents["permutation"]
        self.index, self.epoch = contents["index"], contents["epoch"]


class Cloning:
    """A policy that learns to do what the demonstrations do."""

    def __init__(self, config: CloningConfig, seed: int) -> None:
        self.config: CloningConfig = config
        demonstrations = np.random.default_rng(0)  # the same in every process
        shape = (_TRAINED + _HELD_OUT, config.observation_size)
        self.demonstrated: torch.Tensor = torch.from_numpy(
            demonstrations.uniform(-1, 1, shape).astype(np.float32)
        )
        self.answers: torch.Tensor = (
            self.demonstrated.sum(-1, keepdim=True).sin().repeat(1, config.action_size)
        )
        with first_weights(seed):
            self.policy: torch.nn.Sequential = mlp(config.observation_size, config.hidden, config.action_size)
        self.optimizer: torch.optim.Adam = torch.optim.Adam(self.policy.parameters(), config.learning_rate)
        self.schedule: torch.optim.lr_scheduler.LinearLR = torch.optim.lr_scheduler.LinearLR(
            self.optimizer, 0.25, total_iters=config.warm_up
        )
        self.scaler: torch.amp.GradScaler = torch.amp.GradScaler(
            "cpu", init_scale=config.first_scale, growth_interval=config.growth_interval
        )
        self.sampler: EpochSampler = EpochSampler(_TRAINED, seed)
        self.micro_steps: int = 0
        self.updates: int = 0
        self.best_loss: float = math.inf
        self.best_weights: dict[str, torch.Tensor] = {}
        self.evaluations_without_record: int = 0
        self.stopped: bool = False

    def act(self, observation: np.ndarray[Any, Any]) -> torch.Tensor:
        """The action, shape ``(action_size,)``."""
        with torch.no_grad():
            action: torch.Tensor = self.policy(torch.from_numpy(observation))
            return action

    def update(self, batch: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]) -> None:
        """Add the gradients of one batch; step, and evaluate, when there are enough of them."""
        observation, answer = (torch.from_numpy(array) for array in batch)
        with torch.autocast("cpu", torch.float16):
            error = self.policy(observation) - answer
        loss = error.float().square().mean() / self.config.accumulation
        self.scaler.scale(loss).backward()
        self.micro_steps += 1
        if self.micro_steps % self.config.accumulation == 0:
            self._step()

    def advance(self, steps: int) -> None:
        """Train on demonstrations in a random order, until too long no record has been set."""
        for _ in range(steps):
            if not self.stopped:
                rows = self.sampler.draw(self.config.batch_size)
                self.update((self.demonstrated[rows].numpy(), self.answers[rows].numpy()))

    def capture(self) -> dict[str, Any]:
        """Everything that decides the agent's future, half-accumulated gradients included."""
        return {
            "config": dataclasses.asdict(self.config),
            **state_dicts(self, _STATEFUL),
            **{name: getattr(self, name) for name in _NUMBERS},
            "gradients": [parameter.grad for parameter in self.policy.parameters()],
            "best_weights": self.best_weights,
            "sampler": self.sampler.capture(),
        }

    def restore(self, contents: dict[str, Any]) -> None:
        """Become the agent that was captured."""
        self.config = CloningConfig(**contents["config"])
        load_state_dicts(self, _STATEFUL, contents)
        for name in _NUMBERS:
            setattr(self, name, contents[name])
        for parameter, gradient in zip(self.policy.parameters(), contents["gradients"], strict=True):
            parameter.grad = gradient
        self.best_weights = contents["best_weights"]
        self.sampler.restore(contents["sampler"])

    def _step(self) -> None:
        """One step, skipped with that of the schedule where gradients overflowed; then an evaluation."""
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        if self.scaler.get_scale() < scale:
            return
        self.schedule.step()
        self.updates += 1
        with torch.no_grad():
            error = self.policy(self.demonstrated[_TRAINED:]) - self.answers[_TRAINED:]
        loss = float(error.square().mean())
        self.evaluations_without_record += 1
        if loss < self.best_loss:
            self.best_loss, self.evaluations_without_record = loss, 0
            self.best_weights = {name: value.clone() for name, value in self.policy.state_dict().items()}
        self.stopped = self.evaluations_without_record > self.config.patience


def _space(size: int) -> spaces.Box:
    return spaces.Box(-1.0, 1.0, (size,), np.float32)


class CloningAdapter(SpecimenAdapter):
    """Drives :class:`Cloning`."""

    name = "cloning"
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {
        "accumulation": (2, 3),
        "patience": (2, 1, 4),
        "growth_interval": (2, 3),
        "learning_rate": (0.5, 0.2),
        "warm_up": (4, 2),
        "first_scale": (2.0**17, 2.0**14),
    }

    def configs(self) -> SearchStrategy[CloningConfig]:
        """All hyper-parameters that may differ, and one or two actions."""
        return drawn(CloningConfig, {**self.choices, "action_size": (1, 2)})

    def variants(self, config: CloningConfig) -> SearchStrategy[CloningConfig]:
        """Other hyper-parameters: all of them are in the checkpoint."""
        return varied(config, self.choices)

    def batches(self, config: CloningConfig) -> SearchStrategy[Any]:
        """Two observations and two answers."""
        inputs, answers = (
            observations(_space(config.observation_size)),
            observations(_space(config.action_size)),
        )
        return st.tuples(*[st.tuples(one, one).map(np.stack) for one in (inputs, answers)])

    def observations(self, config: CloningConfig) -> SearchStrategy[Any]:
        """One observation."""
        return observations(_space(config.observation_size))

    def build(self, config: CloningConfig, seed: int) -> Cloning:
        """A new agent."""
        return Cloning(config, seed)

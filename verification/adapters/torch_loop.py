# SPDX-License-Identifier: MIT
"""A plain supervised loop in torch, with no library around it: the suite is not about agents alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import hypothesis.strategies as st
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from verification.strategies import (
    build_optimizer,
    build_schedule,
    observations,
    optimizer_specs,
    schedule_specs,
)

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from hypothesis.strategies import SearchStrategy

_ROWS, _FEATURES, _CLASSES = 4, 3, 2
_SCHEDULES = ("StepLR", "CosineAnnealingLR", "LambdaLR", "OneCycleLR")
#: What has a state dict.
PARTS = ("model", "average", "optimizer", "schedule")


class TorchLoop:
    """A classifier with batch normalisation and dropout, its running average, an optimizer and a schedule.

    Saved as torch's tutorial "Saving and Loading a General Checkpoint" says, as a dictionary of state dicts,
    with what the tutorial leaves to its readers: the schedule, the average and the random generators.
    Checkpoints lie between epochs.
    """

    name = "torch_loop"

    def configs(self) -> SearchStrategy[dict[str, Any]]:
        """Any optimizer, and schedules of each kind."""
        return st.fixed_dictionaries(
            {
                "hidden": st.integers(2, 6),
                "dropout": st.sampled_from([0.0, 0.5]),
                "optimizer": optimizer_specs(),
                "schedule": schedule_specs(schedules=_SCHEDULES),
            }
        )

    def batches(self, config: dict[str, Any]) -> SearchStrategy[tuple[Any, list[int]]]:
        """Rows of features, and the class of each."""
        rows = observations(gym.spaces.Box(-2, 2, (_ROWS, _FEATURES)))
        return st.tuples(rows, st.lists(st.integers(0, _CLASSES - 1), min_size=_ROWS, max_size=_ROWS))

    def observations(self, config: dict[str, Any]) -> SearchStrategy[np.ndarray[Any, Any]]:
        """A row of features."""
        return observations(gym.spaces.Box(-2, 2, (1, _FEATURES)))

    def build(self, config: dict[str, Any], seed: int) -> SimpleNamespace:
        """What the first lines of a training script make."""
        torch.manual_seed(seed)
        hidden = config["hidden"]
        model = nn.Sequential(
            *(nn.Linear(_FEATURES, hidden), nn.BatchNorm1d(hidden), nn.ReLU()),
            *(nn.Dropout(config["dropout"]), nn.Linear(hidden, _CLASSES)),
        )
        optimizer = build_optimizer(config["optimizer"], model.parameters())
        features = torch.linspace(-1, 1, 2 * _ROWS * _FEATURES).reshape(-1, _FEATURES)
        return SimpleNamespace(
            model=model,
            average=torch.optim.swa_utils.AveragedModel(model),
            optimizer=optimizer,
            schedule=build_schedule(config["schedule"], optimizer),
            data=TensorDataset(features, torch.arange(len(features)) % _CLASSES),
            order=torch.Generator().manual_seed(seed),
        )

    def learn(self, agent: SimpleNamespace, batch: tuple[Any, Any]) -> None:
        """One step of the optimizer, and of what follows it."""
        features, classes = map(torch.as_tensor, batch)
        agent.optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(agent.model(features), classes))
        agent.optimizer.step()
        agent.schedule.step()
        agent.average.update_parameters(agent.model)

    def act(self, agent: SimpleNamespace, observation: Any) -> torch.Tensor:
        """The average's logits."""
        agent.average.eval()
        with torch.no_grad():
            logits: torch.Tensor = agent.average(torch.as_tensor(observation))
        return logits

    def advance(self, agent: SimpleNamespace, steps: int) -> None:
        """One epoch for each step, in an order that a generator of its own decides."""
        for _ in range(steps):
            for batch in DataLoader(agent.data, _ROWS, shuffle=True, generator=agent.order):
                self.learn(agent, batch)

    def save(self, agent: SimpleNamespace, path: Path) -> None:
        """One dictionary: the state dicts, and where the generators are."""
        states = {part: getattr(agent, part).state_dict() for part in PARTS}
        torch.save({**states, "order": agent.order.get_state(), "dropout": torch.get_rng_state()}, path)

    def load(self, agent: SimpleNamespace, path: Path) -> SimpleNamespace:
        """Each state dict into its part."""
        states = torch.load(path, weights_only=True)
        for part in PARTS:
            getattr(agent, part).load_state_dict(states[part])
        agent.order.set_state(states["order"])
        torch.set_rng_state(states["dropout"])
        return agent

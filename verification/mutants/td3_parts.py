# SPDX-License-Identifier: MIT
"""What mutants of ``td3_core`` are made of: its pieces by name, and loads that leave the receiver's."""

from __future__ import annotations

import copy
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from verification.mutants.model import Operation
from verification.mutants.model import plant as plant_into

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import torch

    from td3_core.training.run import TrainingRun
    from verification.mutants.model import Plant

NETWORKS = ("actor", "critic", "actor_cnn", "critic_cnn")
TARGETS = tuple(f"{name}_target" for name in NETWORKS)
OPTIMIZERS = tuple(f"{name}_optimizer" for name in NETWORKS)
SCHEDULERS = tuple(f"{name}_scheduler" for name in NETWORKS)

#: Registers a mutant of ``td3_core``; see :func:`verification.mutants.model.plant`.
plant: Plant = partial(plant_into, "td3_core")


def pieces(run: TrainingRun, names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Those of the agent's attributes that it has: without images there are no CNNs."""
    return ((name, piece) for name in names if (piece := getattr(run.agent, name)) is not None)


def entries(run: TrainingRun, names: tuple[str, ...] = OPTIMIZERS) -> Iterator[dict[str, Any]]:
    """The moments of every parameter that an optimizer has stepped."""
    return (entry for _, optimizer in pieces(run, names) for entry in optimizer.state.values())


def groups(run: TrainingRun) -> Iterator[dict[str, Any]]:
    """The parameter group of every optimizer."""
    return (group for _, optimizer in pieces(run, OPTIMIZERS) for group in optimizer.param_groups)


def then(change: Callable[[TrainingRun], None]) -> Operation:
    """A load that is right, and then changes something."""

    @wraps(change)
    def load(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
        run = correct(run, path)
        change(run)
        return run

    return load


def losing(*names: str) -> Operation:
    """A load that leaves attributes of the agent as they were in the receiver."""

    def load(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
        kept = {name: _kept(piece) for name, piece in pieces(run, names)}
        run = correct(run, path)
        for name, value in kept.items():
            _put_back(run.agent, name, value)
        return run

    return load


def lose(
    name: str, bug_class: str, thread: str, killed_by: str | tuple[str, ...], leaf: str, *attributes: str
) -> None:
    """Register a mutant that loses attributes of the agent."""
    plant(bug_class, thread, killed_by, leaf, name=name)(losing(*attributes))


def _kept(value: Any) -> Any:
    if hasattr(value, "state_dict"):
        return copy.deepcopy(value.state_dict())
    return value.get_state() if hasattr(value, "get_state") else value


def _put_back(agent: object, name: str, kept: Any) -> None:
    value = getattr(agent, name)
    if hasattr(value, "load_state_dict"):
        value.load_state_dict(kept)
    elif hasattr(value, "set_state"):
        value.set_state(kept)
    else:
        setattr(agent, name, kept)


def twins(run: TrainingRun) -> Iterator[tuple[torch.nn.Parameter, torch.nn.Parameter]]:
    """The corresponding parameters of the critic's two halves, which have equal shapes."""
    parameters = list(run.agent.critic.parameters())
    half = len(parameters) // 2
    return zip(parameters[:half], parameters[half:], strict=True)

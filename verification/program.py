# SPDX-License-Identifier: MIT
"""Programs: what the arms of an experiment do, as plain data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verification.strategies.moments import OptimizerState


#: How many training steps some programs take before a checkpoint, and how many steps after a load are looked
#: at where it is undecided whether a difference matters.
HORIZON = 12


@dataclass(frozen=True)
class Learn:
    """Take one training step on ``batch``."""

    batch: Any


@dataclass(frozen=True)
class Repeat(Learn):
    """Take several training steps on one batch: cheap, because they are one step of the program."""

    times: int


@dataclass(frozen=True)
class Act:
    """Choose an action for ``observation``; the action is compared, too."""

    observation: Any


@dataclass(frozen=True)
class Advance:
    """Train in closed loop for ``steps`` environment steps."""

    steps: int


@dataclass(frozen=True)
class Implant:
    """Write ``state`` into every optimizer of the agent, past what the agent would notice."""

    state: OptimizerState


@dataclass(frozen=True)
class Operate:
    """Do what users do between steps, such as changing a learning rate; the adapter knows what it means."""

    operation: Any


Step: TypeAlias = Learn | Act | Advance | Implant | Operate


@dataclass(frozen=True)
class Program:
    """One experiment.

    Attributes:
        config: of the agent that trains.
        receiver_config: of the agent that the checkpoint is loaded into; other hyper-parameters.
        seed: of the agent that trains.
        receiver_seed: of the receiver; never the same.
        steps: what the agent does.
        cuts: after how many steps a checkpoint is saved and resumed from; ascending.
        receiver_steps: what a used receiver has done before the load.
        probe: an observation that agents are compared on.
        entropy: from which the states of the global random generators follow.
        bystander: whether another agent is built and trained beside the one that was resumed.
        horizon: how many steps beyond these are looked at while it is undecided whether a difference matters.
    """

    config: Any
    receiver_config: Any
    seed: int
    receiver_seed: int
    steps: tuple[Step, ...]
    cuts: tuple[int, ...]
    receiver_steps: tuple[Step, ...]
    probe: Any
    entropy: int
    bystander: bool = False
    horizon: int = HORIZON

    def describe(self) -> str:
        """The program as the lines of Python that an adapter's author would write, large arrays shortened."""
        one = self.config is None and self.receiver_config is None  # no config is ever drawn
        configs = [f"config = {text_of(self.config)}", f"receiver_config = {self._receiver_config()}"]
        lines = [] if one else configs
        lines.append(f"agent = adapter.build({'' if one else 'config, '}seed={self.seed})")
        for index, step in enumerate((*self.steps, None)):
            if index in self.cuts:
                config = "" if one else "receiver_config, "
                receiver = f"adapter.build({config}seed={self.receiver_seed})"
                lines.append(
                    f"adapter.save(agent, path)  # resumed from here: adapter.load({receiver}, path)"
                )
            match step:
                case Repeat(batch, times):
                    lines.append(f"for _ in range({times}): {_learn(batch)}")
                case Learn(batch):
                    lines.append(_learn(batch))
                case Act(observation):
                    lines.append(f"adapter.act(agent, {text_of(observation)})")
                case Advance(steps):
                    lines.append(f"adapter.advance(agent, {steps})")
                case Implant(state):
                    lines.append(f"for optimizer in optimizers_of(agent): implant(optimizer, {state!r})")
                case Operate(operation):
                    lines.append(f"adapter.operate(agent, {text_of(operation)})")
        if self.bystander:
            lines.append("# Another agent is built and trained between each load and what follows it.")
        return "\n".join(lines)

    def _receiver_config(self) -> str:
        """The receiver's config, by what is different about it where configs are dataclasses."""
        config, other = self.config, self.receiver_config
        if other is config or not dataclasses.is_dataclass(config) or type(config) is not type(other):
            return "config" if other is config else text_of(other)
        names = [field.name for field in dataclasses.fields(config)]
        changed = [name for name in names if repr(getattr(config, name)) != repr(getattr(other, name))]
        changes = "".join(f", {name}={text_of(getattr(other, name))}" for name in changed)
        return f"dataclasses.replace(config{changes})" if changed else "config"


def _learn(batch: Any) -> str:
    return "adapter.learn(agent)" if batch is None else f"adapter.learn(agent, {text_of(batch)})"


def trained(steps: Iterable[Step]) -> int:
    """How often some steps train: in updates on given batches, or in steps of an environment."""
    return sum(step.steps if isinstance(step, Advance) else updates(step) for step in steps)


def repeated(batch: Any, times: int) -> Learn:
    """One training step on ``batch``, or so many."""
    return Repeat(batch, times) if times > 1 else Learn(batch)


def updates(step: Step) -> int:
    """On how many given batches a step trains."""
    return step.times if isinstance(step, Repeat) else int(isinstance(step, Learn))


def horizon_of(adapter: object, wanted: int | None = None) -> int:
    """The horizon that is wanted, or else the adapter's own, or else that of all."""
    own: int = getattr(adapter, "horizon", HORIZON)
    return own if wanted is None else wanted


def text_of(value: object) -> str:
    """A value on one line, with the middle of large arrays left out: the seed draws them again in full."""
    with np.printoptions(threshold=8, edgeitems=1, precision=4):
        return " ".join(repr(value).split())

# SPDX-License-Identifier: MIT
"""A hand-made agent for the tests of the engine, and the ways in which it can be wrong."""

from __future__ import annotations

import collections
import copy
import functools
import itertools
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from pathlib import Path

torch.set_num_threads(1)


@dataclass(frozen=True)
class Config:
    """What an agent is built with."""

    gain: float = 1.0


class Agent:
    """A linear critic with a target that follows every second step, momentum, a schedule and own noise."""

    def __init__(self, config: Config, seed: int) -> None:
        self.gain = config.gain
        self.net = nn.Linear(2, 1)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.net.parameters():
                parameter.copy_(torch.rand(parameter.shape, generator=generator))
        self.net_target = copy.deepcopy(self.net)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.05, momentum=0.9)
        self.schedule = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, 0.9)
        self.noise = np.random.default_rng(seed)
        self.memory: collections.deque[float] = collections.deque(maxlen=3)
        self.total_it = 0

    def update(self, batch: Any) -> None:
        """One step on a pair of numbers."""
        x = torch.tensor(batch)
        x = x if self.net.training else 0.5 * x  # as a mode changes what dropout or a norm does
        self.optimizer.zero_grad()
        (self.net(x) - 0.9 * self.net_target(x).detach() - self.gain).square().sum().backward()
        self.optimizer.step()
        self.schedule.step()
        self.total_it += 1
        if self.total_it % 2 == 0:
            with torch.no_grad():
                for mine, theirs in zip(self.net_target.parameters(), self.net.parameters(), strict=True):
                    mine.lerp_(theirs, 0.1)

    def explore(self) -> None:
        """One step of closed-loop training, on noise and on what it remembers."""
        self.memory.append(self.draw())
        self.update((self.memory[-1], self.memory[0]))

    def draw(self) -> float:
        return float(self.noise.random())

    def predict(self, observation: Any) -> torch.Tensor:
        with torch.no_grad():
            action: torch.Tensor = self.net(torch.tensor(observation)) * self.gain
        return action

    def save(self, path: Path) -> None:
        torch.save(self.contents(), path)

    def load(self, path: Path) -> None:
        self.restore(torch.load(path, weights_only=True))

    def contents(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(),
            "net_target": self.net_target.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "noise": self.noise.bit_generator.state,
            "memory": list(self.memory),
            "total_it": self.total_it,
            "gain": self.gain,
        }

    def restore(self, contents: dict[str, Any]) -> None:
        for name in ("net", "net_target", "optimizer", "schedule"):
            if name in contents:
                getattr(self, name).load_state_dict(contents[name])
        if "noise" in contents:
            self.noise.bit_generator.state = contents["noise"]
        if "memory" in contents:
            self.memory = collections.deque(contents["memory"], maxlen=3)
        self.total_it = contents.get("total_it", self.total_it)
        self.gain = contents.get("gain", self.gain)


def _loses(*pieces: str) -> type[Agent]:
    """An agent that never saves some pieces."""

    class Forgetful(Agent):
        def contents(self) -> dict[str, Any]:
            return {name: piece for name, piece in super().contents().items() if name not in pieces}

    return Forgetful


class LosesMomentum(Agent):
    def contents(self) -> dict[str, Any]:
        contents = super().contents()
        return {**contents, "optimizer": {**contents["optimizer"], "state": {}}}


class LosesScale(Agent):
    """Scales its inputs by a running mean, a plain tensor that it does not save."""

    def __init__(self, config: Config, seed: int) -> None:
        super().__init__(config, seed)
        self.scale = torch.ones(())

    def update(self, batch: Any) -> None:
        self.scale = 0.9 * self.scale + 0.1 * batch[0]
        super().update((batch[0] * float(self.scale), batch[1]))


class Nondeterministic(LosesMomentum):
    """Learns something else every time, and loses its momentum, too."""

    _entropy = random.SystemRandom()

    def update(self, batch: Any) -> None:
        super().update((batch[0], self._entropy.random()))


class GlobalNoise(Agent):
    """Draws its noise from numpy's global generator, which no checkpoint of it holds."""

    def draw(self) -> float:
        return float(np.random.rand())


class SaveRaises(Agent):
    def contents(self) -> dict[str, Any]:
        raise AttributeError("'Agent' object has no attribute 'cnn_extractor'")


class LoadRaises(Agent):
    def restore(self, contents: dict[str, Any]) -> None:
        raise KeyError("actor_cnn_state_dict")


class LateRaises(Agent):
    """Restores itself so that it can no longer learn."""

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.optimizer = None  # type: ignore[assignment]


class SavesNothing(Agent):
    def save(self, path: Path) -> None:
        pass


class SavesEmptyFile(Agent):
    def save(self, path: Path) -> None:
        path.touch()


class LoadsNothing(Agent):
    def restore(self, contents: dict[str, Any]) -> None:
        pass


class NeverLearns(Agent):
    def update(self, batch: Any) -> None:
        self.total_it += 1


class StepsWhenSaved(Agent):
    def contents(self) -> dict[str, Any]:
        self.total_it += 1
        return super().contents()


class DrawsWhenSaved(GlobalNoise):
    def contents(self) -> dict[str, Any]:
        np.random.rand()
        return super().contents()


class SharesWhatItSaved(Agent):
    """Keeps checkpoints in memory; the file only says under which number."""

    _kept: dict[int, Any] = {}  # noqa: RUF012 - shared on purpose
    _numbers = itertools.count()

    def save(self, path: Path) -> None:
        number = next(self._numbers)
        self._kept[number] = self.contents()
        path.write_text(str(number))

    def load(self, path: Path) -> None:
        self.restore(self._kept[int(path.read_text())])


class EatsItsCheckpoint(Agent):
    def load(self, path: Path) -> None:
        super().load(path)
        path.write_bytes(path.read_bytes() + b"x")


class KeepsTheFirstCheckpoint(Agent):
    def save(self, path: Path) -> None:
        if not path.exists():
            super().save(path)


class FindsItsDataByPlace(Agent):
    """The checkpoint says where its data were written."""

    def save(self, path: Path) -> None:
        data = path.with_name("data").absolute()
        super().save(data)
        path.write_text(str(data))

    def load(self, path: Path) -> None:
        self.restore(torch.load(path.read_text(), weights_only=True))


class TakesTheHighestNumber(Agent):
    """Saves under the number of updates, and loads the highest."""

    def save(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        super().save(path / str(self.total_it))

    def load(self, path: Path) -> None:
        super().load(path / max((file.name for file in path.iterdir()), key=int))


class LeavesSettings(Agent):
    """Lets numpy raise from its first load on."""

    def restore(self, contents: dict[str, Any]) -> None:
        np.seterr(under="raise")
        super().restore(contents)


class KeepsOwnMomentum(Agent):
    """Restores momentum only where it has none yet."""

    def restore(self, contents: dict[str, Any]) -> None:
        if self.optimizer.state:
            own = self.optimizer.state_dict()["state"]
            contents = {**contents, "optimizer": {**contents["optimizer"], "state": own}}
        super().restore(contents)


class AddsToItsMemory(Agent):
    """Restores what it remembers behind what it remembers already."""

    def restore(self, contents: dict[str, Any]) -> None:
        own = list(self.memory)
        super().restore(contents)
        self.memory = collections.deque([*own, *self.memory], maxlen=3)


class StaleOptimizer(Agent):
    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.net = copy.deepcopy(self.net)


class BackInEvalMode(Agent):
    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.net.eval()


class Drifts(Agent):
    """Is restored as it was, but once restored saves something else."""

    restored = False

    def contents(self) -> dict[str, Any]:
        contents = super().contents()
        return {**contents, "gain": contents["gain"] * (0.5 if self.restored else 1.0)}

    def restore(self, contents: dict[str, Any]) -> None:
        super().restore(contents)
        self.restored = True


class KeepsTimes(Agent):
    """Keeps when each step was; a load leaves those of its own past in the list."""

    def __init__(self, config: Config, seed: int) -> None:
        super().__init__(config, seed)
        self.log: dict[str, list[float]] = collections.defaultdict(list)

    def update(self, batch: Any) -> None:
        super().update(batch)
        self.log["Time / update"].append(time.perf_counter())


class _Slotted:
    __slots__ = ("__sum",)

    def __init__(self) -> None:
        self.__sum = 0.0

    def __call__(self, x: float) -> None:
        self.__sum += x


def _running_sum() -> Any:
    total = 0.0

    def add(x: float) -> None:
        nonlocal total
        total += x

    return add


class Hides(Agent):
    """Holds a statistic of its training where no ``state_dict`` looks, and does not save it."""

    places = (
        "slot",
        "bound method",
        "closure",
        "deque",
        "partial",
        "list",
        "buffer",
    )

    def __init__(self, config: Config, seed: int, place: str) -> None:
        super().__init__(config, seed)
        total: list[float] = []
        buffer = nn.Module()
        buffer.register_buffer("total", torch.zeros(1), persistent=False)
        self.statistic: Any
        self.note: Any
        match place:
            case "slot":
                self.note = self.statistic = _Slotted()
            case "bound method":
                self.note = self.statistic = _Slotted().__call__
            case "closure":
                self.note = self.statistic = _running_sum()
            case "deque":
                self.statistic = collections.deque(maxlen=2)
                self.note = self.statistic.append
            case "partial":
                self.note = self.statistic = functools.partial(list.append, total)
            case "list":
                self.statistic, self.note = total, total.append
            case "buffer":
                self.statistic, self.note = buffer, buffer.total.add_

    def update(self, batch: Any) -> None:
        super().update(batch)
        self.note(float(batch[0]))


DEFECTS: dict[str, Any] = {
    "": Agent,
    "loses its network": _loses("net"),
    "loses its target": _loses("net_target"),
    "loses its momentum": LosesMomentum,
    "loses its schedule": _loses("schedule", "optimizer"),
    "loses its counter": _loses("total_it"),
    "loses its gain": _loses("gain"),
    "loses its noise": _loses("noise"),
    "loses its memory": _loses("memory"),
    "loses its scale": LosesScale,
    "is nondeterministic": Nondeterministic,
    "keeps times": KeepsTimes,
    "draws from the global generator": GlobalNoise,
    "save raises": SaveRaises,
    "load raises": LoadRaises,
    "step after load raises": LateRaises,
    "saves nothing": SavesNothing,
    "saves an empty file": SavesEmptyFile,
    "loads nothing": LoadsNothing,
    "never learns": NeverLearns,
    "steps when saved": StepsWhenSaved,
    "draws when saved": DrawsWhenSaved,
    "shares what it saved": SharesWhatItSaved,
    "eats its checkpoint": EatsItsCheckpoint,
    "finds its data by place": FindsItsDataByPlace,
    "takes the highest number": TakesTheHighestNumber,
    "leaves settings behind": LeavesSettings,
    "keeps its own momentum": KeepsOwnMomentum,
    "keeps the first checkpoint": KeepsTheFirstCheckpoint,
    "adds to its memory": AddsToItsMemory,
    "optimizer is stale": StaleOptimizer,
    "comes back in eval mode": BackInEvalMode,
    "takes the saved gain": Agent,  # which is wrong where the gain is the caller's
    "drifts": Drifts,
    **{f"hides in {place}": functools.partial(Hides, place=place) for place in Hides.places},
}

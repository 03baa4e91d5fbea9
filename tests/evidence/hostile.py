# SPDX-License-Identifier: MIT
"""Files as an enemy writes them: contents changed in type, value, key, shape or stride, and sealed again."""

from __future__ import annotations

import copy
import io
import math
import os
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from payloads import sealed
from same import same

from td3_core import TD3, CheckpointError, TD3Config, inspect_checkpoint, read_checkpoint
from td3_core.checkpoint.contents import SECTIONS, capture
from td3_core.checkpoint.format import parse_checkpoint
from td3_core.checkpoint.partial import PartialCheckpointWarning
from td3_core.checkpoint.plain_data import plain_data
from td3_core.config import OptimizerConfig, ScheduleConfig
from td3_core.training.environments import make_env
from td3_core.training.run import InexactResumeWarning, TrainingRun

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

#: Bytes that a process takes beside what it is asked for: pages, arenas, what was collected a moment ago.
_NOISE = 8 * 1024 * 1024
_MOST_SECONDS = 2.0


@dataclass
class Outcome:
    """What became of the files of one fuzzing run."""

    counts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    #: The first few files that ended otherwise than they should, in words.
    wrong: list[str] = field(default_factory=list)
    unnamed: int = 0
    longest_message: int = 0
    seconds: float = 0.0
    excess: int = 0


# -- what is changed -----------------------------------------------------------------------------------------


def _numbers(draw: random.Random) -> Any:
    integers = (
        -1,
        0,
        1,
        2,
        3,
        10**6,
        2**31,
        2**63 - 1,
        2**63,
        -(2**63),
        2**64,
        -(2**70),
        2**1300,
        -(2**2039),
    )
    floats = (0.0, -0.0, 0.5, -1.5, 1e300, -1e-300, 5e-324, math.nan, math.inf, -math.inf)
    return draw.choice([*integers, 2**2040, *floats, True, False, None])


def _tensors(draw: random.Random) -> torch.Tensor:
    dtype = draw.choice([torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool, torch.complex64])
    shape = draw.choice([(), (1,), (0,), (1, 1), (3,), (16, 5), (16, 3), (2, 0), (1,) * 9, (5056,)])
    value = draw.choice([0, 1, -1, 7, math.nan]) if dtype.is_floating_point else draw.choice([0, 1])
    tensor = torch.full(shape, value, dtype=dtype)
    if draw.random() < 0.3:
        tensor = tensor.expand(draw.choice([2, 1000]), *tensor.shape)
    return tensor


def _texts(draw: random.Random) -> Any:
    words = [
        "",
        "a",
        "Adam",
        "SGD",
        "Pendulum-v1",
        "os:Name-v0",
        "CarRacing-v3",
        "inf",
        "\x1b[31mred",
        "\0",
        "\ud800",
    ]
    word = draw.choice([*words, "cos", "MultiStepLR", "x" * 10_000, "\U0001f600" * 3000, "y" * 1_000_000])
    return word.encode(errors="surrogatepass") if draw.random() < 0.2 else word


def _containers(draw: random.Random) -> Any:
    size = draw.choice([0, 0, 1, 2, 50, 1001, 20_000])
    item = draw.choice([None, 1, -1, 0.5, "a", (), 2**62])
    kind = draw.choice(["list", "tuple", "names", "numbers", "colliding", "deep", "mixed"])
    if kind in ("list", "tuple"):
        return [item] * size if kind == "list" else (item,) * size
    if kind == "deep":
        value: Any = item
        for _ in range(min(size, 200)):
            value = [value]
        return value
    if kind == "mixed":
        return {1: item, "1": item, -1: item}
    step = {"names": 0, "numbers": 1, "colliding": 2**40}[kind]
    return {(f"{n}" if not step else n * step): item for n in range(size)}


def _anything(draw: random.Random) -> Any:
    return draw.choice([_numbers, _numbers, _tensors, _texts, _containers])(draw)


def _reshaped(tensor: torch.Tensor, draw: random.Random) -> Any:
    """A tensor like this one in other numbers, another dtype, shape or stride."""
    changed = tensor.clone(memory_format=torch.contiguous_format)
    kind = draw.choice(
        ["value", "dtype", "transposed", "expanded", "flat", "cut", "longer", "filled", "bytes"]
    )
    if kind == "value" and changed.numel():
        changed.view(-1)[draw.randrange(changed.numel())] = draw.choice([0, 1, 200])
    elif kind == "dtype":
        changed = changed.to(draw.choice([torch.float64, torch.bfloat16, torch.int32, torch.uint8]))
    elif kind == "transposed" and changed.dim() >= 2:
        changed = changed.transpose(0, 1).contiguous().transpose(0, 1)
    elif kind == "expanded" and changed.numel():
        changed = changed.flatten()[0].expand(changed.shape)
    elif kind == "flat":
        changed = changed.flatten()
    elif kind == "cut" and changed.dim():
        changed = changed[: len(changed) // 2]
    elif kind == "longer":
        changed = torch.cat([changed.flatten(), changed.flatten()])
    elif kind == "filled" and changed.is_floating_point():
        changed.fill_(draw.choice([math.nan, math.inf, -1.0, 0.5]))
    elif kind == "bytes" and changed.dtype == torch.uint8 and changed.numel() > 24:
        changed.view(-1)[draw.randrange(24)] = draw.randrange(256)
    return changed


def _altered(value: Any, draw: random.Random) -> Any:
    """Another value, near to this one or not at all."""
    if draw.random() < 0.4:
        return _anything(draw)
    if isinstance(value, torch.Tensor):
        return _reshaped(value, draw)
    if type(value) in (int, float):
        near = [-value, value + 1, [value]]
        if abs(value) < 10**15:
            near += [value * 10**12, value / 3, float(value), int(value)]
        return draw.choice(near)
    if isinstance(value, list | tuple) and value:
        other = draw.choice([value[:-1], value * 2, value[::-1], value[:20] * 2000])
        return draw.choice([other, tuple(other), list(other), dict(enumerate(other))])
    if isinstance(value, str):
        return value + draw.choice(["x", "\n", "-v1"])
    return {"inside": value}


def mutated(contents: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """The contents with one to three changes anywhere in them."""
    changed = copy.deepcopy(contents)
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        holder: Any = changed
        while True:
            key = draw.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
            inside = holder[key]
            if not (isinstance(inside, dict | list) and inside) or draw.random() < 0.1:
                break
            holder = inside
        kind = draw.choice(["alter", "alter", "alter", "alter", "delete", "rename", "add", "exchange"])
        if kind == "alter" or isinstance(holder, list):
            holder[key] = _altered(holder[key], draw)
        elif kind == "delete":
            del holder[key]
        elif kind == "rename":
            holder[_other_key(key, draw)] = holder.pop(key)
        elif kind == "add":
            holder.update({_other_key(key, draw): _anything(draw) for _ in range(draw.choice([1, 1, 3]))})
        else:
            other = draw.choice(list(holder))
            holder[key], holder[other] = holder[other], holder[key]
    return changed


def _other_key(key: Any, draw: random.Random) -> Any:
    return draw.choice(
        [0, -1, 7, 2**62, 2**64, "", "x", f"{key}x", "\x1b[31m", "z" * 5000, str(key)[:-1], key]
    )


def written(contents: dict[str, Any]) -> bytes:
    """What somebody who knows the format, and keeps to no limit, makes of contents."""
    file = io.BytesIO()
    torch.save(contents, file)
    return sealed(file.getvalue())


# -- what is done with it ------------------------------------------------------------------------------------


class Doors:
    """Every way to read a checkpoint of a small run; each returns whether what it loaded is the file's."""

    def __init__(self, folder: Path) -> None:
        self.path, self._again = folder / "hostile.pth", folder / "again.pth"
        schedules = [
            ScheduleConfig("MultiStepLR", {"milestones": (2, 9)}),
            ScheduleConfig("OneCycleLR", _CYCLE),
        ]
        optimizers = [OptimizerConfig("Adam", {"lr": 1e-3, "amsgrad": True}, schedules[0])]
        optimizers.append(OptimizerConfig("SGD", {"lr": 1e-3, "momentum": 0.9}, schedules[1]))
        config = TD3Config.tiny(
            "vector",
            vector_size=3,
            action_size=1,
            actor_hidden=(4,),
            critic_hidden=(4,),
            actor_optimizer=optimizers[0],
            critic_optimizer=optimizers[1],
        )
        env = make_env("Pendulum-v1")
        self.run = TrainingRun(TD3(config, 1), env, capacity=20, batch_size=4, learning_starts=5, seed=1)
        self.run.replay_buffer.segment_rows = _ROWS_OF_A_SEGMENT
        self.run.run(12)
        # Under a name of its own, so that its segments stay whatever the hostile file names.
        self.run.save(folder / "original.pth")
        self.contents = parse_checkpoint(folder / "original.pth")
        self.run.run(3)
        self.agent = TD3(config, 2)
        self.doors: list[Callable[[Any], bool]] = [
            self.read,
            self.load,
            self.load_partially,
            self.load_run,
            self.resume,
            self.inspect,
        ]

    def state(self) -> Any:
        """Everything that a refused file has to leave as it was."""
        return plain_data([capture(self.agent), capture(self.run.agent), self.run.steps], copy=True)

    def read(self, contents: Any) -> bool:
        return same(read_checkpoint(self.path), plain_data(contents))

    def inspect(self, contents: Any) -> bool:
        return inspect_checkpoint(self.path).format_version == 3

    def load(self, contents: Any) -> bool:
        self.agent.load_checkpoint(self.path)
        return self._is(self.agent, contents)

    def load_partially(self, contents: Any) -> bool:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", PartialCheckpointWarning)
            self.agent.load_checkpoint(self.path, allow_partial=True)
        return bool(caught) or "config" not in contents or self._is(self.agent, contents)

    def load_run(self, contents: Any) -> bool:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", InexactResumeWarning)
            self.run.load(self.path)
        return self._is(self.run.agent, contents) and (bool(caught) or self._is_run(self.run, contents))

    def resume(self, contents: Any) -> bool:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", InexactResumeWarning)
            run = TrainingRun.resume(self.path)
        run.env.close()
        return self._is(run.agent, contents) and (bool(caught) or self._is_run(run, contents))

    def _is(self, agent: TD3, contents: Any) -> bool:
        loaded, wanted = _ordered(plain_data(capture(agent))), _ordered(plain_data(contents))
        return all(same(loaded[key], wanted.get(key, loaded[key])) for key in SECTIONS)

    def _is_run(self, run: TrainingRun, contents: Any) -> bool:
        run.replay_buffer.segment_rows = _ROWS_OF_A_SEGMENT
        run.save(self._again)
        loaded, wanted = _ordered(parse_checkpoint(self._again)["run"]), _ordered(plain_data(contents)["run"])
        return all(same(loaded[key], wanted[key]) for key in loaded if key != "made_with")


def _ordered(value: Any) -> Any:
    """With the keys of all dicts in one order, which decides about nothing."""
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value, key=str)}
    return type(value)(map(_ordered, value)) if isinstance(value, list | tuple) else value


def _leaves(value: Any) -> list[torch.Tensor]:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] if isinstance(value, torch.Tensor) else [leaf for item in inside for leaf in _leaves(item)]


def _reset_peak() -> int:
    """Forget the most memory that this process had so far, and return what it has."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(kind: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"this system does not tell {kind}")


_ROWS_OF_A_SEGMENT = 5
_CYCLE = {"max_lr": 1e-2, "total_steps": 40}


def fuzz(files: int, draw: random.Random, folder: Path) -> Outcome:
    """Write ``files`` files that are none of ours, and open each in one of the ways there are."""
    doors, outcome = Doors(folder), Outcome()
    agent = sum(t.numel() * t.element_size() for t in _leaves(doors.contents)) * 2
    before = doors.state()
    for number in range(files):
        contents = mutated(doors.contents, draw)
        door = draw.choice(doors.doors)
        doors.path.write_bytes(written(contents))
        size, high = doors.path.stat().st_size, _reset_peak()
        started = time.process_time()
        try:
            right = door(contents)
            result = "loaded" if right else "differs"
        except CheckpointError as error:
            result = "refused"
            outcome.unnamed += str(doors.path) not in str(error)
            outcome.longest_message = max(outcome.longest_message, len(str(error)))
            outcome.errors["CheckpointError"] += 1
        except Exception as error:
            result = type(error).__name__
            outcome.errors[result] += 1
        seconds, excess = time.process_time() - started, _memory("VmHWM") - high - 2 * size - agent - _NOISE
        if result == "refused" and number % 10 == 0:
            changed = not same(before, doors.state()) and door not in (doors.read, doors.inspect)
            result = "changed" if changed else result
        if result == "loaded":
            before = doors.state()
        if seconds > _MOST_SECONDS:
            result = "slow"
        if excess > 0:
            result = "large"
        outcome.counts[result] += 1
        outcome.seconds, outcome.excess = max(outcome.seconds, seconds), max(outcome.excess, excess)
        if result not in ("loaded", "refused") and len(outcome.wrong) < 20:
            outcome.wrong.append(f"file {number}, {door.__name__}: {result}")
            kept = os.environ.get("HOSTILE_KEPT")
            if kept:
                Path(kept, f"{number}-{door.__name__}-{result}.pth").write_bytes(doors.path.read_bytes())
    doors.run.env.close()
    return outcome

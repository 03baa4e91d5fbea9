# SPDX-License-Identifier: MIT
"""The run that the training command works on: a new one, or one that a checkpoint holds."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from td3_core.agent import TD3
from td3_core.checkpoint.format import parse_checkpoint
from td3_core.checkpoint.partial import PartialCheckpointWarning
from td3_core.errors import CheckpointError, ConfigError
from td3_core.presets import config_for
from td3_core.training.environments import CAR_RACING, EnvError, make_env
from td3_core.training.output import refuse, say
from td3_core.training.run import InexactResumeWarning, TrainingRun

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.console import Console

#: What a resumed run takes from its file.
FIXED_BY_FILE = ("seed", "preset", "batch_size", "learning_starts", "buffer_size")


@dataclass(frozen=True)
class Settings:
    """What decides a new run, as given to the command or by default."""

    env: str | None
    preset: str
    seed: int
    batch_size: int
    learning_starts: int
    buffer_size: int

    def refuse_other(self, run: TrainingRun, given: Iterable[str], path: Path) -> None:
        """Refuse to continue the run in ``path`` if one of the options ``given`` says something else."""
        for name in given:
            if name == "preset":
                same = config_for(run.env, self.preset) == run.agent.config
            elif name == "buffer_size":
                same = self.buffer_size == run.replay_buffer.capacity
            else:
                same = getattr(self, name) == getattr(run, name)
            if not same:
                option = f"--{name.replace('_', '-')} {getattr(self, name)}"
                refuse(
                    f"the run in {path} has another setting than {option}; choose another --checkpoint-dir"
                )


def started(settings: Settings) -> TrainingRun:
    """A new run."""
    try:
        env = make_env(settings.env or CAR_RACING)
        return TrainingRun(
            TD3(config_for(env, settings.preset), settings.seed),
            env,
            capacity=settings.buffer_size,
            batch_size=settings.batch_size,
            learning_starts=settings.learning_starts,
            seed=settings.seed,
        )
    except (EnvError, ConfigError) as error:
        refuse(str(error))
    except (MemoryError, ValueError) as error:
        # What is left to go wrong is the allocation of the replay buffer.
        refuse(f"--buffer-size {settings.buffer_size} does not fit into memory ({error}); give a smaller one")


def holds_run(path: Path) -> bool:
    """Whether there is a training run in a checkpoint, and not an agent alone."""
    try:
        return "run" in parse_checkpoint(path, unversioned=True)
    except CheckpointError as error:
        refuse(str(error))


def take_what_there_is(run: TrainingRun, path: Path, out: Console) -> None:
    """Load a checkpoint that lacks pieces into the agent of a new run, and print which start fresh."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", PartialCheckpointWarning)
            run.agent.load_checkpoint(path, allow_partial=True)
    except CheckpointError as error:
        refuse(f"{error}; choose the environment and the preset that it was trained with")
    for warning in caught:
        say(out, f"Partial: {warning.message}.")
    say(out, "The replay buffer, the episode and the count of steps start fresh.")


def resumed(path: Path, env: str | None, out: Console) -> TrainingRun:
    """The run in a checkpoint; what makes it go on differently than it would have is printed."""
    if not path.exists():
        others = [other for other in path.parent.glob("*.pth") if other.is_file() and not other.is_symlink()]
        others.sort(key=lambda other: other.stat().st_mtime)
        advice = f"the newest one there is {others[-1]}" if others else "leave --resume out to start anew"
        refuse(f"there is no checkpoint {path}; {advice}")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", InexactResumeWarning)
            run = TrainingRun.resume(path, env=env)
    except EnvError as error:
        refuse(f"{path} cannot be continued here: {error}")
    except CheckpointError as error:
        refuse(f"{error}; choose another file for --resume")
    for warning in caught:
        if issubclass(warning.category, InexactResumeWarning):
            say(out, f"Not exact: {warning.message}.")
    return run

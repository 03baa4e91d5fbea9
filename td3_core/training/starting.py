# SPDX-License-Identifier: MIT
"""The run that the training command works on: a new one, or one that a checkpoint holds."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from td3_core.agent import TD3
from td3_core.checkpoint.format import parse_checkpoint
from td3_core.checkpoint.partial import PartialCheckpointWarning
from td3_core.errors import CheckpointError, ConfigError
from td3_core.presets import config_for, is_config_for
from td3_core.training.environments import CAR_RACING, EnvError, make_env, name_of
from td3_core.training.inspecting import newest_intact
from td3_core.training.kept import checkpoints_in
from td3_core.training.metrics import has_rows
from td3_core.training.output import refuse, say
from td3_core.training.run import InexactResumeWarning, TrainingRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

#: What a resumed run takes from its file.
FIXED_BY_FILE = ("seed", "preset", "batch_size", "learning_starts", "buffer_size")
#: In the place of a file: the newest one that is intact, if there is any.
AUTO = Path("auto")
_DEFAULT_FOLDER = Path("checkpoints")


@dataclass(frozen=True)
class Settings:
    """What decides a new run; ``given`` names the options among them that were given to the command."""

    env: str | None
    preset: str
    seed: int
    batch_size: int
    learning_starts: int
    buffer_size: int
    given: Sequence[str]

    def refuse_given(self, path: Path) -> None:
        """Refuse options beside a file that decides them."""
        for name in self.given:
            option = "--" + name.replace("_", "-")
            refuse(f"{option} is decided by {path}; leave it out, or start anew without --resume")

    def refuse_other(self, run: TrainingRun, path: Path) -> None:
        """Refuse to continue the run in ``path`` if an option that was given says something else."""
        for name in self.given:
            if name == "preset":
                same = is_config_for(run.agent.config, run.env, self.preset)
            elif name == "buffer_size":
                same = self.buffer_size == run.replay_buffer.capacity
            else:
                same = getattr(self, name) == getattr(run, name)
            if not same:
                option = f"--{name.replace('_', '-')} {getattr(self, name)}"
                refuse(
                    f"the run in {path} has another setting than {option}; choose another --checkpoint-dir"
                )


@dataclass(frozen=True)
class Start:
    """Where a call of the command begins.

    Attributes:
        run: What is trained.
        resumed: The checkpoint that the run was in, or None for a new one.
        folder: Where its checkpoints and episodes are written.
    """

    run: TrainingRun
    resumed: Path | None
    folder: Path


def begin(
    settings: Settings,
    steps: int,
    resume: Path | None,
    *,
    allow_partial: bool,
    checkpoint_dir: Path | None,
    out: Console,
) -> Start:
    """The run that the options ask for, announced; nothing has been written yet.

    What cannot be carried out ends the command.
    """
    automatic = resume == AUTO
    if allow_partial and (resume is None or automatic):
        refuse("--allow-partial is about a file; give one with --resume")
    if automatic:
        resume = _newest(checkpoint_dir or _DEFAULT_FOLDER, out)
    folder = checkpoint_dir or (_DEFAULT_FOLDER if resume is None else resume.parent)
    if resume is None or (allow_partial and not _holds_run(resume)):
        if not automatic:
            _refuse_occupied(folder, resume)
        run = _started(settings)
        if resume is not None:
            _take_what_there_is(run, resume, out)
        say(out, f"Training in {name_of(run.env)} from step 0 to {steps}, seed {settings.seed}.")
        if steps <= settings.learning_starts:
            say(out, f"Note: --learning-starts {settings.learning_starts} leaves no step to learn in.")
        return Start(run, None, folder)
    if not automatic:
        settings.refuse_given(resume)
        if folder.resolve() != resume.parent.resolve():
            _refuse_occupied(folder, resume)
    run = _resumed(resume, settings.env, out)
    if automatic:
        settings.refuse_other(run, resume)
    if steps <= run.steps:
        _nothing_left(run, resume, steps, out, automatic=automatic)
    say(out, f"Resuming {resume} in {name_of(run.env)}: from step {run.steps} to {steps}.")
    return Start(run, resume, folder)


def _newest(folder: Path, out: Console) -> Path | None:
    found = newest_intact(folder, lambda error: say(out, f"Skipped: {error}."))
    if found is None:
        say(out, f"There is no intact checkpoint in {folder}: starting anew.")
    return found


def _refuse_occupied(folder: Path, source: Path | None) -> None:
    """Refuse to begin where a run has left episodes or checkpoints, which this one would replace.

    Args:
        folder: Where the run would write.
        source: A checkpoint that it begins with, which may be there.
    """
    own = None if source is None else source.resolve()
    if has_rows(folder / "metrics.csv") or any(path.resolve() != own for path in checkpoints_in(folder)):
        refuse(
            f"the folder {folder} holds a run already; continue that with --resume auto, or choose another "
            "folder with --checkpoint-dir"
        )


def _started(settings: Settings) -> TrainingRun:
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


def _holds_run(path: Path) -> bool:
    try:
        return "run" in parse_checkpoint(path, unversioned=True)
    except CheckpointError as error:
        refuse(str(error))


def _take_what_there_is(run: TrainingRun, path: Path, out: Console) -> None:
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


def _resumed(path: Path, env: str | None, out: Console) -> TrainingRun:
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


def _nothing_left(run: TrainingRun, path: Path, steps: int, out: Console, *, automatic: bool) -> NoReturn:
    run.env.close()
    if automatic:
        say(out, f"{path} is at step {run.steps} already: nothing is left to do.")
        raise typer.Exit
    refuse(
        f"{path} is at step {run.steps} already, and --steps {steps} counts from the start of the run; "
        f"give more than {run.steps}"
    )

# SPDX-License-Identifier: MIT
"""The command that trains a TD3 agent, and continues where an earlier call of it stopped."""

from __future__ import annotations

import shlex
import signal
import sys
import warnings
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import torch
import typer
from rich.console import Console

from td3_core.agent import TD3
from td3_core.checkpoint.format import inspect_checkpoint, parse_checkpoint
from td3_core.checkpoint.partial import PartialCheckpointWarning
from td3_core.errors import CheckpointError, ConfigError
from td3_core.presets import PRESETS, config_for
from td3_core.training.environments import CAR_RACING, EnvError, is_registered, make_env, name_of
from td3_core.training.metrics import MetricsFile
from td3_core.training.progress import ProgressDisplay
from td3_core.training.run import InexactResumeWarning, TrainingRun

if TYPE_CHECKING:
    from types import FrameType, TracebackType

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")

#: What a resumed run takes from its file; given together with --resume, each is a mistake.
_FIXED_BY_FILE = ("seed", "preset", "batch_size", "learning_starts", "buffer_size")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Entry point of the console script ``td3-train``: says what is wrong in one sentence, then exits."""
    try:
        status = app(arguments, standalone_mode=False)
    except Exception as error:
        # Where typer's usage errors live differs between its versions; what they can do does not.
        if not hasattr(error, "format_message"):
            raise
        typer.echo(f"Error: {error.format_message().rstrip('.')}; see {_program()} --help.", err=True)
        status = 2
    sys.exit(status)


def _inspect(path: Path | None) -> None:
    """Print what a checkpoint says of itself, and end the program."""
    if path is None:
        return
    try:
        identity = inspect_checkpoint(path)
    except CheckpointError as error:
        _refuse(str(error))
    for name, value in asdict(identity).items():
        typer.echo(f"{name}: {value}")
    typer.echo("seal: intact")
    raise typer.Exit


@app.command()
def train(
    context: typer.Context,
    env: Annotated[
        str | None,
        typer.Argument(
            metavar="ENV",
            help="Gymnasium environment with continuous actions, such as Pendulum-v1.",
            show_default=CAR_RACING,
        ),
    ] = None,
    *,
    steps: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Train until this step, counted from the start of the run."),
    ],
    resume: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Continue the run in this checkpoint, exactly where it stopped."),
    ] = None,
    allow_partial: Annotated[
        bool,
        typer.Option(
            "--allow-partial",
            help="With --resume: take what there is from a file that lacks pieces or holds no run, and say "
            "what starts fresh.",
        ),
    ] = False,
    _inspected: Annotated[
        Path | None,
        typer.Option(
            "--inspect",
            metavar="FILE",
            is_eager=True,
            callback=_inspect,
            help="Verify this checkpoint, print what it is without loading it, and exit.",
        ),
    ] = None,
    checkpoint_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder for td3_STEP.pth and metrics.csv.",
            show_default="checkpoints; with --resume, the folder of that file",
        ),
    ] = None,
    save_every: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Also save each time this many steps are done; 0: only at the end."
        ),
    ] = 0,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Decides the first weights and all randomness.")
    ] = 0,
    preset: Annotated[
        str, typer.Option(metavar="NAME", help=f"Size of the agent: {', '.join(PRESETS)}.")
    ] = "small",
    batch_size: Annotated[int, typer.Option(min=1, metavar="N", help="Transitions per update.")] = 64,
    learning_starts: Annotated[
        int, typer.Option(min=0, metavar="N", help="Random steps at the beginning, before learning starts.")
    ] = 500,
    buffer_size: Annotated[
        int, typer.Option(min=1, metavar="N", help="Transitions the replay buffer holds.")
    ] = 50_000,
    threads: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Threads torch computes with. The number changes the last bits of gradients, so a run is "
            "repeated exactly only with the same one.",
        ),
    ] = 1,
) -> None:
    """Train a TD3 agent and save it with everything that decides how its training goes on.

    A run that is saved and continued ends in the same state, byte for byte, as one that never stopped:
    the checkpoint holds the agent, the replay buffer, the random generators and the place in the current
    episode. Ctrl-C finishes the step, saves, and prints the command that continues.

    - `td3-train --steps 1000`
    - `td3-train --resume checkpoints/td3_1000.pth --steps 2000`
    - `td3-train Pendulum-v1 --steps 20000 --checkpoint-dir pendulum`
    - `td3-train --inspect checkpoints/td3_1000.pth`

    Exit codes: 0 done; 1 a checkpoint could not be saved; 2 the command cannot be carried out as given;
    130 stopped by Ctrl-C, or 143 by SIGTERM, with the run saved.
    """
    console = Console()
    torch.set_num_threads(threads)
    with Interrupts() as interrupts:
        if allow_partial and resume is None:
            _refuse("--allow-partial is about a file; give one with --resume")
        if resume is None or (allow_partial and not _holds_run(resume)):
            folder = checkpoint_dir or (Path("checkpoints") if resume is None else resume.parent)
            run = _started(
                env or CAR_RACING,
                preset,
                capacity=buffer_size,
                batch_size=batch_size,
                learning_starts=learning_starts,
                seed=seed,
            )
            if resume is not None:
                _take_what_there_is(run, resume, console)
            _say(console, f"Training in {name_of(run.env)} from step 0 to {steps}, seed {seed}.")
            if steps <= learning_starts:
                _say(console, f"Note: --learning-starts {learning_starts} leaves no step to learn in.")
        else:
            _refuse_options_of_the_file(context, resume)
            folder = checkpoint_dir or resume.parent
            run = _resumed(resume, env, steps, console)
            _say(console, f"Resuming {resume} in {name_of(run.env)}: from step {run.steps} to {steps}.")
        with closing(run.env), closing(_metrics_in(folder, run, resume)) as metrics:
            with ProgressDisplay(run, steps, console) as display:
                while run.steps < steps and interrupts.received is None:
                    finished = run.step()
                    if finished is not None:
                        metrics.add(finished)
                    display.update()
                    if save_every and run.steps % save_every == 0 and run.steps < steps:
                        _save(run, folder)
            saved = _save(run, folder)
    stopped = run.steps < steps
    _say(console, f"Saved step {run.steps} to {saved}; episodes are in {metrics.path}.")
    name = name_of(run.env)
    command = [_program(), *([] if is_registered(name) else [shlex.quote(name)])]
    command += [f"--resume {shlex.quote(str(saved))}"]
    command += [f"--steps {steps if stopped else 2 * steps}"]
    command += [f"--save-every {save_every}"] if save_every else []
    command += [f"--threads {threads}"] if threads > 1 else []
    _say(console, f"{'Continue' if stopped else 'Train longer'} with: {' '.join(command)}")
    if stopped and interrupts.received is not None:
        raise typer.Exit(128 + interrupts.received)


class Interrupts:
    """Turns the first Ctrl-C or SIGTERM into a wish to stop; the second acts at once."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        self._before = {number: signal.signal(number, self._receive) for number in self._SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None:
            typer.echo("Stopped at once, without saving.", err=True)
            raise SystemExit(128 + number)
        self.received = number


def _started(name: str, preset: str, **settings: int) -> TrainingRun:
    try:
        env = make_env(name)
        return TrainingRun(TD3(config_for(env, preset), settings["seed"]), env, **settings)
    except (EnvError, ConfigError) as error:
        _refuse(str(error))
    except (MemoryError, ValueError) as error:
        # What is left to go wrong is the allocation of the replay buffer.
        _refuse(
            f"--buffer-size {settings['capacity']} does not fit into memory ({error}); give a smaller one"
        )


def _holds_run(path: Path) -> bool:
    try:
        return "run" in parse_checkpoint(path, unversioned=True)
    except CheckpointError as error:
        _refuse(str(error))


def _take_what_there_is(run: TrainingRun, path: Path, console: Console) -> None:
    """Load a checkpoint that lacks pieces into the agent of a new run, and print which start fresh."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", PartialCheckpointWarning)
            run.agent.load_checkpoint(path, allow_partial=True)
    except CheckpointError as error:
        _refuse(f"{error}; choose the environment and the preset that it was trained with")
    for warning in caught:
        _say(console, f"Partial: {warning.message}.")
    _say(console, "The replay buffer, the episode and the count of steps start fresh.")


def _resumed(path: Path, env: str | None, steps: int, console: Console) -> TrainingRun:
    if not path.exists():
        others = sorted(path.parent.glob("*.pth"), key=lambda other: other.stat().st_mtime)
        advice = f"the newest one there is {others[-1]}" if others else "leave --resume out to start anew"
        _refuse(f"there is no checkpoint {path}; {advice}")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", InexactResumeWarning)
            run = TrainingRun.resume(path, env=env)
    except EnvError as error:
        _refuse(f"{path} cannot be continued here: {error}")
    except CheckpointError as error:
        _refuse(f"{error}; choose another file for --resume")
    if steps <= run.steps:
        _refuse(
            f"{path} is at step {run.steps} already, and --steps {steps} counts from the start of the run; "
            f"give more than {run.steps}"
        )
    for warning in caught:
        if issubclass(warning.category, InexactResumeWarning):
            _say(console, f"Not exact: {warning.message}.")
    return run


def _refuse_options_of_the_file(context: typer.Context, path: Path) -> None:
    for name in _FIXED_BY_FILE:
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            option = "--" + name.replace("_", "-")
            _refuse(f"{option} is decided by {path}; leave it out, or start anew without --resume")


def _metrics_in(folder: Path, run: TrainingRun, resume: Path | None) -> MetricsFile:
    """The metrics file in a folder, with the rows that stand beside the checkpoint that is resumed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        elsewhere = resume is not None and not resume.parent.samefile(folder)
        earlier = resume.parent / "metrics.csv" if resume is not None and elsewhere else None
        return MetricsFile(folder / "metrics.csv", run.steps, earlier=earlier)
    except OSError as error:
        _refuse(
            f"cannot write to the folder {folder} ({error.strerror}); choose another with --checkpoint-dir"
        )


def _save(run: TrainingRun, folder: Path) -> Path:
    path = folder / f"td3_{run.steps}.pth"
    try:
        run.save(path)
    except CheckpointError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
    return path


def _program() -> str:
    return "td3-train" if Path(sys.argv[0]).stem == "td3-train" else "python -m td3_core.training.command"


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _refuse(sentence: str) -> NoReturn:
    typer.echo(f"Error: {sentence}" + ("" if sentence.endswith("?") else "."), err=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    main()

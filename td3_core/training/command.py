# SPDX-License-Identifier: MIT
"""The command that trains a TD3 agent, and continues where an earlier call of it stopped."""

from __future__ import annotations

import shlex
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, NoReturn

import torch
import typer

from td3_core.errors import CheckpointError
from td3_core.presets import PRESETS
from td3_core.training.environments import CAR_RACING, is_registered, name_of
from td3_core.training.inspecting import facts_about
from td3_core.training.loop import Saving, train_until
from td3_core.training.output import console, refuse, say
from td3_core.training.save_every import SaveEvery
from td3_core.training.starting import AUTO, FIXED_BY_FILE, Settings, begin
from td3_core.training.stop_signals import NOTHING_TO_SAVE, StopSignals

app: typer.Typer = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)


def main(arguments: list[str] | None = None, *, signals: StopSignals | None = None) -> NoReturn:
    """Carry out the command, or say what is wrong in one sentence, then exit.

    Args:
        arguments: Those of the command; by default, those of the program.
        signals: Where they have been taken over already.
    """
    try:
        with nullcontext(signals) if signals is not None else StopSignals() as taken_over:
            taken_over.everything_is_imported()
            status = app(arguments, standalone_mode=False, obj=taken_over)
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
        facts = facts_about(path)
    except CheckpointError as error:
        refuse(str(error))
    out = console()
    for name, value in facts.items():
        say(out, f"{name}: {value}")
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
        typer.Option(
            metavar="FILE|auto",
            help="Continue the run in this checkpoint, exactly where it stopped; auto: in the newest intact "
            "one of --checkpoint-dir, or start anew if there is none.",
        ),
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
            help="Verify this checkpoint with its replay buffer, print what it is, and exit.",
        ),
    ] = None,
    checkpoint_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder for td3_STEP.pth, latest.pth, replay and metrics.csv.",
            show_default="checkpoints; with --resume, the folder of that file",
        ),
    ] = None,
    save_every: Annotated[
        str,
        typer.Option(
            metavar="N|Nm",
            help="Also save each time this many steps are done or, as 5m, minutes have passed; 0: only at "
            "the end.",
        ),
    ] = "0",
    keep: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Keep the newest N checkpoints and remove earlier ones."),
    ] = None,
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
    episode. Ctrl-C finishes the step, saves, and prints the command that continues. So do SIGTERM, SIGHUP,
    SIGUSR1 and SIGXCPU, which schedulers send before they end a job.

    - `td3-train --steps 1000`
    - `td3-train --resume checkpoints/td3_1000.pth --steps 2000`
    - `td3-train Pendulum-v1 --steps 20000 --checkpoint-dir pendulum`
    - `td3-train --steps 1000000 --resume auto --save-every 5m --keep 3`, in a job that may be ended
    - `td3-train --inspect checkpoints/td3_1000.pth`

    Exit codes: 0 done; 1 a checkpoint could not be saved; 2 the command cannot be carried out as given;
    130 stopped by Ctrl-C, or 128 and the number of another signal, with the run saved.
    """
    signals: StopSignals = context.obj
    out = console()
    torch.set_num_threads(threads)
    try:
        schedule = SaveEvery(save_every)
    except ValueError as error:
        refuse(f"--save-every {error}")
    start = begin(
        Settings(env, preset, seed, batch_size, learning_starts, buffer_size, _given(context)),
        steps,
        resume,
        allow_partial=allow_partial,
        checkpoint_dir=checkpoint_dir,
        out=out,
    )
    if signals.received is not None:
        start.run.env.close()
        typer.echo(NOTHING_TO_SAVE, err=True)
        raise typer.Exit(128 + signals.received)
    saved = train_until(steps, start, Saving(schedule, keep), signals, out)
    stopped = start.run.steps < steps
    if resume == AUTO:
        say(out, "Continue with the same command." if stopped else "Train longer with more --steps.")
    else:
        name = name_of(start.run.env)
        command = [_program(), *([] if is_registered(name) else [shlex.quote(name)])]
        command += [f"--resume {shlex.quote(str(saved))}"]
        command += [f"--steps {steps if stopped else 2 * steps}"]
        command += [f"--save-every {save_every}"] if save_every != "0" else []
        command += [f"--keep {keep}"] if keep is not None else []
        command += [f"--threads {threads}"] if threads > 1 else []
        say(out, f"{'Continue' if stopped else 'Train longer'} with: {' '.join(command)}")
    if stopped and signals.received is not None:
        raise typer.Exit(128 + signals.received)


def _given(context: typer.Context) -> list[str]:
    """The options that were given on the command line."""
    sources = {name: context.get_parameter_source(name) for name in FIXED_BY_FILE}
    return [name for name, source in sources.items() if source is not None and source.name != "DEFAULT"]


def _program() -> str:
    return "td3-train" if Path(sys.argv[0]).stem == "td3-train" else "python -m td3_core.training"

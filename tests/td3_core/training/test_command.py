# SPDX-License-Identifier: MIT
"""The td3-train command: what it writes, how it goes on, how it stops, and what it says about mistakes."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch

from td3_core import TD3, CheckpointError, TD3Config, read_checkpoint
from td3_core.checkpoint.format import parse_checkpoint, write_checkpoint
from td3_core.training.command import main
from td3_core.training.run import TrainingRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = [
    "Pendulum-v1",
    "--preset",
    "tiny",
    "--learning-starts",
    "20",
    "--batch-size",
    "4",
    "--buffer-size",
    "300",
]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return int(stopped.value.code or 0)


def signal_at(step: int, number: signal.Signals, monkeypatch: pytest.MonkeyPatch, *, times: int = 1) -> None:
    """Let the process receive a signal in the middle of a step of the run."""
    whole = TrainingRun.step

    def interrupted(training: TrainingRun) -> Any:
        if training.steps == step - 1:
            for _ in range(times):
                signal.raise_signal(number)
        return whole(training)

    monkeypatch.setattr(TrainingRun, "step", interrupted)


def test_a_run_writes_its_checkpoint_and_its_episodes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*QUICK, "--steps", "210", "--seed", "3") == 0
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "latest.pth",
        "metrics.csv",
        "td3_210.pth",
    ]
    written = read_checkpoint("checkpoints/td3_210.pth")
    assert (written["total_it"], written["run"]["steps"]) == (190, 210)
    assert written["run"]["settings"] == {"capacity": 300, "batch_size": 4, "learning_starts": 20, "seed": 3}
    header, row = (tmp_path / "checkpoints/metrics.csv").read_text().splitlines()
    assert header == "episode,step,return,length,critic_loss,actor_loss"
    episode = written["run"]["last_episode"]
    losses = episode["losses"]
    assert row == f"1,200,{episode['total_reward']},200,{losses['critic_loss']},{losses['actor_loss']}"
    output = capsys.readouterr().out
    assert "Training in Pendulum-v1 from step 0 to 210, seed 3." in output
    assert "step 210/210" in output
    assert "Saved step 210 to checkpoints/td3_210.pth; episodes are in checkpoints/metrics.csv." in output


def test_torch_computes_with_as_many_threads_as_wanted() -> None:
    for threads in (2, 1):
        assert run(*QUICK, "--steps", "1", "--threads", str(threads), "--checkpoint-dir", str(threads)) == 0
        assert torch.get_num_threads() == threads


def test_a_resumed_run_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    assert run(*QUICK, "--steps", "240", "--checkpoint-dir", "whole") == 0
    assert run(*QUICK, "--steps", "130", "--checkpoint-dir", "halves") == 0
    # The rows of a run that went further, and was then given up, must not stay.
    (tmp_path / "halves/metrics.csv").write_text("episode,step\n1,100\n2,180\n")
    command = [
        sys.executable,
        "-m",
        "td3_core.training",
        "--resume",
        "halves/td3_130.pth",
        "--steps",
        "240",
    ]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    assert "Resuming halves/td3_130.pth in Pendulum-v1: from step 130 to 240." in result.stdout
    assert "Not exact" not in result.stdout
    assert "python -m td3_core.training --resume halves/td3_240.pth --steps 480" in result.stdout
    for name in ("td3_240.pth", "metrics.csv"):
        assert (tmp_path / "halves" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_save_every_saves_on_the_way_and_changes_nothing(tmp_path: Path) -> None:
    assert run(*QUICK, "--steps", "60", "--checkpoint-dir", "plain") == 0
    assert run(*QUICK, "--steps", "60", "--checkpoint-dir", "often", "--save-every", "25") == 0
    saved = sorted(path.name for path in (tmp_path / "often").glob("td3_*.pth"))
    assert saved == ["td3_25.pth", "td3_50.pth", "td3_60.pth"]
    assert (tmp_path / "often/td3_60.pth").read_bytes() == (tmp_path / "plain/td3_60.pth").read_bytes()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_finishes_the_step_saves_and_says_how_to_go_on(
    number: signal.Signals,
    status: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(*QUICK, "--steps", "70", "--checkpoint-dir", "whole") == 0
    before = signal.getsignal(number)
    with monkeypatch.context() as patched:
        signal_at(42, number, patched)
        assert run(*QUICK, "--steps", "70", "--checkpoint-dir", "a run", "--save-every", "60") == status
    assert signal.getsignal(number) is before
    output = capsys.readouterr().out
    assert "Saved step 42 to a run/td3_42.pth" in output
    advised = output.splitlines()[-1].removeprefix("Continue with: python -m td3_core.training ")
    assert advised == "--resume 'a run/td3_42.pth' --steps 70 --save-every 60"
    assert run(*shlex.split(advised)) == 0
    assert (tmp_path / "a run/td3_70.pth").read_bytes() == (tmp_path / "whole/td3_70.pth").read_bytes()


def test_a_second_interrupt_stops_at_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    signal_at(30, signal.SIGINT, monkeypatch, times=2)
    assert run(*QUICK, "--steps", "60") == 130
    assert "Stopped at once, without saving." in capfd.readouterr().err
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["metrics.csv"]


def test_an_interrupt_in_the_last_step_is_a_finished_run(monkeypatch: pytest.MonkeyPatch) -> None:
    signal_at(30, signal.SIGINT, monkeypatch)
    assert run(*QUICK, "--steps", "30") == 0


def test_a_failed_save_is_said_and_shows_in_the_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: TrainingRun, path: Path) -> None:
        raise CheckpointError(f"{path} cannot be written: No space left on device")

    monkeypatch.setattr(TrainingRun, "save", full)
    assert run(*QUICK, "--steps", "5") == 1
    assert "Error: checkpoints/td3_5.pth cannot be written: No space left" in capsys.readouterr().err


def test_what_makes_a_resume_inexact_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*QUICK, "--steps", "30") == 0
    data = parse_checkpoint("checkpoints/td3_30.pth")
    data["run"]["made_with"]["torch"] = "1.0"
    data["run"]["episode"]["actions"][4] = 0.0
    write_checkpoint("old.pth", data)
    assert run("--resume", "old.pth", "--steps", "40") == 0
    output = capsys.readouterr().out
    assert "Not exact: the run was saved with torch 1.0 and continues with" in output
    assert "so a fresh episode starts: after step 5 of 30 of the episode" in output
    assert (tmp_path / "td3_40.pth").exists()


def test_a_run_too_short_to_learn_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*QUICK, "--steps", "20") == 0
    assert "--learning-starts 20 leaves no step to learn in." in capsys.readouterr().out


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    output = capsys.readouterr().out
    options = ["steps", "resume", "checkpoint-dir", "save-every", "seed", "preset", "batch-size"]
    for option in [*options, "learning-starts", "buffer-size", "threads"]:
        assert f"--{option} " in output


@pytest.fixture
def saved() -> None:
    """Files of four kinds to resume from; only the first can be."""
    run(*QUICK, "--steps", "25")
    TD3(TD3Config.tiny("vector"), seed=0).save_checkpoint("agent.pth")
    with open("checkpoints/td3_25.pth", "rb") as whole, open("cut.pth", "wb") as cut:
        cut.write(whole.read()[:-500])


RUN = ["--resume", "checkpoints/td3_25.pth", "--steps", "50"]
NEW = ["--checkpoint-dir", "new"]
MISTAKES = {
    "occupied folder": (["Pendulum-v1", "--steps", "50"], "the folder checkpoints holds a run already"),
    "unknown environment": (
        ["Pendulm-v1", "--steps", "5", *NEW],
        "there is no environment 'Pendulm-v1'; did you mean 'Pendulum-v1'?",
    ),
    "discrete actions": (
        ["CartPole-v1", "--steps", "5", *NEW],
        "'CartPole-v1' has the action space Discrete(2)",
    ),
    "no steps": (["Pendulum-v1"], "Missing option '--steps'"),
    "zero steps": (["--steps", "0"], "Invalid value for '--steps'"),
    "not a number": (["--steps", "many"], "Invalid value for '--steps'"),
    "unknown option": (["--stps", "5"], "--stps"),
    "unknown preset": (
        ["Pendulum-v1", "--steps", "5", "--preset", "big", *NEW],
        "there is no preset 'big'; choose one of small, tiny, nature",
    ),
    "preset for images": (
        ["Pendulum-v1", "--steps", "5", "--preset", "nature", *NEW],
        "preset 'nature' needs images",
    ),
    "buffer": ([*QUICK, "--steps", "5", "--buffer-size", str(10**17), *NEW], "does not fit into memory"),
    "folder": (
        ["Pendulum-v1", "--steps", "5", "--checkpoint-dir", "cut.pth"],
        "choose another with --checkpoint-dir",
    ),
    "missing file": (
        ["--resume", "checkpoints/td3_24.pth", "--steps", "50"],
        "there is no checkpoint checkpoints/td3_24.pth; the newest one there is checkpoints/td3_25.pth",
    ),
    "missing folder": (
        ["--resume", "elsewhere/td3_24.pth", "--steps", "50"],
        "there is no checkpoint elsewhere/td3_24.pth; leave --resume out to start anew",
    ),
    "cut file": (["--resume", "cut.pth", "--steps", "50"], "cut.pth"),
    "agent only": (
        ["--resume", "agent.pth", "--steps", "50"],
        "agent.pth holds an agent but no training run",
    ),
    "too few steps": (
        ["--resume", "checkpoints/td3_25.pth", "--steps", "25"],
        "is at step 25 already, and --steps 25 counts from the start of the run; give more than 25",
    ),
    "other environment": (
        ["CarRacing-v3", *RUN],
        "checkpoints/td3_25.pth is a run in 'Pendulum-v1', not in 'CarRacing-v3'",
    ),
    "option of the file": ([*RUN, "--batch-size", "4"], "--batch-size is decided by checkpoints/td3_25.pth"),
}


@pytest.mark.parametrize("case", MISTAKES)
@pytest.mark.usefixtures("saved")
def test_mistakes_are_one_sentence_and_exit_code_2(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, message = MISTAKES[case]
    capsys.readouterr()
    assert run(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert message in line


def test_a_missing_extra_is_a_mistake_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("gymnasium.envs.box2d.car_racing", "gymnasium.envs.box2d"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "Box2D", None)
    assert run("--steps", "5") == 2
    assert "pip install 'td3-verification[train]'" in capsys.readouterr().err

# SPDX-License-Identifier: MIT
"""Training that is ended from outside and started again with the same command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from test_command import QUICK, run, signal_at

from td3_core import TD3, TD3Config
from td3_core.checkpoint.format import parse_checkpoint, write_checkpoint
from td3_core.training import kept, starting
from td3_core.training.environments import make_env
from td3_core.training.run import TrainingRun
from td3_core.training.save_every import SaveEvery
from td3_core.training.stop_signals import StopSignals

if TYPE_CHECKING:
    from collections.abc import Iterator

EVIDENCE = Path(__file__).parents[2] / "evidence"
AUTO = [*QUICK, "--resume", "auto", "--checkpoint-dir", "job"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def saved_in(folder: str) -> list[str]:
    return [path.name for path in kept.checkpoints_in(Path(folder))]


def damage(path: str) -> None:
    content = bytearray(Path(path).read_bytes())
    content[len(content) // 2] ^= 1
    Path(path).write_bytes(content)


def test_a_run_killed_at_random_moments_ends_byte_for_byte_like_one_left_alone() -> None:
    command = [sys.executable, str(EVIDENCE / "preempted.py"), "20"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.fullmatch(r"killed 20 times, continued (\d+) times: .*", done.stdout.splitlines()[-1])
    assert told is not None, done.stdout
    assert int(told[1]) > 3, "the moments were all before the first save"


@pytest.mark.parametrize(
    "number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGXCPU], ids=lambda one: str(one.name)
)
def test_what_schedulers_send_saves_the_run(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        signal_at(12, number, patched, times=3)
        assert run(*AUTO, "--steps", "40") == 128 + number
    assert saved_in("job") == ["td3_12.pth"]


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            signal.raise_signal(signal.SIGHUP)
            assert signals.received is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1], ids=lambda one: str(one.name)
)
def test_a_signal_while_torch_is_imported_ends_the_program_in_order(
    number: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "torch.py").write_text(
        f"import os\ntry:\n os.kill(os.getpid(), {int(number)})\n for _ in range(9): pass\n"
        "except BaseException:\n pass  # as some modules do\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "td3_core.training", *AUTO, "--steps", "5"],
        capture_output=True, text=True, timeout=300, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 128 + number
    assert done.stderr == "Stopped before the first step; there was nothing to save.\n"
    assert not (tmp_path / "job").exists()


def test_a_signal_before_the_first_step_ends_the_command_before_it_writes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(name: str) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return make_env(name)

    monkeypatch.setattr(starting, "make_env", interrupted)
    assert run(*AUTO, "--steps", "20") == 128 + signal.SIGTERM
    assert capsys.readouterr().err == "Stopped before the first step; there was nothing to save.\n"
    assert not Path("job").exists()


def test_nothing_heavy_is_imported_before_signals_are_taken_over() -> None:
    code = "import sys, td3_core.training.__main__; print({'torch', 'numpy', 'typer'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_closed_standard_output_does_not_stop_the_run(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "td3_core.training", *AUTO, "--steps", "30"],
        stdout=writer, stderr=subprocess.PIPE, text=True, timeout=300, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
    assert saved_in("job") == ["td3_30.pth"]


def test_one_command_starts_continues_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*AUTO, "--steps", "20") == 0
    assert "There is no intact checkpoint in job: starting anew." in capsys.readouterr().out
    assert run(*AUTO, "--steps", "30") == 0
    assert "Resuming job/td3_20.pth in Pendulum-v1: from step 20 to 30." in capsys.readouterr().out
    assert run(*AUTO, "--steps", "30") == 0
    assert "job/td3_30.pth is at step 30 already: nothing is left to do." in capsys.readouterr().out
    assert saved_in("job") == ["td3_30.pth", "td3_20.pth"]


def test_what_does_not_verify_is_named_and_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*AUTO, "--steps", "30", "--save-every", "10") == 0
    damage("job/td3_30.pth")
    TD3(TD3Config.tiny("vector"), seed=0).save_checkpoint("job/td3_40.pth")
    Path("job/td3_50.pth").write_bytes(b"")
    capsys.readouterr()
    assert run(*AUTO, "--steps", "35") == 0
    output = capsys.readouterr().out
    assert "Skipped: job/td3_50.pth is empty." in output
    assert "Skipped: job/td3_40.pth holds an agent but no training run" in output
    assert "Skipped: job/td3_30.pth is damaged" in output
    assert "Resuming job/td3_20.pth" in output
    assert "td3_35.pth" in saved_in("job")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "4"], "the run in job/td3_20.pth has another setting than --seed 4"),
        (["--batch-size", "8"], "another setting than --batch-size 8; choose another --checkpoint-dir"),
        (["--buffer-size", "301"], "another setting than --buffer-size 301"),
        (["--preset", "small"], "another setting than --preset small"),
        (["--allow-partial"], "--allow-partial is about a file"),
        (["--save-every", "5h"], "'5h' is neither a number of steps nor, as 5m, one of minutes"),
    ],
)
def test_the_same_command_with_other_settings_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*AUTO, "--steps", "20") == 0
    assert run(*AUTO, "--steps", "30", *arguments) == 2
    assert message in capsys.readouterr().err


def test_another_environment_is_refused() -> None:
    assert run(*AUTO, "--steps", "20") == 0
    assert run("MountainCarContinuous-v0", *AUTO[1:], "--steps", "30") == 2


def test_the_newest_are_kept_and_latest_leads_to_the_last() -> None:
    assert run(*AUTO, "--steps", "55", "--save-every", "10", "--keep", "2") == 0
    assert saved_in("job") == ["td3_55.pth", "td3_50.pth"]
    assert os.readlink("job/latest.pth") == "td3_55.pth"
    assert run("--resume", "job/latest.pth", "--steps", "60", "--keep", "1") == 0
    assert saved_in("job") == ["td3_60.pth"]
    assert parse_checkpoint("job/latest.pth")["run"]["steps"] == 60


def test_nothing_is_removed_before_the_next_is_saved_nor_what_is_not_of_this_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(*AUTO, "--steps", "20") == 0
    for name in ("td3_90.pth", "td3_best.pth", "mine.pth"):
        Path("job", name).write_bytes(Path("job/td3_20.pth").read_bytes())
    damage("job/td3_90.pth")
    assert run(*AUTO, "--steps", "30", "--keep", "1") == 0
    assert saved_in("job") == ["td3_90.pth", "td3_30.pth"]
    assert {"td3_best.pth", "mine.pth"} < {path.name for path in Path("job").iterdir()}


def test_a_file_of_ones_own_named_latest_stays() -> None:
    Path("job").mkdir()
    Path("job/latest.pth").write_text("mine")
    assert run(*AUTO, "--steps", "20") == 0
    assert Path("job/latest.pth").read_text() == "mine"


@pytest.mark.parametrize("left", ["episodes", "checkpoint", "somebody's"])
def test_a_run_is_not_begun_over_another(left: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("job").mkdir()
    if left == "checkpoint":
        assert run(*AUTO, "--steps", "20") == 0
    else:
        text = "episode,step,return,length,critic_loss,actor_loss\n1,200,-9.5,200,,\n"
        Path("job/metrics.csv").write_text(text if left == "episodes" else "mine")
    before = {path: path.read_bytes() for path in Path("job").iterdir()}
    capsys.readouterr()
    assert run(*QUICK, "--steps", "20", "--checkpoint-dir", "job") == 2
    refusal = (
        "Error: the folder job holds a run already; continue that with --resume auto, or choose another "
        "folder with --checkpoint-dir.\n"
    )
    assert capsys.readouterr() == ("", refusal)
    assert before == {path: path.read_bytes() for path in Path("job").iterdir()}
    assert run(*QUICK, "--steps", "20", "--checkpoint-dir", "other") == 0
    capsys.readouterr()
    resumed = ["--resume", "other/td3_20.pth", "--steps", "30"]
    assert run(*resumed, "--checkpoint-dir", "job") == 2
    assert capsys.readouterr().err == refusal
    assert before == {path: path.read_bytes() for path in Path("job").iterdir()}
    assert run(*resumed, "--checkpoint-dir", "./other") == 0


def test_a_run_is_begun_where_one_was_stopped_before_its_first_episode() -> None:
    Path("job").mkdir()
    for text in ("", "episode,step,return,length,critic_loss,actor_loss\n"):
        Path("job/metrics.csv").write_text(text)
        assert run(*QUICK, "--steps", "20", "--checkpoint-dir", "job") == 0
        Path("job/td3_20.pth").unlink()


def test_an_agent_alone_begins_a_run_beside_it_and_not_over_another() -> None:
    assert run(*AUTO, "--steps", "20") == 0
    TD3(TrainingRun.resume("job/td3_20.pth").agent.config, 0).save_checkpoint("job/td3_5.pth")
    command = [*QUICK, "--steps", "30", "--resume", "job/td3_5.pth", "--allow-partial"]
    assert run(*command) == 2
    Path("job/td3_20.pth").unlink()
    assert run(*command) == 0


def test_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    schedule = SaveEvery("1.5m")
    assert not schedule.is_due(1000)
    now += 89.9
    assert not schedule.is_due(1001)
    now += 0.2
    assert schedule.is_due(1002)
    schedule.was_saved()
    assert not schedule.is_due(1003)


def test_steps() -> None:
    assert [step for step in range(1, 11) if SaveEvery("4").is_due(step)] == [4, 8]
    assert not any(SaveEvery("0").is_due(step) for step in range(1, 11))


@pytest.mark.parametrize("text", ["", "-1", "m", "1.5", "5 m", "5M", "1e3", "٣", "9" * 19])
def test_no_number_of_steps_or_minutes(text: str) -> None:
    with pytest.raises(ValueError, match="is neither a number of steps nor"):
        SaveEvery(text)


def test_inspect_tells_of_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*AUTO, "--steps", "210", "--seed", "7") == 0
    capsys.readouterr()
    assert run("--inspect", "job/td3_210.pth") == 0
    lines = capsys.readouterr().out.splitlines()
    facts = [
        "environment: Pendulum-v1",
        "step: 210",
        "episode: 2",
        "seed: 7",
        "replay: 210 of 300 transitions",
    ]
    assert lines[4:] == [*facts, "seal: intact"]


@pytest.mark.parametrize(
    "keys", [("environment",), ("settings", "seed"), ("steps",), ("episodes",), ("replay_buffer", "position")]
)
def test_inspect_prints_nothing_that_moves_a_cursor(
    keys: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*AUTO, "--steps", "20") == 0
    contents = parse_checkpoint("job/td3_20.pth")
    holder = contents["run"]
    for key in keys[:-1]:
        holder = holder[key]
    holder[keys[-1]] = "\x1b[2J\u202e" + 1000 * "9"
    write_checkpoint("bad.pth", contents)
    capsys.readouterr()
    assert run("--inspect", "bad.pth") == 2
    refusal = f"bad.pth: missing or not as a training run writes it: run[{keys[0]!r}]"
    assert capsys.readouterr() == ("", f"Error: {refusal}.\n")

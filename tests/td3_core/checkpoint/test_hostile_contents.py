# SPDX-License-Identifier: MIT
"""Files that somebody else has written and sealed: refused in one sentence, without code, memory or time."""

from __future__ import annotations

import io
import math
import os
import pickle
import struct
import sys
import threading
import tracemalloc
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import pytest
import torch

from td3_core import TD3, CheckpointError, TD3Config, inspect_checkpoint, read_checkpoint
from td3_core.checkpoint import bounds
from td3_core.checkpoint.format import parse_checkpoint, write_checkpoint
from td3_core.config import OptimizerConfig, ScheduleConfig
from td3_core.training.command import main
from td3_core.training.environments import make_env
from td3_core.training.run import TrainingRun

sys.path.insert(0, str(Path(__file__).parents[2] / "evidence"))

import hostile
from payloads import sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCHEDULE = ScheduleConfig("MultiStepLR", {"milestones": (2, 9)})
CONFIG = TD3Config.tiny(
    "vector", vector_size=3, action_size=1, actor_optimizer=OptimizerConfig("Adam", {"lr": 1e-3}, SCHEDULE)
)


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a small run in the middle of an episode has written."""
    path = tmp_path_factory.mktemp("run") / "run.pth"
    run = TrainingRun(
        TD3(CONFIG, 1), make_env("Pendulum-v1"), capacity=20, batch_size=4, learning_starts=5, seed=1
    )
    run.run(12)
    run.save(path)
    return parse_checkpoint(path)


def put(*keys: Any) -> Callable[[dict[str, Any], Any], None]:
    def change(contents: dict[str, Any], value: Any) -> None:
        for key in keys[:-1]:
            contents = contents[key]
        contents[keys[-1]] = value

    return change


GROUP = ("actor_optimizer_state_dict", "param_groups", 0)
SCHEDULER = "actor_scheduler_state_dict"
GENERATOR = ("run", "episode", "generator")
WEIGHT = ("actor_state_dict", "0.weight")
ONE = torch.ones(1)


def generator_state(left: int, drawn: int, seeded: int = 1, word: int = 7) -> torch.Tensor:
    state = torch.Generator().get_state()
    data = state.numpy()
    data[8:24] = memoryview(struct.pack("<iiQ", left, seeded, drawn))
    data[24:32] = memoryview(struct.pack("<Q", word))
    return state


#: A place, what an enemy writes there, and how the refusal begins behind the name of the file.
WRONG: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "discount of 1,300 bits": (
        ("config", "discount"),
        2**1300,
        "config: TD3Config.discount = an integer of 1,301",
    ),
    "discount no number": (("config", "discount"), math.nan, "config: TD3Config.discount = nan"),
    "discount a tensor": (("config", "discount"), ONE, "config: TD3Config.discount = a tensor of shape (1,)"),
    "action size a tensor": (
        ("config", "action_size"),
        ONE.int(),
        "config: TD3Config.action_size = a tensor",
    ),
    "action size": (
        ("config", "action_size"),
        2**70,
        "config: TD3Config.action_size = 1180591620717411303424",
    ),
    "widths a tensor": (
        ("config", "actor_hidden"),
        [ONE.int()],
        "config: TD3Config.actor_hidden = [a tensor",
    ),
    "name a tensor": (("config", "image_dtype"), torch.ones(3), "config: TD3Config.image_dtype = a tensor"),
    "options a tensor": (("config", "actor_optimizer", "options"), ONE, "config: options must be a mapping"),
    "option": (("config", "actor_optimizer", "options", "lr"), 2**1300, "config: option 'lr' = an integer"),
    "option no number": (
        ("config", "actor_optimizer", "options", "lr"),
        math.nan,
        "config: option 'lr' = nan",
    ),
    "option keys": (("config", "actor_optimizer", "options", 3), 1, "config: options must be a mapping"),
    "milestones": (
        ("config", "actor_optimizer", "schedule", "options", "milestones"),
        list(range(100_000)),
        "config: option 'milestones' = [0, 1, 2",
    ),
    "config": (("config",), [1], "config: TD3Config must be given as a mapping"),
    "config keys": (("config", 1), 2, "config: TD3Config: unknown key 1"),
    "version a tensor": (("format_version",), ONE, "format_version is a tensor of shape (1,)"),
    "version": (("format_version",), 2.0, "format_version is 2.0 in its contents"),
    "run's version a tensor": (("run", "format_version"), ONE, "run['format_version'] is a tensor"),
    "keys": ((5,), 1, "5: unexpected in the checkpoint"),
    "total_it no number": (("total_it",), math.nan, "total_it: nan in the checkpoint, must be a count"),
    "total_it": (("total_it",), 2**63, "total_it: 9223372036854775808 in the checkpoint, must be a count"),
    "torch_version": (("torch_version",), ONE, "torch_version: a tensor of shape (1,)"),
    "lr no number": ((*GROUP, "lr"), math.nan, f"{GROUP[0]}.param_groups[0]['lr']: nan in the checkpoint"),
    "lr": ((*GROUP, "lr"), 2**1300, f"{GROUP[0]}.param_groups[0]['lr']: an integer of 1,301 bits"),
    "lr a tensor": ((*GROUP, "lr"), ONE, f"{GROUP[0]}.param_groups[0]['lr']: a tensor of shape (1,)"),
    "betas": ((*GROUP, "betas"), (0.9, math.nan), f"{GROUP[0]}.param_groups[0]['betas']: (0.9, nan)"),
    "params": (
        (*GROUP, "params"),
        [0, 1, 2, ONE],
        f"{GROUP[0]}.param_groups[0]['params']: [0, 1, 2, a tensor",
    ),
    "params in floats": (
        (*GROUP, "params"),
        [0.0, 1.0, 2.0, 3.0],
        f"{GROUP[0]}.param_groups[0]['params']: must",
    ),
    "moments' step": (
        (GROUP[0], "state", 0, "step"),
        torch.tensor(-1.0),
        f"{GROUP[0]}.state[0]['step'] (0.weight): -1.0 in the checkpoint, must be a count",
    ),
    "milestones kept": ((SCHEDULER, "milestones"), {2: -1}, f"{SCHEDULER}['milestones']: {{2: -1}} in the"),
    "milestones' names": (
        (SCHEDULER, "milestones"),
        {"a": 1},
        f"{SCHEDULER}['milestones']: {{'a': 1}} in the",
    ),
    "schedule's step": ((SCHEDULER, "last_epoch"), -5, f"{SCHEDULER}['last_epoch']: -5 in the checkpoint"),
    "schedule's rate": (
        (SCHEDULER, "base_lrs"),
        [math.inf],
        f"{SCHEDULER}['base_lrs']: [inf] in the checkpoint",
    ),
    "generator's table": (
        ("replay_generator_state",),
        generator_state(624, 624),
        "replay_generator_state: not",
    ),
    "generator's numbers": (
        ("replay_generator_state",),
        generator_state(0, 625),
        "replay_generator_state: not",
    ),
    "generator's seed": (
        ("replay_generator_state",),
        generator_state(1, 0, seeded=0),
        "replay_generator_state:",
    ),
    "generator's word": (
        ("replay_generator_state",),
        generator_state(1, 0, word=2**32),
        "replay_generator_state:",
    ),
    "overlapping": (
        WEIGHT,
        torch.zeros(48).as_strided((16, 3), (0, 1)),
        "is not a checkpoint: the elements of a tensor in",
    ),
    "steps": (("run", "steps"), -1, "missing or not as a training run writes it: run['steps']"),
    "episodes": (("run", "episodes"), -1, "missing or not as a training run writes it: run['episodes']"),
    "losses": (
        ("run", "losses"),
        {"\x1b[31m": 1.0},
        "missing or not as a training run writes it: run['losses']",
    ),
    "conditions": (
        ("run", "made_with", "torch"),
        "\x1b[31m",
        "missing or not as a training run writes it: run['m",
    ),
    "actions no numbers": (
        ("run", "episode", "actions"),
        torch.full((12, 1), math.nan),
        "missing or not as a training run writes it: run['episode']",
    ),
    "generator of the environment": (
        (*GENERATOR, "state", "state"),
        2**1300,
        "missing or not as a training run",
    ),
    "word of the environment's": (
        (*GENERATOR, "uinteger"),
        ONE,
        "missing or not as a training run writes it: run",
    ),
    "batch size": (
        ("run", "settings", "batch_size"),
        2**80,
        "missing or not as a training run writes it: run['s",
    ),
    "rows of the buffer": (
        ("run", "replay_buffer", "arrays", 3),
        ONE,
        "the replay buffer cannot be restored: 3 is",
    ),
    "capacity": (("run", "settings", "capacity"), 2**62, "its replay buffer does not fit into memory"),
}


def refusals(path: Path) -> list[str]:
    """The messages of every way to read a file that refuses it."""
    run = TrainingRun(TD3(CONFIG, 2), make_env("Pendulum-v1"))
    messages = []
    for read in (
        read_checkpoint,
        run.agent.load_checkpoint,
        lambda path: run.agent.load_checkpoint(path, allow_partial=True),
        run.load,
        TrainingRun.resume,
    ):
        try:
            read(path)
        except CheckpointError as error:
            messages.append(str(error))
    run.env.close()
    return messages


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.filterwarnings("ignore::td3_core.training.run.InexactResumeWarning")
def test_what_nobody_has_written_is_refused(name: str, contents: dict[str, Any], tmp_path: Path) -> None:
    keys, value, message = WRONG[name]
    changed = pickle.loads(pickle.dumps(contents))
    put(*keys)(changed, value)
    path = tmp_path / "hostile.pth"
    path.write_bytes(hostile.written(changed))
    messages = refusals(path)
    assert len(messages) >= (2 if keys[0] == "run" else 5)
    assert all(said.startswith(str(path)) and len(said) < 3000 for said in messages)
    assert all(line.isprintable() for said in messages for line in said.splitlines())
    assert any(message in said for said in messages), messages


def test_a_state_that_is_a_list_is_refused_in_part_too(contents: dict[str, Any], tmp_path: Path) -> None:
    changed = pickle.loads(pickle.dumps(contents))
    changed["actor_optimizer_state_dict"]["state"] = [1, 2]
    del changed["config"]
    (tmp_path / "a.pth").write_bytes(hostile.written(changed))
    with pytest.raises(CheckpointError, match="param_groups must be a list and state a dict"):
        TD3(CONFIG, 2).load_checkpoint(tmp_path / "a.pth", allow_partial=True)


# -- bombs ---------------------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    raw = value.encode()
    return b"\x80\x02X" + struct.pack("<I", len(raw)) + raw + b"."


def encoded_often(size: int, times: int) -> bytes:
    """One text, of which bytes are made again and again."""
    word = b"X" + struct.pack("<I", size) + b"a" * size + b"q\0" + b"X\x06\0\0\0latin1q\x01"
    return b"\x80\x02(" + word + b"c_codecs\nencode\nq\x02" + b"h\x02h\0h\x01\x86R" * times + b"l."


def names(number: int) -> bytes:
    return b"\x80\x02(" + b"ca\nb\n" * number + b"t."


def colliding(number: int) -> bytes:
    """A dict of many integers, each of which may have to be compared with all before it."""
    keys = b"".join(b"\x8a\x08" + struct.pack("<q", n << 40) + b"N" for n in range(number))
    return b"\x80\x02}(" + keys + b"u."


PICKLES: dict[str, bytes] = {
    "bytes made again and again": encoded_often(100_000, 3_000),
    "names": names(100_000),
    "colliding keys": colliding(20_000),
    "empty tuples": b"\x80\x02(" + b")" * 1_000_000 + b"t.",
    "marks": b"\x80\x02" + b"(" * 1_000_000 + b".",
    "remembered": b"\x80\x02N" + b"".join(b"r" + struct.pack("<I", n) for n in range(1_000_000)) + b".",
    "a text of wide characters": text("a" * 1_000_000 + "\U0001f600"),
}


def archive_of(pickled: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    return file.getvalue()


@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_takes_no_more_than_its_size_and_the_purse(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "PURSE", 5_000_000)
    path = tmp_path / "a.pth"
    path.write_bytes(sealed(archive_of(PICKLES[name])))
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="is not a checkpoint: it holds more values than the"):
            parse_checkpoint(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= path.stat().st_size + bounds.PURSE


def test_integer_keys_that_collide_cost_what_they_take_to_compare() -> None:
    """The purse bounds comparisons, too: a dict of 16,000 integers takes all of it."""
    purse = bounds.Purse()
    for number in range(16_000):
        purse.integer_key(number)
    assert bounds.PURSE * 0.9 < purse.spent < bounds.PURSE


LARGE: dict[str, Any] = {
    "one key": lambda contents: put("config", "k" * 2_000_000)(contents, 1),
    "a long text": lambda contents: put("config", "image_dtype")(contents, "k" * 2_000_000),
    "many keys": lambda contents: contents["config"].update({f"key {n}": n for n in range(10_000)}),
    "many sections": lambda contents: contents.update({f"section {n}": n for n in range(10_000)}),
    "many weights": lambda contents: contents["actor_state_dict"].update(
        {f"w {n}": n for n in range(10_000)}
    ),
    "many entries": lambda contents: contents[GROUP[0]]["state"].update({n: {} for n in range(4, 2_000)}),
    "many modes": lambda contents: contents["training_modes"].update({f"m {n}": {} for n in range(10_000)}),
    "many options": lambda contents: contents[GROUP[0]]["param_groups"][0].update(
        {f"o {n}": n for n in range(10_000)}
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_message_is_short_however_much_is_wrong(
    name: str, contents: dict[str, Any], tmp_path: Path
) -> None:
    changed = pickle.loads(pickle.dumps(contents))
    LARGE[name](changed)
    path = tmp_path / "a.pth"
    path.write_bytes(hostile.written(changed))
    agent = TD3(CONFIG, 2)
    for read in (read_checkpoint, agent.load_checkpoint):
        tracemalloc.start()
        try:
            with pytest.raises(CheckpointError) as error:
                read(path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert len(str(error.value)) < 15_000
        assert all(len(line) < 500 for line in str(error.value).splitlines())
        assert peak <= 10 * path.stat().st_size + 1_000_000


# -- code, names and the terminal ----------------------------------------------------------------------------

MODULE = """
import pathlib, gymnasium
pathlib.Path(__file__).with_name("imported").touch()
gymnasium.register("Enemy-v0", "gymnasium.envs.classic_control.pendulum:PendulumEnv", max_episode_steps=200)
"""


@pytest.fixture
def named(contents: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A run whose environment is the one of a module that leaves a mark when it is imported."""
    (tmp_path / "enemy_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    changed = pickle.loads(pickle.dumps(contents))
    changed["run"]["environment"] = "enemy_module:Enemy-v0"
    write_checkpoint(tmp_path / "td3_12.pth", changed)
    yield tmp_path / "td3_12.pth"
    sys.modules.pop("enemy_module", None)
    gym.registry.pop("Enemy-v0", None)


def test_no_module_is_imported_because_a_file_names_it(
    named: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        CheckpointError, match=r"td3_12.pth is a run in 'enemy_module:Enemy-v0', which is not"
    ):
        TrainingRun.resume(named)
    with pytest.raises(SystemExit) as ended:
        main(["--resume", str(named), "--steps", "15"])
    assert ended.value.code == 2
    assert "give it yourself: td3-train ENV --resume FILE" in capsys.readouterr().err
    assert not named.with_name("imported").exists()


@pytest.mark.filterwarnings("ignore::td3_core.training.run.InexactResumeWarning")
def test_an_environment_that_the_caller_names_is_made(
    named: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = TrainingRun.resume(named, env="enemy_module:Enemy-v0")
    assert run.steps == 12
    with pytest.raises(CheckpointError, match="is a run in 'enemy_module:Enemy-v0', not in 'Pendulum-v1'"):
        TrainingRun.resume(named, env="Pendulum-v1")
    with pytest.raises(SystemExit) as ended:
        main(["enemy_module:Enemy-v0", "--resume", str(named), "--steps", "15"])
    assert not ended.value.code
    assert "enemy_module:Enemy-v0 --resume" in capsys.readouterr().out


@pytest.mark.parametrize(
    "environment", ["Pendulum-v0", "pendulum", "os:x", ":Pendulum-v1", "\x1b[31m", "", "a" * 999]
)
def test_other_names_are_refused(environment: str, contents: dict[str, Any], tmp_path: Path) -> None:
    changed = pickle.loads(pickle.dumps(contents))
    changed["run"]["environment"] = environment
    (tmp_path / "a.pth").write_bytes(hostile.written(changed))
    with pytest.raises(CheckpointError) as error:
        TrainingRun.resume(tmp_path / "a.pth")
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    "identity",
    [
        {"torch_version": "\x1b[31mred"},
        {"torch_version": "2.13\n"},
        {"config_sha256": "\x1b[2J"},
        {"total_it": -1},
        {"total_it": 2**64},
        {"format_version": True},
    ],
)
def test_a_seal_says_nothing_that_a_terminal_would_obey(
    identity: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(sealed(archive_of(b"\x80\x02N."), **identity))
    with pytest.raises(CheckpointError, match="has a seal, but not one of td3_core"):
        inspect_checkpoint(path)
    with pytest.raises(SystemExit) as ended:
        main(["--inspect", str(path)])
    assert ended.value.code == 2
    assert "\x1b" not in "".join(capsys.readouterr())


# -- files and threads ---------------------------------------------------------------------------------------


def test_a_link_that_leads_to_itself_stays(tmp_path: Path) -> None:
    (tmp_path / "one.pth").symlink_to("other.pth")
    (tmp_path / "other.pth").symlink_to("one.pth")
    agent = TD3(CONFIG, 1)
    with pytest.raises(CheckpointError, match=r"one.pth cannot be written: it is a link that leads back"):
        agent.save_checkpoint(tmp_path / "one.pth")
    with pytest.raises(CheckpointError, match=r"one.pth cannot be read: Too many levels of symbolic links"):
        agent.load_checkpoint(tmp_path / "one.pth")
    assert os.readlink(tmp_path / "one.pth") == "other.pth"


def test_a_path_that_can_be_none_is_refused_by_name() -> None:
    agent = TD3(CONFIG, 1)
    for read in (
        agent.save_checkpoint,
        agent.load_checkpoint,
        read_checkpoint,
        inspect_checkpoint,
        TrainingRun.resume,
    ):
        with pytest.raises(CheckpointError, match=r"'a\\x00b' cannot be (read|written): .*embedded null"):
            read("a\0b")


def test_files_are_written_and_read_where_no_thread_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    value = torch.arange(3_000_000)
    monkeypatch.setattr(threading.Thread, "start", start)
    write_checkpoint(tmp_path / "a.pth", {"run": value})
    assert torch.equal(parse_checkpoint(tmp_path / "a.pth")["run"], value)


# -- what an agent must not be saved with --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda agent: setattr(agent, "total_it", -1), "total_it is -1, which is no count"),
        (
            lambda agent: agent.actor_optimizer.param_groups[0].update(lr=math.nan),
            r"actor_optimizer_state_dict.param_groups\[0\]\['lr'\] is nan, which is no number to train with",
        ),
        (
            lambda agent: agent.actor_optimizer.param_groups[0].update(lr=torch.tensor(0.1)),
            r"\['lr'\] is a tensor of shape \(\)",
        ),
        (lambda agent: setattr(agent.actor_scheduler, "last_epoch", -2), r"\['last_epoch'\] is -2"),
    ],
)
def test_what_loading_would_refuse_is_not_saved(spoil: Any, message: str, tmp_path: Path) -> None:
    agent = TD3(CONFIG, 1)
    agent.save_checkpoint(tmp_path / "a.pth")
    saved = (tmp_path / "a.pth").read_bytes()
    spoil(agent)
    with pytest.raises(CheckpointError, match=message) as error:
        agent.save_checkpoint(tmp_path / "a.pth")
    assert str(error.value).startswith(f"{tmp_path / 'a.pth'} is not written: ")
    assert (tmp_path / "a.pth").read_bytes() == saved


def test_a_run_that_acts_in_no_numbers_is_not_saved(tmp_path: Path) -> None:
    run = TrainingRun(TD3(CONFIG, 1), make_env("Pendulum-v1"))
    run.run(3)
    run.episode.actions[1] = run.episode.actions[1] * math.nan
    with pytest.raises(
        CheckpointError, match=r"a.pth is not written: run\['episode'\] holds what no run can"
    ):
        run.save(tmp_path / "a.pth")
    assert list(tmp_path.iterdir()) == []
    run.env.close()

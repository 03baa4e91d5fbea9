# SPDX-License-Identifier: MIT
"""Whether what is lost is in the checkpoint, and what beside it has come back."""

from __future__ import annotations

import pickle
import zlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from forgetful import Forgetful, program_of
from states import look

from verification.engine import remedies
from verification.engine.experiment import Experiment
from verification.engine.remedies import in_checkpoint, neighbour
from verification.losses import ABSENT, PRESENT
from verification.program import Learn

if TYPE_CHECKING:
    from pathlib import Path


def drawn(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).random(8)


def other(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(100 + seed).random(8)


class Unread(Forgetful):
    """Saves everything, and passes over some of it when it loads."""

    def save(self, agent: Any, path: Path) -> None:
        path.write_bytes(pickle.dumps(vars(agent)))

    def load(self, agent: Any, path: Path) -> Any:
        saved = pickle.loads(path.read_bytes())
        vars(agent).update({name: value for name, value in saved.items() if name not in self.lost})
        return agent


class Compressed(Forgetful):
    def save(self, agent: Any, path: Path) -> None:
        super().save(agent, path)
        path.write_bytes(zlib.compress(path.read_bytes()))

    def load(self, agent: Any, path: Path) -> Any:
        vars(agent).update(pickle.loads(zlib.decompress(path.read_bytes())))
        return agent


def experiment(folder: Path, lost: str = "weights", kind: Any = Forgetful, **start: Any) -> Experiment:
    program = program_of(Learn(3), Learn(4), receiver_steps=(Learn(7),))
    adapter = kind({"weights": drawn, "weighted": other, **start}, lambda *_: None, lost)
    return Experiment(adapter, program, folder)


def whereabouts(asked: Experiment) -> str:
    return in_checkpoint(asked, 1, asked.after_load(1), used=False)


def test_what_was_never_saved_is_absent(tmp_path: Path) -> None:
    assert whereabouts(experiment(tmp_path)) == ABSENT


def test_what_was_saved_and_not_loaded_is_present(tmp_path: Path) -> None:
    assert whereabouts(experiment(tmp_path, kind=Unread)) == PRESENT


@pytest.mark.parametrize(
    "options",
    [
        {"kind": Compressed},
        {"lost": "weights weighted"},  # nothing has come back that would show the bytes
        {"lost": "number", "number": lambda seed: seed},
        {"weights": lambda seed: np.full(8, float(seed))},
        {"weights": lambda seed: np.arange(seed, seed + 1.0)},
    ],
    ids=["compressed", "nothing came back", "a number", "one value again and again", "one value"],
)
def test_where_bytes_do_not_tell_nothing_is_said(options: dict[str, Any], tmp_path: Path) -> None:
    assert whereabouts(experiment(tmp_path, **options)) == ""


def test_equal_bytes_of_something_else_do_not_count(tmp_path: Path) -> None:
    assert whereabouts(experiment(tmp_path, twin=drawn)) == ""


def test_large_checkpoints_are_read_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("a", 5), ("b", 6), ("c", 4)):
        (tmp_path / name).write_bytes(name.encode() * size)
    (tmp_path / "folder").mkdir()
    assert list(remedies._contents(tmp_path)) == [b"aaaaa", b"bbbbbb", b"cccc"]
    monkeypatch.setattr(remedies, "_MOST_READ", 11)
    assert list(remedies._contents(tmp_path)) == [b"aaaaa", b"bbbbbb"]


def test_a_checkpoint_of_gigabytes_is_not_read_into_memory(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"small")
    with (tmp_path / "b").open("wb") as file:
        file.truncate(2**30)  # which takes no room on most disks
    assert list(map(len, remedies._contents(tmp_path))) == [len(b"small")]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (torch.arange(4.0), True),
        (torch.arange(3.0), False),  # fewer bytes may stand in a file by chance
        (torch.zeros(9), False),
        (torch.arange(6.0).reshape(2, 3).t(), False),
        (torch.eye(4).to_sparse(), False),
        (np.arange(2.0), True),
        (np.arange(1.0), False),
        (np.ones(9), False),
        (np.array([None] * 9), False),
        (5, False),
    ],
    ids=repr,
)
def test_bytes_of_some_values_tell_something(value: Any, *, told: bool) -> None:
    found = remedies._bytes(look(SimpleNamespace(x=value)).leaves["agent.x"])
    content = value.numpy().tobytes() if isinstance(value, torch.Tensor) and told else b""
    assert found == (content or (value.tobytes() if told else b""))
    assert remedies._bytes(None) == b""


@pytest.mark.parametrize(
    ("around", "path", "below"),
    [
        ("agent", "agent.net.weight", "agent.net"),
        ("agent", "agent.net", "agent.net"),
        ("agent.net", "agent.net[0].weight", "agent.net[0]"),
        ("agent.net", "agent.other.weight", ""),
        ("agent.net", "agent.net", ""),
    ],
)
def test_what_lies_directly_below(around: str, path: str, below: str) -> None:
    assert remedies._below(around, path) == below


def test_the_neighbour_is_what_came_back_of_its_kind_with_the_nearest_name(tmp_path: Path) -> None:
    asked = experiment(tmp_path, things=other, number=lambda seed: seed)
    assert neighbour(asked, 1, "agent.weights", used=False) == "agent.weighted"


def test_what_was_the_same_all_the_time_is_no_neighbour(tmp_path: Path) -> None:
    asked = experiment(tmp_path, weighted=lambda _: drawn(5), things=other)
    assert neighbour(asked, 1, "agent.weights", used=False) == "agent.things"

# SPDX-License-Identifier: MIT
"""Checkpoints of every format are read as plain data; what would take code is refused, and runs nothing."""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from td3_core import TD3, TD3Config
from verification.checkpoint_files.comparing import compare_contents
from verification.checkpoint_files.leaves import leaves
from verification.checkpoint_files.reading import Files, Unread, read
from verification.checkpoint_files.stand_ins import StandInArray, StandInDtype
from verification.errors import UsageError
from verification.state import compare, take

if TYPE_CHECKING:
    from pathlib import Path

PLAIN: dict[str, Any] = {
    "weight": torch.arange(6.0).reshape(2, 3),
    "steps": 7,
    "names": ["a", ("b", None)],
    "half": torch.tensor([1.5], dtype=torch.bfloat16),
}
ARRAYS: dict[str, Any] = {
    "mean": np.arange(6.0).reshape(2, 3),
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.arange(3, dtype=">i4"),
    "flags": np.array([True, False]),
    "words": np.array(["a", "bcd"]),
    "scalar": np.float32(0.1),
    "generator": np.random.RandomState(3).get_state(),
}


class Evil:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.trace),)


def saved(folder: Path, contents: object, **options: Any) -> Path:
    torch.save(contents, folder / "saved.pth", **options)
    return folder / "saved.pth"


def refused(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert "weights_only" not in message  # torch advises to switch it off
    return message


def same(one: object, other: object) -> bool:
    """Whether two contents have the same leaves, bit for bit."""
    before, after = leaves(one), leaves(other)
    assert len(before) > 1
    assert list(before) == list(after)
    return not any(
        compare(take({path: leaf.value}), take({path: after[path].value})) for path, leaf in before.items()
    )


# -- formats -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_both_formats_of_torch(tmp_path: Path, zipped: bool) -> None:
    contents = {**PLAIN, **ARRAYS}
    assert same(read(saved(tmp_path, contents, _use_new_zipfile_serialization=zipped)), contents)


def test_arrays_come_back_bit_for_bit_without_numpys_own_unpickling(tmp_path: Path) -> None:
    found = read(saved(tmp_path, {"nan": np.array([0x7FC00007], np.uint32).view(np.float32)}))
    assert isinstance(found, dict)
    assert isinstance(found["nan"], StandInArray)
    assert found["nan"].array.view(np.uint32)[0] == 0x7FC00007


def test_deques_are_lists(tmp_path: Path) -> None:
    assert read(saved(tmp_path, {"last": collections.deque([1, 2], maxlen=3)})) == {"last": [1, 2]}


def test_safetensors_with_their_metadata(tmp_path: Path) -> None:
    tensors = {f"{name}.weight": torch.ones(2, dtype=torch.bfloat16) for name in "abcdefgh"}
    save_file(tensors, tmp_path / "x.safetensors", metadata={"step": "3"})  # in any order
    assert same(read(tmp_path / "x.safetensors"), {**tensors, "__metadata__": {"step": "3"}})


def test_arrays_of_numpy_in_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", weight=np.ones(2), step=np.array(3))
    assert same(read(tmp_path / "x.npz"), Files(weight=np.ones(2), step=np.array(3)))
    np.save(tmp_path / "x.npy", np.ones(2))
    found = read(tmp_path / "x.npy")
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [1, 1]


def test_a_folder_is_its_files(tmp_path: Path) -> None:
    (tmp_path / "nets").mkdir()
    torch.save(PLAIN, tmp_path / "nets/actor.pth")
    (tmp_path / "config.json").write_text('{"lr": 0.1}')
    (tmp_path / "notes.txt").write_text("hello")
    found = read(tmp_path)
    assert isinstance(found, Files)
    assert list(found) == ["config.json", "nets/actor.pth", "notes.txt"]
    assert found["config.json"] == {"lr": 0.1}
    assert isinstance(found["notes.txt"], Unread)
    assert found["notes.txt"].data == b"hello"


def test_an_archive_of_stable_baselines3(tmp_path: Path) -> None:
    """Its pickles are compared as bytes, without the addresses that stand beside them."""
    buffer = io.BytesIO()
    torch.save(PLAIN, buffer)
    data = {"tau": 0.1, "space": {":type:": "Box", ":serialized:": "AAEC", "low": "at 0x7f12"}}
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("data", json.dumps(data))
        archive.writestr("policy.pth", buffer.getvalue())
    found = read(tmp_path / "x.zip")
    assert isinstance(found, Files)
    assert found["data"] == {"tau": 0.1, "space": Unread(b"\x00\x01\x02", "is a pickle of Box")}
    assert same(found["policy.pth"], PLAIN)


def test_checkpoints_of_td3_core(tmp_path: Path) -> None:
    TD3(TD3Config.tiny("image"), seed=0).save_checkpoint(tmp_path / "x.pth")
    assert same(read(tmp_path / "x.pth"), torch.load(tmp_path / "x.pth", weights_only=True))


# -- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_code_is_named_and_not_run(tmp_path: Path, zipped: bool) -> None:
    trace = tmp_path / "trace"
    path = saved(tmp_path, {"evil": Evil(trace)}, _use_new_zipfile_serialization=zipped)
    assert "saved.pth holds posix.mkdir, which only running code from the file can read; save" in refused(
        path
    )
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists()  # so that the file would have done it


def test_code_in_a_file_among_others_leaves_the_others_readable(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    folder = tmp_path / "folder"
    folder.mkdir()
    saved(folder, Evil(trace))
    (folder / "vec.pkl").write_bytes(pickle.dumps(Evil(trace)))
    found = read(folder)
    assert isinstance(found, Files)
    assert all(isinstance(one, Unread) for one in found.values())
    assert not trace.exists()


def test_everything_that_takes_code_is_named(tmp_path: Path) -> None:
    told = refused(saved(tmp_path, [torch.nn.Linear(1, 1), collections.ChainMap()]))
    assert "torch.nn.modules.linear.Linear" in told
    assert "collections.ChainMap" in told


@pytest.mark.parametrize(
    ("array", "dtype"),
    [(np.array([{}]), "object"), (np.zeros(1, [("a", "<f4")]), "|V4"), (np.zeros(1, "M8[ns]"), "datetime64")],
    ids=["objects", "structured", "dates"],
)
def test_arrays_of_anything_but_numbers_and_text(tmp_path: Path, array: Any, dtype: str) -> None:
    assert f"holds arrays of dtype {dtype}" in refused(saved(tmp_path, {"x": array}))


def test_objects_in_files_of_numpy_are_not_unpickled(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    np.save(tmp_path / "x.npy", np.array([Evil(trace)]), allow_pickle=True)
    assert "x.npy holds an array of objects, which only running code" in refused(tmp_path / "x.npy")
    assert not trace.exists()


def test_a_crafted_array_is_refused(tmp_path: Path) -> None:
    """More elements than bytes, or no dtype that was checked."""
    array, dtype = StandInArray(), StandInDtype("f8", False, True)
    with pytest.raises(ValueError, match="reshape"):
        array.__setstate__((1, (1000,), dtype, False, b"\x00" * 8))
    with pytest.raises(TypeError, match="dtype"):
        array.__setstate__((1, (1,), np.dtype("O"), False, b"\x00" * 8))
    with pytest.raises(ValueError, match="byte order"):
        dtype.__setstate__((3, "O", None, None, None, -1, -1, 0))


def test_what_is_no_checkpoint_is_refused_in_one_sentence(tmp_path: Path) -> None:
    whole = saved(tmp_path, PLAIN).read_bytes()
    module = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer versions of torch call it deprecated
        torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), module)
    cases = {
        b"": "is empty",
        b"hello, this is text": "is no checkpoint of a known format",
        b'{"a": ': "is damaged, or no checkpoint",
        whole[:-80]: "is damaged, or no checkpoint",
        whole[:40]: "is damaged, or no checkpoint",
        b"\x80\x02": "is damaged, or no checkpoint",
        pickle.dumps({"a": 1}): "is a pickle of a kind that only running code",
        module.getvalue(): "is a TorchScript archive, which is code",
    }
    for data, told in cases.items():
        (tmp_path / "x.pth").write_bytes(data)
        assert f"{tmp_path / 'x.pth'} {told}" in refused(tmp_path / "x.pth")


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path, PLAIN)

    def forbidden(file: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(type(tmp_path), "open", forbidden)
    monkeypatch.setattr(type(tmp_path), "read_bytes", forbidden)
    for path in (tmp_path, tmp_path / "saved.pth"):
        assert refused(path) == f"{tmp_path / 'saved.pth'} cannot be read: Permission denied"


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    assert "there is no file or folder" in refused(tmp_path / "no.pth")
    assert "is a folder without files" in refused(tmp_path)
    (tmp_path / "__0_0.distcp").write_bytes(b"x")
    assert "is a distributed checkpoint, whose index only code can read" in refused(tmp_path)


def test_a_model_of_stable_baselines3_is_read_whole(tmp_path: Path) -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    for tau in (0.005, 0.01):
        model = sb3.TD3("MlpPolicy", "Pendulum-v1", seed=0, buffer_size=10, tau=tau)
        model.save(tmp_path / f"{tau}.zip")
    one, other = read(tmp_path / "0.005.zip"), read(tmp_path / "0.01.zip")
    comparison = compare_contents(one, other)
    assert {one.name for one in comparison.components} > {"data", "policy.pth: actor", "actor.optimizer.pth"}
    (data,) = (component for component in comparison.components if not component.equal)
    assert [change.path for change in data.changed] == ["data['tau']"]
    assert "data['observation_space']" in comparison.unread
    assert not any(path.endswith(".pth") for path in comparison.unread)

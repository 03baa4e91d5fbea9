# SPDX-License-Identifier: MIT
"""What is written can be read, and what cannot is refused before the old file is touched, by its key."""

from __future__ import annotations

import functools
import io
import math
import tempfile
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import example, given

from td3_core import TD3, CheckpointError, TD3Config
from td3_core.checkpoint import archive, bounds, plain_pickle
from td3_core.checkpoint.format import parse_checkpoint, write_checkpoint
from td3_core.checkpoint.plain_data import _Plain, plain_data

if TYPE_CHECKING:
    from collections.abc import Callable

TENSORS = st.builds(
    lambda dtype, shape, step: torch.arange(math.prod(shape) * step).to(dtype)[::step].reshape(shape),
    st.sampled_from(sorted(archive.DTYPES.values(), key=str)),
    st.lists(st.integers(0, 3), max_size=4).map(tuple),
    st.integers(1, 2),
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 2100).map(lambda bits: -(2**bits))
    | st.floats()
    | st.text(st.characters(codec=None), max_size=20)
    | st.binary(max_size=20)
    | TENSORS
)
KEYS = st.text(max_size=3) | st.integers(-9, 9) | st.integers()


def deep(value: Any, depth: int) -> Any:
    for number in range(depth):
        value = ([value], (value, 1), {"a": value}, {number: value})[number % 4]
    return value


def stretched(value: Any, times: int) -> Any:
    """More of the same, where there can be."""
    if isinstance(value, str | bytes | list | tuple):
        return value * times
    if isinstance(value, dict):
        return {f"{key}{number}": item for number in range(times) for key, item in value.items()}
    return [value] * times


CONTENTS = st.builds(
    deep,
    st.builds(
        stretched,
        st.recursive(
            LEAVES,
            lambda inner: (
                st.lists(inner, max_size=5)
                | st.lists(inner, max_size=5).map(tuple)
                | st.dictionaries(KEYS, inner, max_size=5)
            ),
            max_leaves=12,
        ),
        st.sampled_from([1, 1, 1, 2, 7, 300, 1001, 4000]),
    ),
    st.sampled_from([0, 0, 0, 1, 5, 59, 60, 61, 62, 63, 64, 500, 5000]),
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return (one.dtype, one.shape, one.tolist()) == (other.dtype, other.shape, other.tolist()) or bool(
            one.isnan().any()
        )
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


@given(CONTENTS)
@example({"a": 2**2039})
@example({"a": 2**2040})
@example({number * 2**40: None for number in range(700)})
@example({"a": "\ud800" * 30_000})
@example({"a": b"\xff" * 20_000})
@example({"a": [torch.zeros(1)] * 100})
def test_contents_come_back_or_are_refused_when_they_are_saved(value: Any) -> None:
    """With a small purse, so that all that is large is near its end."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(bounds, "PURSE", 300_000)
        path = Path(folder) / "a.pth"
        path.write_bytes(b"old")
        try:
            write_checkpoint(path, {"run": value})
        except CheckpointError as error:
            message = str(error)
            assert path.read_bytes() == b"old"
        else:
            message = ""
            assert same(parse_checkpoint(path)["run"], value)
        assert message == "" or message.startswith(f"{path} is not written: checkpoint['run']")
        assert len(message) < 1000
        assert [file.name for file in path.parent.iterdir()] == ["a.pth"]


@given(CONTENTS)
@example([b"\0"] * 100)  # one object, to which the pickle refers
@example([()] * 1000)
def test_the_writer_pays_at_least_what_the_reader_will(value: Any) -> None:
    walk = _Plain(copy=False)
    try:
        file = io.BytesIO()
        torch.save(walk.of(value, 1), file)
    except Exception:
        with pytest.raises(CheckpointError):
            plain_data(value)
        return
    data = memoryview(file.getvalue())
    place = archive.directory(data, 0)["data.pkl"]
    reader = plain_pickle._Reader(data[place.start :][: place.size], lambda *_: None)
    reader.read()
    assert reader.purse.spent <= walk._purse.spent <= 2 * reader.purse.spent + 2 * bounds._AROUND_ALL


#: What fills most of the purse, at a given scale.
LARGE: dict[str, Callable[[float], Any]] = {
    "100,000 episodes": lambda scale: [
        {"number": n, "step": 200 * n, "return": n / 7, "length": 200, "losses": {"a": n / 3, "b": n / 9}}
        for n in range(int(100_000 * scale))
    ],
    "150,000 steps": lambda scale: [
        {"observation": f"{n:016x}", "reward": (n / 7).hex(), "end": "False"}
        for n in range(int(150_000 * scale))
    ],
    "50 MB of text": lambda scale: "a" * int(50_000_000 * scale),
    "10 MB of bytes": lambda scale: bytes(int(10_000_000 * scale)),
    "text of every width": lambda scale: "a\u00e9\u4e2d\U0001f600" * int(500_000 * scale),
    "300,000 names": lambda scale: {f"name {n}": n for n in range(int(300_000 * scale))},
    "10,000 numbers": lambda scale: dict.fromkeys(range(int(10_000 * scale))),
    "a million numbers": lambda scale: [float(n) for n in range(int(1_000_000 * scale))],
    "30,000 tensors": lambda scale: [torch.zeros(2) for _ in range(int(30_000 * scale))],
}


@pytest.mark.parametrize("name", LARGE)
def test_large_contents_come_back(name: str, tmp_path: Path) -> None:
    value = LARGE[name](1)
    write_checkpoint(tmp_path / "a.pth", {"run": value})
    assert same(parse_checkpoint(tmp_path / "a.pth")["run"], value)


@pytest.mark.parametrize("name", LARGE)
def test_reading_takes_no_more_than_the_file_and_the_purse(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "PURSE", bounds.PURSE // 32)
    path = tmp_path / "a.pth"
    write_checkpoint(path, {"run": LARGE[name](1 / 40)})
    tracemalloc.start()
    try:
        parse_checkpoint(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= path.stat().st_size + bounds.PURSE


def circle() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


REFUSED: dict[str, tuple[Any, str]] = {
    "text": ("a" * 80_000_000, "holds, or comes after, more values than the 128 MiB"),
    "bytes": (b"\xff" * 50_000_000, "holds, or comes after, more values than the 128 MiB"),
    "a dict of two million": ({str(n): n for n in range(2_000_000)}, "more values than the 128 MiB"),
    "integer keys": (dict.fromkeys(range(1_000_000)), "more values than the 128 MiB"),
    "deep": (deep(1, 70), "is nested more than 64 deep"),
    "deeper than Python goes": (deep(1, 100_000), "is nested more than 64 deep"),
    "circle": (circle(), "is nested more than 64 deep"),
    "a large integer": (2**2040, "an integer of more than 255 bytes"),
    "a large key": ({2**80: 1}, "has the key 1208925819614629174706176: keys are strings or integers of 64"),
    "a tuple as key": ({(1, 2): 3}, r"has the key \(1, 2\)"),
    "no bytes": (b"", "is empty bytes, which torch.load does not read"),
    "meta": (torch.zeros(2, device="meta"), "is a tensor on the meta device"),
    "sparse": (torch.zeros(2).to_sparse(), "is a tensor of layout torch.sparse_coo"),
    "complex": (torch.zeros(2, dtype=torch.complex64), "is a tensor of torch.complex64, which"),
    "an object": (object(), "is a builtins.object, which is not plain data"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("background", [False, True])
def test_what_could_not_be_read_back_leaves_the_old_file(name: str, background: bool, tmp_path: Path) -> None:
    value, message = REFUSED[name]
    path = tmp_path / "a.pth"
    agent = TD3(TD3Config.tiny("vector"), seed=1)
    agent.save_checkpoint(path)
    saved = path.read_bytes()
    save = functools.partial(agent.save_checkpoint, background=True) if background else agent.save_checkpoint
    with pytest.raises(CheckpointError, match=message) as error:
        save(path, extra={"run": {"here": [0, value]}})
    assert str(error.value).startswith(f"{path} is not written: checkpoint['run']['here'][1]")
    assert len(str(error.value)) < 1000
    assert path.read_bytes() == saved
    assert [file.name for file in tmp_path.iterdir()] == ["a.pth"]


def test_a_long_key_is_not_told_in_full(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as error:
        write_checkpoint(tmp_path / "a.pth", {"run": {"k" * 10_000_000: {"\x1b[31m": object()}}})
    assert len(str(error.value)) < 600
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(3).expand(4, 3),
        torch.arange(4.0).as_strided((2, 2), (0, 1)),
        torch.arange(12.0).as_strided((3, 4), (3, 1)),
        torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last)[:, :, ::2],
        torch.complex(torch.ones(2), torch.ones(2)).conj().imag,
        torch.nn.Parameter(torch.ones(2)),
        torch.zeros(0, 3).expand(5, 0, 3),
    ],
    ids=["expanded", "overlapping", "overlapping in part", "strided", "negative", "parameter", "empty"],
)
def test_tensors_of_every_form_come_back(tensor: torch.Tensor, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a.pth", {"one": tensor, "other": tensor})
    contents = parse_checkpoint(tmp_path / "a.pth")
    for name in ("one", "other"):
        assert torch.equal(contents[name], tensor.detach())
    contents["one"].fill_(7)
    assert torch.equal(contents["other"], tensor.detach())

# SPDX-License-Identifier: MIT
"""What a hostile or odd archive holds is refused before it takes memory, time or control."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from td3_agents import OBSERVATIONS, learn

from td3_core import TD3, CheckpointError, TD3Config, read_checkpoint
from td3_core.checkpoint import bounds
from td3_core.checkpoint.architecture import refuse_other_networks, tensors_of
from td3_core.checkpoint.archive import DTYPES
from td3_core.checkpoint.contents import TRAINED_NETWORKS, capture
from td3_core.checkpoint.format import parse_checkpoint, write_checkpoint
from td3_core.config import NORMALIZATIONS

if TYPE_CHECKING:
    from pathlib import Path

HIDDEN = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)

VERSION = {"format_version": 1}


def saved(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def rebuilt(
    pickled: bytes | None = None, *, method: int = zipfile.ZIP_STORED, storage: bytes = b"\0" * 64
) -> bytes:
    """An archive as torch's, with another pickle, or compressed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(VERSION, 2) if pickled is None else pickled)
        archive.writestr("archive/data/0", storage)
        archive.writestr("archive/version", b"3\n")
    return file.getvalue()


def tensor_pickle(shape: str, stride: str, kind: bytes = b"FloatStorage", count: int = 16) -> bytes:
    """The pickle of {"format_version": 1, "t": a tensor over a storage of 64 bytes}."""

    def numbers(text: str) -> bytes:
        return b"(" + b"".join(b"\x8a\x05" + int(n).to_bytes(5, "little") for n in text.split()) + b"t"

    storage = (
        b"(X\x07\0\0\0storagectorch\n" + kind + b"\nX\x01\0\0\x000X\x03\0\0\0cpuK" + bytes([count]) + b"tQ"
    )
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\0" + numbers(shape) + numbers(stride)
    tensor += b"\x89ccollections\nOrderedDict\n)RtR"
    return b"\x80\x02}(X\x0e\0\0\0format_versionK\x01X\x01\0\0\0t" + tensor + b"u."


class Call:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def doubled(depth: int, make: Any) -> Any:
    value = make(1, 2)
    for _ in range(depth):
        value = make(value, value)
    return value


def nested(depth: int) -> bytes:
    return b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."


def many_records(number: int) -> bytes:
    """All of them lie in the same place, so that the file is small."""
    data = rebuilt(storage=b"x" * 10_000)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        offset, start = archive.getinfo("archive/data/0").header_offset, archive.start_dir
    entries = b""
    for index in range(number):
        name = f"archive/data/{index}".encode()
        fields = (b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 10_000, 10_000, len(name), 0, 0, 0, 0, 0, offset)
        entries += struct.pack("<4s6H3L5H2L", *fields) + name
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, number % 65536, number % 65536, len(entries), start, 0)
    return data[:start] + entries + end


HOSTILE = {
    "compressed zeros": lambda: rebuilt(method=zipfile.ZIP_DEFLATED, storage=bytes(50_000_000)),
    "storages on top of one another": lambda: many_records(3),
    "bytearray of a length": lambda: rebuilt(pickle.dumps({**VERSION, "x": Call(bytearray, 10**11)}, 2)),
    "storage of a length": lambda: rebuilt(
        b"\x80\x02ctorch\nFloatStorage\n\x8a\x05" + (10**10).to_bytes(5, "little") + b"\x85R."
    ),
    "tensor constructor": lambda: rebuilt(
        pickle.dumps({**VERSION, "x": Call(torch.Tensor, 10**6, 10**5)}, 2)
    ),
    "expanded tensor": lambda: rebuilt(tensor_pickle("1000000 1000000", "0 0")),
    "tensor beyond its storage": lambda: rebuilt(tensor_pickle("4 4", "8 8")),
    "storage of another length": lambda: rebuilt(tensor_pickle("16", "1", count=17)),
    "unknown storage": lambda: rebuilt(tensor_pickle("16", "1", b"HugeStorage")),
    "memo far away": lambda: rebuilt(b"\x80\x02N" + b"r\xff\xff\xff\x7f" + b"j\xfe\xff\xff\x7f."),
    "string of a length": lambda: rebuilt(b"\x80\x02X\xff\xff\xff\x7fabc."),
    "integer of a length": lambda: rebuilt(b"\x80\x02\x8a\xff\x01."),
    "bytes of a length": lambda: rebuilt(b"\x80\x04\x96\xff\xff\xff\xff\x7f\0\0\0."),
    "doubling lists": lambda: rebuilt(pickle.dumps({**VERSION, "x": doubled(40, lambda a, b: [a, b])}, 2)),
    "doubling tuples": lambda: rebuilt(pickle.dumps({**VERSION, "x": doubled(40, lambda a, b: (a, b))}, 2)),
    "circle": lambda: rebuilt(b"\x80\x02]q\0h\0a."),
    "deep": lambda: rebuilt(nested(100_000)),
    "many empty lists": lambda: rebuilt(b"\x80\x02(" + b"]" * 1_000_000 + b"l."),
    "colliding keys": lambda: rebuilt(b"\x80\x02}\x8a\x09" + (2**64).to_bytes(9, "little") + b"Ns."),
    "endless name": lambda: rebuilt(b"\x80\x02c" + b"a" * 1000 + b"."),
    "no end": lambda: rebuilt(b"\x80\x02}"),
    "empty pickle": lambda: rebuilt(b""),
    "two values": lambda: rebuilt(b"\x80\x02NN."),
    "a name as a value": lambda: rebuilt(b"\x80\x02}X\x01\0\0\0acos\nsystem\ns."),
    "an attribute set": lambda: rebuilt(b"\x80\x02cos\nsystem\n}X\x01\0\0\0aNsb."),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_within_their_size(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "PURSE", 4_000_000)
    path = tmp_path / "agent.pth"
    path.write_bytes(HOSTILE[name]())
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError) as error:
            parse_checkpoint(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(error.value).startswith(f"{path} is not a checkpoint")
    assert peak <= 2 * path.stat().st_size + 8_000_000


def test_reading_takes_no_more_than_twice_the_file(tmp_path: Path) -> None:
    learn(TD3(TD3Config.nature(), seed=1), 0).save_checkpoint(tmp_path / "agent.pth")
    size = (tmp_path / "agent.pth").stat().st_size
    tracemalloc.start()
    try:
        contents = parse_checkpoint(tmp_path / "agent.pth")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size <= peak <= 1.2 * size
    assert contents["total_it"] == 0


def test_whatever_torch_writes_of_plain_data_reads_the_same(tmp_path: Path) -> None:
    value: dict[str, Any] = {
        **VERSION,
        "numbers": [0, 255, 256, 65_535, 65_536, -1, 2**31, -(2**40), 2**80, -(2**80), 1.5, float("inf")],
        "words": ["", "a", "\u00e9\u4e2d\U0001f600", b"\x00\xff", None, True, False],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((1, (2,)), [])],
        "ints": {-5: "a", 2**40: {}},
        "ordered": OrderedDict(a=1),
        "tensors": [torch.arange(6).reshape(2, 3).to(dtype) for dtype in DTYPES.values()],
        "views": [
            torch.arange(24.0).reshape(4, 6)[1:3, ::2],
            torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last),
        ],
        "empty": [torch.zeros(0), torch.zeros(3, 0), torch.tensor(3.0)],
    }
    (tmp_path / "a.pth").write_bytes(saved(value))
    mine, torchs = parse_checkpoint(tmp_path / "a.pth"), torch.load(tmp_path / "a.pth", weights_only=True)
    assert list(mine) == list(torchs)
    for key in ("numbers", "words", "tuples", "ints", "ordered"):
        assert repr(mine[key]) == repr(value[key]).replace("OrderedDict([('a', 1)])", "{'a': 1}").replace(
            "OrderedDict({'a': 1})", "{'a': 1}"
        )
    for key in ("tensors", "views", "empty"):
        for one, other in zip(mine[key], torchs[key], strict=True):
            assert (one.dtype, one.shape, one.stride()) == (other.dtype, other.shape, other.stride())
            assert torch.equal(one, other)


def test_tied_tensors_and_module_states_are_read(tmp_path: Path) -> None:
    """As files that are not this project's may hold them."""
    linear = torch.nn.Linear(3, 2)
    torch.save({**VERSION, "a": linear.state_dict(), "b": linear.state_dict()}, tmp_path / "a.pth")
    contents = parse_checkpoint(tmp_path / "a.pth")
    assert torch.equal(contents["b"]["weight"], linear.weight.detach())


def test_what_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"\['x'\] is a tensor of torch.complex64, which cannot be read"
    ):
        write_checkpoint(tmp_path / "a.pth", {"x": torch.zeros(2, dtype=torch.complex64)})
    with pytest.raises(CheckpointError, match=r"\['x'\] is empty bytes, which torch.load does not read"):
        write_checkpoint(tmp_path / "a.pth", {"x": b""})
    assert list(tmp_path.iterdir()) == []


def test_results_can_be_changed(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(saved({**VERSION, "a": torch.zeros(3), "b": torch.zeros(3)}))
    contents = parse_checkpoint(tmp_path / "a.pth")
    contents["a"].add_(1)
    assert contents["b"].tolist() == [0, 0, 0]
    assert np.array_equal(contents["a"].numpy(), np.ones(3, np.float32))


CNN = {"layers": [], "features": 8, "activation": "relu", "normalization": "layer"}
WIDE = {"out_channels": 1, "kernel_size": 1, "stride": 1, "padding": 0}

LARGER: dict[str, dict[str, Any]] = {
    "widths": {"actor_hidden": [10**6, 10**6]},
    "depth": {"critic_hidden": [1] * 10**5},
    "observations": {"vector_size": 10**12},
    "normalisation": {
        "image_shape": [1, 20_000, 20_000],
        "actor_cnn": {**CNN, "layers": [WIDE]},
        "critic_cnn": {**CNN, "layers": [WIDE]},
    },
    "convolutions": {"actor_cnn": {**CNN, "layers": [WIDE] * 10_000}},
}


@pytest.mark.parametrize("name", LARGER)
def test_a_config_larger_than_the_networks_in_the_file_is_not_built(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "agent.pth"
    TD3(TD3Config.tiny(), seed=1).save_checkpoint(path)
    contents = parse_checkpoint(path)
    contents["config"] |= LARGER[name]
    write_checkpoint(path, contents)
    for owner, method in ((torch.nn.Linear, "__init__"), (torch.nn.Conv2d, "__init__")):
        monkeypatch.setattr(owner, method, lambda *_: pytest.fail("a network is built"))
    with pytest.raises(CheckpointError, match=r"agent\.pth does not hold the networks of its") as error:
        read_checkpoint(path)
    assert len(str(error.value)) < 20_000


@given(st.data())
def test_networks_are_described_as_they_are_built(data: st.DataObject) -> None:
    config = TD3Config.tiny(data.draw(st.sampled_from(OBSERVATIONS)))
    config = replace(config, **{f"{name}_hidden": data.draw(HIDDEN) for name in ("actor", "critic")})
    if config.actor_cnn is not None:
        kinds = st.sampled_from(NORMALIZATIONS)
        cnns = {
            f"{name}_cnn": replace(config.actor_cnn, normalization=data.draw(kinds))
            for name in ("actor", "critic")
        }
        config = replace(config, **cnns)
    contents = capture(TD3(config, seed=0))
    refuse_other_networks(config, contents, source="a")
    for name in TRAINED_NETWORKS:
        described, own = tensors_of(config, name), contents[f"{name}_state_dict"]
        assert (described is None) == (own is None)
        if described is not None:
            assert [key for key, _, _ in described] == list(own)

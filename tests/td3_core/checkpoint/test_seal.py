# SPDX-License-Identifier: MIT
"""A sealed file is an ordinary torch checkpoint, and no other byte of it goes unnoticed."""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import stat
import subprocess
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
import torch
import xxhash
from hypothesis import given
from td3_agents import learn

from td3_core import TD3, CheckpointError, TD3Config, inspect_checkpoint, read_checkpoint
from td3_core.checkpoint import format as checkpoint
from td3_core.checkpoint import seal
from td3_core.checkpoint.format import parse_checkpoint, write_checkpoint
from td3_core.training.command import main
from verification.state.compare import compare
from verification.state.walk import take

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    learn(TD3(TD3Config.tiny("vector"), seed=1), 3).save_checkpoint(tmp_path / "agent.pth")
    return tmp_path / "agent.pth"


def refused(path: Path) -> str:
    """The message with which every door refuses a file."""
    messages = set()
    for read in (parse_checkpoint, read_checkpoint, TD3(TD3Config.tiny("vector"), seed=2).load_checkpoint):
        with pytest.raises(CheckpointError) as error:
            read(path)
        messages.add(str(error.value))
    (message,) = messages
    assert message.startswith(str(path))
    assert "weights_only" not in message
    return message


def test_anybody_can_check_the_seal(path: Path) -> None:
    data = path.read_bytes()
    assert data[-40:-32] == b"\nxxh128 "
    assert data[-32:].decode() == xxhash.xxh3_128(data[:-32]).hexdigest()
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert file.comment.startswith(b"td3_core checkpoint {")


@given(st.lists(st.sampled_from([0, 1, 2, 3, 5, 15, 16, 17, 18, 31, 32, 33, 200]), max_size=12))
def test_however_it_is_written_no_byte_is_lost_or_left_out(sizes: list[int]) -> None:
    writes = [
        *(bytes([number]) * size for number, size in enumerate(sizes)),
        *(b"the end", b"." * 13, b"\0\0"),
    ]
    with pytest.MonkeyPatch.context() as patch, tempfile.NamedTemporaryFile() as file:
        patch.setattr(seal, "_PIECE", 16)
        with seal.sealing(file) as sealing:
            for data in writes:
                reused = bytearray(data)
                assert sealing.write(memoryview(reused)) == len(data)
                reused[:] = b"x" * len(data)  # as torch does
            sealing.seal(seal.Identity(3, "", 0, ""))
        file.flush()
        written = Path(file.name).read_bytes()
    assert written.startswith(b"".join(writes)[:-2])
    header = written[len(b"".join(writes)) : -32]
    assert written[len(b"".join(writes)) - 2 :][:2] == (len(header) + 32).to_bytes(2, "little")
    assert written[-32:].decode() == xxhash.xxh3_128(written[:-32]).hexdigest()


def test_the_seal_says_what_the_file_is_without_loading_it(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.archive, "unpack", None)
        identity = inspect_checkpoint(path)
    assert (identity.format_version, identity.total_it) == (3, 3)
    assert identity.torch_version == str(torch.__version__)
    with pytest.raises(SystemExit) as ended:
        main(["--inspect", str(path)])
    lines = capsys.readouterr().out.splitlines()
    assert ended.value.code == 0
    assert f"config_sha256: {identity.config_sha256}" in lines
    assert lines[-1] == "seal: intact"


def test_the_digest_of_a_config_tells_configs_apart(path: Path, tmp_path: Path) -> None:
    TD3(TD3Config.tiny("vector"), seed=9).save_checkpoint(tmp_path / "same.pth")
    TD3(TD3Config.tiny("vector", tau=0.1), seed=9).save_checkpoint(tmp_path / "other.pth")
    digests = [
        inspect_checkpoint(tmp_path / name).config_sha256 for name in ("agent.pth", "same.pth", "other.pth")
    ]
    assert digests[0] == digests[1] != digests[2]


def test_what_is_damaged_is_not_inspected(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(SystemExit) as ended:
        main(["--inspect", str(path)])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"Error: {path} is damaged")
    assert len(error.splitlines()) == 1


def test_a_flipped_bit_is_refused_wherever_it_is(path: Path) -> None:
    """Any bit of the end of the file, where the format lives, and a sample of all others."""
    data = bytearray(path.read_bytes())
    draw = random.Random(0)
    bits = list(range(8 * (len(data) - 400), 8 * len(data))) + [
        draw.randrange(8 * len(data)) for _ in range(500)
    ]
    silent = []
    for bit in bits:
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        with suppress(CheckpointError):
            parse_checkpoint(path)
            silent.append(bit)
        data[bit // 8] ^= 1 << bit % 8
    assert silent == []


def test_a_file_without_its_seal_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-32])
    assert "is not a checkpoint: the end of it is missing" in refused(path)
    contents = torch.load(path, weights_only=True)
    torch.save(contents, path)
    assert "format_version is 3 in its contents, which does not go with a file without a seal" in refused(
        path
    )


def test_a_damaged_file_of_version_1_is_refused(path: Path) -> None:
    """It has no seal, but checksums."""
    torch.save({**parse_checkpoint(path), "format_version": 1}, path)
    read_checkpoint(path)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as file:
        info = max(file.infolist(), key=lambda info: info.file_size)
    data[info.header_offset + 200] ^= 1
    path.write_bytes(data)
    assert "is damaged" in refused(path)


def test_appended_bytes_are_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")
    assert "the end of it is missing or something follows it" in refused(path)


def test_another_seal_is_refused(path: Path) -> None:
    data = path.read_bytes()[:-32].replace(b"td3_core checkpoint", b"td4_core checkpoint")
    path.write_bytes(data + xxhash.xxh3_128(data).hexdigest().encode())
    assert refused(path) == f"{path} has a seal, but not one of td3_core"


def test_a_newer_version_is_refused_by_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = parse_checkpoint(path)
    monkeypatch.setattr(checkpoint, "FORMAT_VERSION", 4)
    write_checkpoint(path, contents)
    monkeypatch.undo()
    assert refused(path) == (
        f"{path} has format version 4, of a newer td3_core; this one reads versions up to 3"
    )


# -- how a file is replaced ----------------------------------------------------------------------------------


def test_the_mode_of_an_existing_file_is_kept_and_a_new_one_follows_the_umask(path: Path) -> None:
    path.chmod(0o640)
    agent = TD3(TD3Config.tiny("vector"), seed=1)
    agent.save_checkpoint(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    before = os.umask(0o027)
    try:
        agent.save_checkpoint(path.with_name("new.pth"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.with_name("new.pth").stat().st_mode) == 0o640


def test_a_link_stays_and_its_target_is_replaced(path: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    link, dangling = tmp_path / "links" / "latest.pth", tmp_path / "links" / "new.pth"
    link.symlink_to(path)
    dangling.symlink_to("../made.pth")
    agent = learn(TD3(TD3Config.tiny("vector"), seed=1), 5)
    agent.save_checkpoint(link)
    agent.save_checkpoint(dangling)
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert read_checkpoint(path)["total_it"] == read_checkpoint(tmp_path / "made.pth")["total_it"] == 5
    assert sorted(one.name for one in (tmp_path / "links").iterdir()) == ["latest.pth", "new.pth"]


def test_what_is_no_file_is_neither_read_nor_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    agent = TD3(TD3Config.tiny("vector"), seed=1)
    before = take({"agent": agent})
    with pytest.raises(CheckpointError, match="pipe cannot be read: it is not a regular file"):
        agent.load_checkpoint(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="pipe cannot be written: it is not a regular file"):
        agent.save_checkpoint(tmp_path / "pipe")
    assert compare(before, take({"agent": agent})) == []
    assert [one.name for one in tmp_path.iterdir()] == ["pipe"]


def test_a_file_that_changes_while_it_is_read_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size, fstat = path.stat().st_size, os.fstat

    def off_by(change: int) -> Callable[[int], os.stat_result]:
        def other_size(descriptor: int) -> os.stat_result:
            status = list(fstat(descriptor))
            status[stat.ST_SIZE] += change
            return os.stat_result(status)

        return other_size

    for change, word in ((1, "shorter"), (-1, "longer")):
        monkeypatch.setattr(os, "fstat", off_by(change))
        with pytest.raises(CheckpointError, match=f"became {word} while it was read"):
            parse_checkpoint(path)
    assert path.stat().st_size == size


@pytest.mark.parametrize(("digits", "tool"), [(32, "xxh128sum"), (64, "sha256sum")])
def test_the_command_of_the_documents_checks_a_seal(digits: int, tool: str, path: Path) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"there is no {tool} here")
    sealed = path if digits == 32 else GOLDEN / "v2-agent.pth"
    command = f"head -c -{digits} {sealed} | {tool}"
    printed = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout
    assert printed.split()[0] == sealed.read_bytes()[-digits:].decode()


def test_a_seal_of_version_2_is_as_good(path: Path) -> None:
    data = bytearray((GOLDEN / "v2-agent.pth").read_bytes())
    assert data[-72:-64] == b"\nsha256 "
    assert data[-64:].decode() == hashlib.sha256(data[:-64]).hexdigest()
    for position in (1000, len(data) // 2, len(data) - 100, len(data) - 1):
        data[position] ^= 1
        path.write_bytes(data)
        assert refused(path).startswith(f"{path} is damaged")
        data[position] ^= 1
    path.write_bytes(data)
    assert inspect_checkpoint(path).format_version == 2


def test_what_is_sealed_is_what_was_written_whoever_changes_it_meanwhile() -> None:
    class Meddling(io.FileIO):
        def write(self, piece: Any) -> int:
            count = super().write(piece)
            data[:] = bytes(len(data))
            return count

    data = bytearray(b"a tensor that another thread is changing")
    with tempfile.NamedTemporaryFile() as named:
        with Meddling(named.name, "r+") as file, seal.sealing(file) as sealing:
            sealing.write(data)
            sealing.write(b"\0\0")
            sealing.seal(seal.Identity(3, "", 0, ""))
        written = memoryview(Path(named.name).read_bytes())
    assert bytes(written).startswith(b"a tensor that another thread is changing")
    assert seal.verify(written)[0] == seal.Identity(3, "", 0, "")

# SPDX-License-Identifier: MIT
"""A seal by itself, on bytes that are written out: what it says, what it refuses, and what it passes on."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, replace
from typing import Any

import pytest
import xxhash

from td3_core.checkpoint import seal
from td3_core.checkpoint.seal import BrokenSealError, Identity, is_sealed, sealing, verify

IDENTITY = Identity(format_version=3, config_sha256="ab" * 32, total_it=7, torch_version="2.6.0+cpu")
END = b"\0\0"  # the length of the comment of an archive without one


def sealed(content: bytes = b"archive", identity: Identity = IDENTITY) -> bytes:
    file = io.BytesIO()
    with sealing(file) as sealing_file:
        sealing_file.write(content + END)
        sealing_file.seal(identity)
    return file.getvalue()


def by_hand(before: bytes, label: bytes = b"\nxxh128 ") -> bytes:
    """Bytes with a digest of all of them."""
    algorithm = xxhash.xxh3_128 if label == b"\nxxh128 " else hashlib.sha256
    return before + label + algorithm(before + label).hexdigest().encode()  # type: ignore[operator]


def comment(**changes: Any) -> bytes:
    return b"td3_core checkpoint " + json.dumps({**asdict(IDENTITY), **changes}).encode()


def refused(data: bytes) -> str:
    with pytest.raises(BrokenSealError) as caught:
        verify(memoryview(data))
    return str(caught.value)


def test_a_sealed_file_is_the_archive_its_comment_and_a_digest_of_both() -> None:
    header = b"td3_core checkpoint " + json.dumps(asdict(IDENTITY), sort_keys=True).encode() + b"\nxxh128 "
    before = b"archive" + (len(header) + 32).to_bytes(2, "little") + header
    assert sealed() == before + xxhash.xxh3_128(before).hexdigest().encode()
    assert verify(memoryview(sealed())) == (IDENTITY, len(header) + 32)
    assert is_sealed(memoryview(sealed()))


@pytest.mark.parametrize("size", [0, 1, 2**18 - 3, 2**18 - 2, 2**18 - 1, 2**18, 2**18 + 1, 2**19, 2**19 + 5])
@pytest.mark.parametrize("step", [2**20, 1000])
def test_a_file_of_any_size_is_what_was_written(size: int, step: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size] + END
    file = io.BytesIO()
    with sealing(file) as sealing_file:
        for start in range(0, len(content), step):
            assert sealing_file.write(content[start : start + step]) == len(content[start : start + step])
        sealing_file.seal(IDENTITY)
    data = file.getvalue()
    _, length = verify(memoryview(data))
    assert data[: len(data) - length] == content[:-2] + length.to_bytes(2, "little")


@pytest.mark.parametrize("label", [b"\nxxh128 ", b"\nsha256 "])
def test_both_digests_are_known(label: bytes) -> None:
    data = by_hand(b"archive" + comment(), label)
    digits = 32 if label == b"\nxxh128 " else 64
    assert verify(memoryview(data)) == (IDENTITY, len(comment()) + len(label) + digits)


def test_every_changed_byte_is_noticed() -> None:
    data = bytearray(sealed())
    for place in range(len(data)):
        data[place] ^= 1
        assert refused(data) in {
            "has no seal",
            "is damaged: its bytes do not have the digest that it was sealed with",
        }
        data[place] ^= 1
    assert not is_sealed(memoryview(sealed()[:-1]))
    assert not is_sealed(memoryview(b""))


@pytest.mark.parametrize(
    "changes",
    [
        {"format_version": -1},
        {"format_version": 3.0},
        {"format_version": True},
        {"total_it": -1},
        {"total_it": "7"},
        {"config_sha256": "ab"},
        {"config_sha256": "AB" * 32},
        {"config_sha256": None},
        {"torch_version": "2 6"},
        {"torch_version": "2" * 101},
        {"torch_version": "\uff12"},
        {"torch_version": 2.6},
        {"another": 1},
    ],
    ids=str,
)
def test_what_cannot_have_been_written_is_not_believed(changes: dict[str, Any]) -> None:
    assert refused(by_hand(b"archive" + comment(**changes))) == "has a seal, but not one of td3_core"


@pytest.mark.parametrize(
    "text",
    [
        b"td3_core checkpoint []",
        b"td3_core checkpoint {}",
        b"td3_core checkpoint nonsense",
        b"td3_core checkpoint " + b"[" * 3900,
        b"td4_core checkpoint " + json.dumps(asdict(IDENTITY)).encode(),
    ],
    ids=lambda text: text[:30].decode(),
)
def test_a_comment_that_is_another_is_refused(text: bytes) -> None:
    assert refused(by_hand(b"archive" + text)) == "has a seal, but not one of td3_core"


def test_an_identity_without_its_name_is_refused() -> None:
    """It would be read from where a name that is missing would have ended."""
    data = by_hand(b"x" * (len(b"td3_core checkpoint ") - 1) + json.dumps(asdict(IDENTITY)).encode())
    assert refused(data) == "has a seal, but not one of td3_core"


def test_an_identity_may_fill_the_whole_file() -> None:
    assert verify(memoryview(by_hand(comment())))[0] == IDENTITY


def test_unknown_configs_and_versions_are_plausible() -> None:
    bare = replace(IDENTITY, config_sha256="", torch_version="")
    assert bare.is_plausible()
    assert verify(memoryview(sealed(identity=bare)))[0] == bare
    assert {bare, bare} == {bare}  # it does not change


CONTENTS = {"format_version": 3, "config": {"a": 1, "b": [2]}, "total_it": 5, "torch_version": "2.13.0"}


def test_an_identity_is_taken_from_the_contents() -> None:
    config = json.dumps({"a": 1, "b": [2]}).encode()
    found = Identity.of(CONTENTS)
    assert found == Identity(3, hashlib.sha256(config).hexdigest(), 5, "2.13.0")
    turned = {**CONTENTS, "config": {"b": [2], "a": 1}}
    assert Identity.of(turned) == found
    assert Identity.of({**CONTENTS, "config": {"a": 2}}).config_sha256 != found.config_sha256
    assert Identity.of({**CONTENTS, "config": {"a": object, "b": "\udcff"}}).is_plausible()


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({"total_it": -1}, "total_it", 0),
        ({"total_it": None}, "total_it", 0),
        ({"torch_version": "not a version"}, "torch_version", ""),
    ],
)
def test_what_is_not_plausible_is_not_written(changes: dict[str, Any], name: str, value: Any) -> None:
    found = Identity.of({**CONTENTS, **changes})
    assert getattr(found, name) == value
    assert found.is_plausible()
    assert Identity.of({"format_version": 1}).torch_version == ""


class Failing(io.BytesIO):
    """Fails once."""

    failed = False

    def write(self, data: Any) -> int:
        if not self.failed:
            self.failed = True
            raise OSError("disk full")
        return super().write(data)


def test_once_writing_has_failed_nothing_is_written_and_the_seal_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seal, "_PIECE", 4)
    file = Failing()
    with sealing(file) as sealing_file:
        for _ in range(3):
            assert sealing_file.write(b"0123456789") == 10
        with pytest.raises(OSError, match="disk full"):
            sealing_file.seal(IDENTITY)
    assert file.getvalue() == b""


def test_behind_the_end_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "_PIECE", 4)
    file = io.BytesIO()
    with sealing(file) as sealing_file:
        sealing_file.write(b"01234567")
        sealing_file.flush()
    before = file.getvalue()
    assert sealing_file.write(b"x" * 100) == 100
    assert file.getvalue() == before
    with pytest.raises(ValueError, match="the file is closed"):
        sealing_file.seal(IDENTITY)

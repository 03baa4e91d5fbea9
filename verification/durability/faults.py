# SPDX-License-Identifier: MIT
"""Faults: what happens to the files of a checkpoint, without knowing their format."""

from __future__ import annotations

import base64
import io
import json
import shutil
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from random import Random

#: The files of a checkpoint by their path in its directory; ``None`` is a folder in place of a file.
Files: TypeAlias = "Mapping[str, bytes | None]"

_PAGE, _SECTOR = 4096, 512
_STRUCTURES = (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06")


class Fault(NamedTuple):
    """A damaged checkpoint, and what was done to it, as the beginning of a sentence."""

    what: str
    files: Files


def read_files(directory: Path) -> dict[str, bytes]:
    """Every file below ``directory``."""
    return {
        str(file.relative_to(directory)): file.read_bytes()
        for file in sorted(directory.rglob("*"))
        if file.is_file()
    }


def write_files(directory: Path, files: Files) -> None:
    """Leave ``files``, and nothing else, in ``directory``."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for name, data in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        if data is None:
            (directory / name).mkdir()
        else:
            (directory / name).write_bytes(data)


def truncations(files: dict[str, bytes], draw: Random) -> Iterator[Fault]:
    """A file is cut at random and where a format begins or ends something."""
    for name, data in _some(files, draw):
        lengths = {draw.randrange(1, len(data)) for _ in range(3)} | {1, len(data) - 1, len(data) // 2}
        lengths |= {len(data) - 22, len(data) - 64, len(data) // _PAGE * _PAGE}
        for structure in _STRUCTURES:
            lengths |= {data.find(structure), data.rfind(structure)}
        for length in sorted(one for one in lengths if 0 < one < len(data)):
            yield _changed(files, name, data[:length], f"cut to {length:,} of {len(data):,} bytes")


def flips(files: dict[str, bytes], draw: Random) -> Iterator[Fault]:
    """One bit is flipped, anywhere, or near the ends, where formats keep what they know about the rest."""
    for name, data in _some(files, draw):
        places = [draw.randrange(len(data)) for _ in range(8)]
        places += [draw.randrange(min(128, len(data))) for _ in range(2)]
        places += [len(data) - 1 - draw.randrange(min(1024, len(data))) for _ in range(4)]
        for place in places:
            bit = draw.randrange(8)
            flipped = bytes([data[place] ^ 1 << bit])
            what = f"with bit {bit} of byte {place:,} of {len(data):,} flipped"
            yield _changed(files, name, data[:place] + flipped + data[place + 1 :], what)


def zeroed_pages(files: dict[str, bytes], draw: Random) -> Iterator[Fault]:
    """A page of a file was never written, as after a power cut."""
    for name, data in _some(files, draw):
        pages = [start for start in range(0, len(data), _PAGE) if any(data[start : start + _PAGE])]
        for start in draw.sample(pages, min(4, len(pages))):
            end = min(start + _PAGE, len(data))
            yield _changed(
                files,
                name,
                data[:start] + bytes(end - start) + data[end:],
                f"with zeros from byte {start:,} to {end:,}",
            )


def appendages(files: dict[str, bytes], draw: Random) -> Iterator[Fault]:
    """Something follows the end of a file."""
    for name, data in _some(files, draw):
        for junk, what in (
            (b"\0", "a zero"),
            (draw.randbytes(100), "100 random bytes"),
            (data, "another copy of it"),
        ):
            yield _changed(files, name, data + junk, f"with {what} behind it")


def mixtures(old: dict[str, bytes], new: dict[str, bytes], draw: Random) -> Iterator[Fault]:
    """A file begins as the new checkpoint and goes on as the old one, which it was written over."""
    for name, data in _some(new, draw):
        before = old.get(name, b"")
        places = [draw.randrange(1, len(data)) for _ in range(3)]
        # Disks write whole sectors.
        places += [
            _SECTOR * draw.randrange(1, len(data) // _SECTOR) for _ in range(3) if len(data) >= 2 * _SECTOR
        ]
        for place in places:
            mixed = data[:place] + before[place:]
            yield _changed(new, name, mixed, f"whose first {place:,} bytes are new and the others old")


def exchanges(old: dict[str, bytes], new: dict[str, bytes]) -> Iterator[Fault]:
    """One file of several is that of another checkpoint."""
    if len(new) > 1:
        for name, data in new.items():
            if name in old and old[name] != data:
                yield _changed(new, name, old[name], "taken from another checkpoint")


def losses(files: dict[str, bytes]) -> Iterator[Fault]:
    """One file is missing."""
    for name in files:
        yield Fault(f"without the file {name}", {other: files[other] for other in files if other != name})


def replacements(files: dict[str, bytes]) -> Iterator[Fault]:
    """Something that is no checkpoint has the name of a file."""
    for name in files:
        yield _changed(files, name, b"", "empty")
        yield _changed(files, name, b"This is no checkpoint.\n" * 9, "a text file")
        yield _changed(files, name, None, "a folder")


def with_code(files: dict[str, bytes], marker: Path) -> Iterator[Fault]:
    """A pickle somewhere in a file, also within archives and texts, opens ``marker`` for writing."""
    text = str(marker).encode()
    payload = b"cbuiltins\nopen\n(X" + len(text).to_bytes(4, "little") + text + b"X\x01\0\0\0wtR0"
    for name, data in files.items():
        changed = _infected(data, payload)
        if changed != data:
            yield _changed(files, name, changed, "with code in a pickle")
        yield _changed(files, name, b"\x80\x02" + payload + b"}.", "replaced by a pickle with code")


def _infected(data: bytes, payload: bytes) -> bytes:
    if data[:1] == b"\x80" and len(data) > 2:
        return data[:2] + payload + data[2:]
    if data[:2] == b"PK":
        with suppress(zipfile.BadZipFile, NotImplementedError):
            return _infected_archive(data, payload)
    if data[:1] in (b"{", b"["):
        with suppress(ValueError):
            return json.dumps(_infected_text(json.loads(data), payload)).encode()
    return data


def _infected_archive(data: bytes, payload: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(file, "w") as after:
        for entry in before.infolist():
            after.writestr(entry.filename, _infected(before.read(entry), payload))
    return file.getvalue()


def _infected_text(value: object, payload: bytes) -> object:
    if isinstance(value, dict):
        return {key: _infected_text(item, payload) for key, item in value.items()}
    if isinstance(value, list):
        return [_infected_text(item, payload) for item in value]
    if isinstance(value, str):
        with suppress(ValueError):
            data = base64.b64decode(value, validate=True)
            if data[:1] == b"\x80":
                return base64.b64encode(_infected(data, payload)).decode()
    return value


def _some(files: dict[str, bytes], draw: Random) -> list[tuple[str, bytes]]:
    """Up to three files that can be damaged."""
    names = [name for name, data in files.items() if len(data) > 1]
    return [(name, files[name]) for name in draw.sample(names, min(3, len(names)))]


def _changed(files: dict[str, bytes], name: str, data: bytes | None, what: str) -> Fault:
    return Fault(f"{name} {what}", {**files, name: data})

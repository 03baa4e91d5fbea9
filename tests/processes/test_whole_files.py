# SPDX-License-Identifier: MIT
"""Files are whole or not there, also where several write and remove the same ones at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from verification.processes.whole_files import remove_with_folder, write_whole

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = [letter * 100_000 for letter in "abcd"]


def test_a_text_is_written_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "new" / "report.md", "ä \udcff\n")
    write_whole(tmp_path / "new" / "report.md", "ä \udcff\n", errors="backslashreplace")
    assert (tmp_path / "new" / "report.md").read_bytes() == b"\xc3\xa4 \\udcff\n"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.md"]


def test_a_folder_goes_with_its_last_file(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "one", "")
    write_whole(tmp_path / "a" / "two", "")
    remove_with_folder(tmp_path / "a" / "one")
    assert (tmp_path / "a" / "two").exists()
    remove_with_folder(tmp_path / "a" / "two")
    remove_with_folder(tmp_path / "a" / "two")
    assert not (tmp_path / "a").exists()


def test_who_reads_sees_a_whole_file_whoever_writes(tmp_path: Path) -> None:
    path = tmp_path / "losses" / "count" / "reproduce.py"
    failures: list[BaseException] = []
    done = threading.Event()

    def write(text: str) -> None:
        try:
            for _ in range(100):
                write_whole(path, text)
                remove_with_folder(path)
                write_whole(path, text)
        except OSError as error:
            failures.append(error)

    def read() -> None:
        while not done.is_set():
            try:
                text = path.read_text()
            except FileNotFoundError:
                continue
            if text not in TEXTS:
                failures.append(AssertionError(f"{len(text)} characters"))

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(text,)) for text in TEXTS]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert failures == []
    assert path.read_text() in TEXTS

# SPDX-License-Identifier: MIT
"""A standard output that goes away ends no run, changes no exit code, and keeps no file from its place."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest
from commands import started

from verification.cli.streams import Lasting

CHECK = ("check", "mine:made", "--check", "runs_are_repeatable", "--examples", "1", "--workers", "1")


class Gone(io.StringIO):
    """As behind ``| head``, once that has ended."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def test_what_can_be_written_is() -> None:
    stream = io.StringIO()
    lasting = Lasting(stream)
    assert lasting.write("some text") == 9
    lasting.flush()
    assert stream.getvalue() == "some text"
    assert not lasting.isatty()


def test_what_cannot_be_written_is_swallowed() -> None:
    lasting = Lasting(Gone())
    assert lasting.write("some text") == 9
    lasting.flush()
    closed = io.StringIO()
    closed.close()
    assert Lasting(closed).write("x") == 1


def test_a_wrong_text_is_no_stream_that_went_away() -> None:
    with pytest.raises(UnicodeError):
        Lasting(io.TextIOWrapper(io.BytesIO(), encoding="ascii")).write("ä")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("stdout", ["/dev/full", "closed", "pipe"])
def test_a_check_goes_on_without_it(stdout: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from adapters import Tiny\nmade = Tiny()\n")
    reading, writing = os.pipe()
    os.close(reading)
    target = os.open("/dev/full", os.O_WRONLY) if stdout == "/dev/full" else writing
    through = ["sh", "-c", 'exec "$@" >&-', "sh"] if stdout == "closed" else []
    arguments = (*CHECK, "--report", "text,json")
    done = started(tmp_path, *arguments, through=through, stdout=target, stderr=subprocess.PIPE)
    _, errors = done.communicate()
    assert (done.returncode, errors) == (0, "")
    assert (tmp_path / "reports" / "tiny.json").exists()

# SPDX-License-Identifier: MIT
"""Files that carry code which touches a marker file and does nothing else."""

from __future__ import annotations

import builtins
import functools
import io
import json
import operator
import os
import pathlib
import pickle
import pty
import runpy
import struct
import subprocess
import timeit
from typing import TYPE_CHECKING, Any

import torch
import xxhash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Call:
    """Pickles as a call of ``function``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> Any:
        return self.reduced


def calls(marker: Path) -> dict[str, Any]:
    """Objects whose unpickling touches ``marker``."""
    script = f"open({str(marker)!r}, 'w').close()"
    path = marker.with_name("script.py")
    path.write_text(script)
    touch = f": > {marker}"
    return {
        "open": Call(builtins.open, str(marker), "w"),
        "exec": Call(builtins.exec, script),
        "eval": Call(builtins.eval, script),
        "system": Call(os.system, touch),
        "popen": Call(os.popen, touch + "; true"),
        "subprocess": Call(subprocess.call, ["sh", "-c", touch]),
        "spawn": Call(pty.spawn, ["sh", "-c", touch]),
        "run_path": Call(runpy.run_path, str(path)),
        "timeit": Call(timeit.timeit, script, "pass", timeit.default_timer, 1),
        "touch": Call(pathlib.Path.touch, marker),
        "write_text": Call(operator.methodcaller("write_text", ""), marker),
        "partial": Call(functools.partial(builtins.exec, script)),
    }


def payloads(marker: Path) -> Iterator[bytes]:
    """Every call, alone and within dicts, in a pickle, in an archive of torch, and behind a valid seal."""
    for call in calls(marker).values():
        for value in (call, {"format_version": 3, "config": call}, {"format_version": 1, "x": [(call,)]}):
            bare = pickle.dumps(value, 2)
            pickle.loads(bare)
            _wait_for(marker)
            archive = _archive(value)
            yield bare
            yield archive
            yield sealed(archive)


def _wait_for(marker: Path) -> None:
    """See that the code does run where nobody prevents it."""
    for _ in range(1000):
        if marker.exists():
            marker.unlink()
            return
        os.sched_yield()
        subprocess.run(["sleep", "0.01"], check=True)
    raise RuntimeError("a payload does nothing")


def _archive(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def sealed(archive: bytes, **said: Any) -> bytes:
    """What somebody who knows the format can make of an archive; ``said`` is what the seal says of it."""
    identity = {"config_sha256": "", "format_version": 3, "torch_version": "", "total_it": 0, **said}
    header = b"td3_core checkpoint " + json.dumps(identity).encode() + b"\nxxh128 "
    data = archive[:-2] + struct.pack("<H", len(header) + 32) + header
    return data + xxhash.xxh3_128(data).hexdigest().encode()

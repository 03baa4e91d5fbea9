# SPDX-License-Identifier: MIT
"""The formats whose files are damaged side by side: this project's, plain torch's, and safetensors'."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch

from td3_core import read_checkpoint
from td3_core.checkpoint.format import FORMAT_VERSION, write_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


class Format:
    """A file format: how it is written and read the documented way, and where its metadata lies."""

    name = "td3_core"

    def save(self, path: Path, contents: dict[str, Any]) -> None:
        """Write the contents of an agent's checkpoint."""
        write_checkpoint(path, contents)

    def load(self, path: Path) -> Any:
        """Read them back."""
        return read_checkpoint(path)

    def metadata(self, data: bytes) -> list[int]:
        """The places of all bytes that are not elements of tensors."""
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            elements: set[int] = set()
            for entry in archive.infolist():
                if "/data/" in entry.filename:
                    names = data[entry.header_offset + 26 : entry.header_offset + 30]
                    start = entry.header_offset + 30 + sum(memoryview(names).cast("H"))
                    elements.update(range(start, start + entry.file_size))
        return [place for place in range(len(data)) if place not in elements]

    def writes(self, contents: dict[str, Any]) -> set[int]:
        """Where in the file the writes of ``torch.save`` end."""
        ends: list[int] = [0]

        class Counting(io.RawIOBase):
            def write(self, data: Any) -> int:
                ends.append(ends[-1] + memoryview(data).nbytes)
                return memoryview(data).nbytes

        torch.save(contents, Counting())
        return set(ends)


class PlainTorch(Format):
    """``torch.save`` and ``torch.load(weights_only=True)``."""

    name = "torch.save"

    def save(self, path: Path, contents: dict[str, Any]) -> None:
        torch.save({"format_version": FORMAT_VERSION, **contents}, path)

    def load(self, path: Path) -> Any:
        return torch.load(path, weights_only=True)


class Safetensors(Format):
    """``safetensors``: the tensors by their path, everything else as JSON in the metadata."""

    name = "safetensors"

    def save(self, path: Path, contents: dict[str, Any]) -> None:
        tensors: dict[str, torch.Tensor] = {}
        rest = _without_tensors(contents, "", tensors)
        safetensors.torch.save_file(tensors, path, {"rest": json.dumps(rest)})

    def load(self, path: Path) -> Any:
        # Copies: what is read otherwise lies in the file, and changes with it.
        with safetensors.safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key).clone() for key in sorted(file.keys())}, file.metadata()

    def metadata(self, data: bytes) -> list[int]:
        return list(range(8 + int.from_bytes(data[:8], "little")))

    def writes(self, contents: dict[str, Any]) -> set[int]:
        return set()


def _without_tensors(value: Any, where: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        tensors[where] = value.contiguous()
        return None
    if isinstance(value, dict):
        return {str(key): _without_tensors(item, f"{where}.{key}", tensors) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_tensors(item, f"{where}.{index}", tensors) for index, item in enumerate(value)]
    return value


FORMATS: tuple[Format, ...] = (Format(), PlainTorch(), Safetensors())

# SPDX-License-Identifier: MIT
"""The manifest of a corpus: which adapter wrote it, under which versions, and what its entries are."""

from __future__ import annotations

import dataclasses
import json
import platform
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import torch

from verification.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Of the files of a corpus; goes up when one changes its meaning.
FORMAT = 1
NAME = "corpus.json"
_PACKAGES = ("numpy", "gymnasium", "td3-verification")
#: Where these are the same, so are the bits of what follows.
_DECISIVE = ("torch", "numpy", "machine", "cpu")


@dataclass(frozen=True)
class Entry:
    """One checkpoint of a corpus, in a folder of its name.

    Attributes:
        name: of its folder.
        closed_loop: whether the agent's own training loop runs, or steps are on given batches.
        followed: how many steps behind the load are recorded.
        unrestored: paths of what had not come back when the checkpoint was loaded where it was written.
    """

    name: str
    closed_loop: bool
    followed: int
    unrestored: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What trains the agent, in words."""
        return "own loop" if self.closed_loop else "batches"


@dataclass(frozen=True)
class Manifest:
    """What is known about a whole corpus.

    Attributes:
        adapter: its name.
        target: how a command names it.
        seed: of the programs.
        environment: the versions that wrote it.
        entries: the checkpoints.
    """

    adapter: str
    target: str
    seed: int
    environment: Mapping[str, str]
    entries: tuple[Entry, ...]

    def write(self, folder: Path) -> None:
        """Write it; a folder is a corpus once it has one."""
        text = json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=1)
        (folder / NAME).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the corpus in a folder.

    Raises:
        UsageError: if there is none, or one of a later format.
    """
    try:
        told: dict[str, Any] = json.loads((folder / NAME).read_text(encoding="utf-8"))
        version = told.pop("format")
    except FileNotFoundError:
        raise UsageError(
            f"{folder} is no corpus: it has no {NAME}; `verify corpus write` makes one"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder / NAME} cannot be read: {type(error).__name__}: {error}") from None
    if version != FORMAT:
        raise UsageError(
            f"{folder} has format {version}, and this version reads {FORMAT}; read it with a later version"
        )
    try:
        entries = [
            Entry(**{**entry, "unrestored": tuple(entry["unrestored"])}) for entry in told.pop("entries")
        ]
        return Manifest(**told, entries=tuple(entries))
    except (TypeError, KeyError) as error:
        raise UsageError(f"{folder / NAME} is damaged: {error}") from None


def environment_of(agent: object) -> dict[str, str]:
    """The versions and the machine that decide about bits, and the version of the agent's own library."""
    packages = [*_PACKAGES, *_distributions(type(agent).__module__.partition(".")[0])]
    versions = {name: _version(name) for name in dict.fromkeys(packages)}
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        **versions,
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
    }


def same_bits(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two environments compute the same."""
    return all(one.get(name) == other.get(name) for name in _DECISIVE)


def _distributions(module: str) -> list[str]:
    return metadata.packages_distributions().get(module, [])


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"

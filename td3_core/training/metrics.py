# SPDX-License-Identifier: MIT
"""The metrics file of a training run: one CSV row per finished episode."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("episode", "step", "return", "length", "critic_loss", "actor_loss")
_HEADER = ",".join(COLUMNS) + "\n"


@dataclass(frozen=True)
class EpisodeSummary:
    """One finished episode.

    Attributes:
        number: 1 for the first episode of the run.
        step: Environment steps of the whole run when the episode ended.
        total_reward: Sum of the episode's rewards.
        length: Steps in the episode.
        losses: The newest value of each loss at that point; empty before the first update.
    """

    number: int
    step: int
    total_reward: float
    length: int
    losses: dict[str, float]


class MetricsFile:
    """Writes one row per episode, each flushed at once.

    It is the one place where the episodes of a run are kept. A resumed run keeps the rows up to the step at
    which it resumes, drops what stands behind them, and ends with the file of a run that was never
    interrupted. It holds no wall-clock times for the same reason.

    Args:
        path: The file.
        steps: The step at which the run begins or goes on.
        earlier: The file with the rows up to that step, if it is not ``path``.
    """

    def __init__(self, path: Path, steps: int, *, earlier: Path | None = None) -> None:
        self.path = path
        kept = _rows(earlier or path, steps)
        if earlier is None and kept:
            self._file = path.open("r+", newline="", encoding="utf-8")
            # In place, so that a crash leaves the rows before.
            self._file.truncate(len(kept.encode()))
            self._file.seek(0, 2)
        else:
            self._file = path.open("w", newline="", encoding="utf-8")
            self._file.write(kept or _HEADER)
            self._file.flush()
        self._writer = csv.writer(self._file, lineterminator="\n")

    def add(self, episode: EpisodeSummary) -> None:
        """Append the row of a finished episode."""
        losses: list[Any] = [episode.losses.get(name, "") for name in COLUMNS[4:]]
        row = [episode.number, episode.step, episode.total_reward, episode.length, *losses]
        self._writer.writerow(row)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def has_rows(path: Path) -> bool:
    """Whether there is anything but a header in a metrics file, be it of this project or not."""
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            return file.read(len(_HEADER) + 1) not in ("", _HEADER)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _rows(path: Path, steps: int) -> str:
    """The header and the rows up to a step, as they stand in a metrics file; nothing of any other file."""
    if steps == 0 or not path.is_file():
        return ""
    kept: list[str] = []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        for line in file:
            fields = line.split(",")
            if kept and not (
                len(fields) == len(COLUMNS) and line.endswith("\n") and _within(fields[1], steps)
            ):
                break
            if not kept and line != _HEADER:
                break
            kept.append(line)
    return "".join(kept)


def _within(step: str, steps: int) -> bool:
    return step.isdecimal() and len(step) < 20 and int(step) <= steps

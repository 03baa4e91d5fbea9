# SPDX-License-Identifier: MIT
"""The metrics file of a training run: one CSV row per finished episode."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

COLUMNS = ("episode", "step", "return", "length", "critic_loss", "actor_loss")


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

    The file is written anew from the episodes that the run remembers, and grows from there. So after a
    resume it holds the rows up to the resumed step, whatever stood in it, and ends like that of a run
    that was never interrupted. It holds no wall-clock times for the same reason.
    """

    def __init__(self, path: Path, episodes: Iterable[EpisodeSummary]) -> None:
        self.path = path
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(COLUMNS)
        for episode in episodes:
            self.add(episode)
        self._file.flush()

    def add(self, episode: EpisodeSummary) -> None:
        """Append the row of a finished episode."""
        losses: list[Any] = [episode.losses.get(name, "") for name in COLUMNS[4:]]
        row = [episode.number, episode.step, episode.total_reward, episode.length, *losses]
        self._writer.writerow(row)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

# SPDX-License-Identifier: MIT
"""Whether training reads what differs after a load, although nothing has followed from it so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verification.engine.perturbation import (
    advanced,
    comes_out_alike,
    is_count,
    is_number,
    replaced,
    shaken,
    steps_ahead,
    telling_values,
    watched,
)
from verification.engine.trial import go_on, resume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verification.engine.experiment import Experiment
    from verification.engine.groups import Group
    from verification.engine.perturbation import Meddle, Use
    from verification.engine.trial import Covered, Spread
    from verification.state import Change


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Runs of a restored agent that is whole, but for what is changed on purpose.

    Attributes:
        experiment: whose checkpoint is loaded.
        cut: after how many steps it was saved.
        used: load into a receiver with a past of its own.
        differing: what differs after the load, and is put back first.
        streams: global generators that are put back, too, by name.
        ignored: what differs in it did not follow.
    """

    experiment: Experiment
    cut: int
    used: bool
    differing: Sequence[Change]
    streams: Sequence[str] = ()
    ignored: Covered | None = None

    def among(self, groups: list[Group]) -> dict[str, Spread]:
        """Of several groups those that something reads, by path, and what follows from them.

        Most are read by nothing, which one run shows of all of them.
        """
        spread = self._of(groups) if groups else None
        if spread is None:
            return {}
        if len(groups) == 1:
            return {groups[0].path: spread}
        half = len(groups) // 2
        return self.among(groups[:half]) | self.among(groups[half:])

    def _of(self, groups: list[Group]) -> Spread | None:
        """What follows if the groups' values are changed on purpose in an agent that is whole."""
        values = [change for group in groups for change in group.changes if change.aspect == "value"]
        paths = [
            one.path
            for one in values
            if one.expected
            and (one.expected.kind in {"tensor", "array"} or isinstance(one.expected.value, bool))
        ]
        if paths and (spread := self._follows_from(shaken(paths))):
            return spread
        counters = [one.path for one in values if one.expected and is_count(one.expected.value)]
        for ahead in [*steps_ahead(self.experiment.program.horizon)] if counters else []:
            if spread := self._follows_from(advanced(counters, ahead)):
                return spread
        numbers: dict[str, Any] = {
            one.path: one.expected.value for one in values if one.expected and is_number(one.expected.value)
        }
        loaded = {one.path: one.actual.value for one in values if one.actual}
        cold = self.experiment.cold(used=self.used).leaves
        built = {path: cold[path].value for path in numbers if path in cold}
        for path, used in self._uses(numbers).items():
            # Where a load has left what was there, it may be lost in a place that looks the same by chance.
            if loaded.get(path) != built.get(path) and comes_out_alike(numbers[path], loaded.get(path), used):
                continue
            for value in telling_values(numbers[path], used):
                if spread := self._follows_from(replaced(path, value)):
                    return spread
        return None

    def _uses(self, numbers: dict[str, Any]) -> dict[str, list[Use]]:
        """What is done with numbers while the run goes on, by path; only of those that are used at all."""
        used: dict[str, list[Use]] = {path: [] for path in numbers}
        if numbers:
            go_on(
                self.experiment,
                self.cut,
                used=self.used,
                heal=self.differing,
                horizon=self.experiment.program.horizon,
                meddle=watched(numbers, used),
            )
        return {path: uses for path, uses in used.items() if uses}

    def _follows_from(self, meddle: Meddle) -> Spread | None:
        return resume(
            self.experiment,
            self.cut,
            used=self.used,
            heal=self.differing,
            horizon=self.experiment.program.horizon,
            streams=self.streams,
            meddle=meddle,
            ignored=self.ignored,
        ).spread

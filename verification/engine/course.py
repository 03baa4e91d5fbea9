# SPDX-License-Identifier: MIT
"""The course of a run after a load: how far each component comes to be from the uninterrupted run."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from verification.engine.arms import Moment
from verification.engine.trial import Covered, restored
from verification.errors import CheckFailure
from verification.losses import Course
from verification.program import Act, Advance, Implant, Learn, Operate, Repeat
from verification.state import take
from verification.state.places import component_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from verification.engine.experiment import Experiment
    from verification.program import Step
    from verification.state import Change

#: Steps behind the load that are followed, if the program has no more.
STEPS = 10
_WORDS = {Learn: "learn", Act: "act", Advance: "advance", Implant: "implant", Operate: "operate"}


def course_of(experiment: Experiment, cut: int, *, used: bool, heal: Collection[Change]) -> Course:
    """Load the checkpoint of ``cut``, put ``heal`` back, go on, and measure.

    Args:
        experiment: whose checkpoint is loaded.
        cut: after how many steps.
        used: load into a receiver with a past of its own.
        heal: whatever differs right after the load, but for the loss that is looked at.
    """
    driver, saved = experiment.driver, experiment.moment(cut)
    agent, _ = restored(experiment, cut, used=used, heal=heal)
    moment = Moment(driver.snapshot(agent), saved.output)
    differing = experiment.differing(cut, moment)
    covered = Covered.by(differing)
    distances = [apart(differing)]
    diverged: int | None = None
    experiment.train_bystander()
    end = max(len(experiment.program.steps), cut + STEPS)
    for position in range(cut + 1, end + 1):
        try:
            output = experiment.step(agent, position, reloaded=True)
        except CheckFailure:  # a step of the resumed run raised: that is where it diverged
            diverged = position - cut if diverged is None else diverged
            end = position - 1
            break
        moment = Moment(driver.snapshot(agent), take({"action": output}))
        differing = experiment.differing(position, moment)
        distances.append(apart(differing))
        if diverged is None and covered.outside(differing):
            diverged = position - cut
    steps = [experiment.step_at(position) for position in range(1, end + 1)]
    components = dict.fromkeys(name for found in distances for name in found)
    return Course(
        before=_in_words(steps[:cut]),
        after=_in_words(steps[cut:]),
        apart={name: tuple(found.get(name, 0.0) for found in distances) for name in components},
        diverged=diverged,
    )


def apart(differing: Iterable[Change]) -> Mapping[str, float | None]:
    """By component, how far apart two states are: that of the leaf that differs most, relative to its size.

    ``None`` where a component differs in what has no distance.
    """
    found: dict[str, list[float | None]] = defaultdict(list)
    for change in differing:
        name = "action" if change.path.startswith("action") else component_of(change.path)
        found[name].append(_distance(change))
    measured = {name: [one for one in distances if one is not None] for name, distances in found.items()}
    return {name: max(distances) if distances else None for name, distances in measured.items()}


def _distance(change: Change) -> float | None:
    """The norm of the difference over the larger norm, in [0, 2]; ``None`` if there is no such thing."""
    if change.aspect != "value" or change.expected is None or change.actual is None:
        return None
    before, after = _numbers(change.expected.value), _numbers(change.actual.value)
    if before is None or after is None or before.shape != after.shape:
        return None
    with np.errstate(all="ignore"):
        scale = max(float(np.linalg.norm(before)), float(np.linalg.norm(after)))
        distance = float(np.linalg.norm(before - after)) / scale if scale else math.nan
    return distance if distance > 0 and math.isfinite(distance) else None


def _numbers(value: Any) -> np.ndarray[Any, Any] | None:
    if isinstance(value, torch.Tensor):
        if value.layout is not torch.strided or value.is_complex() or value.is_quantized:
            return None
        value = value.detach().to(torch.float64).numpy()
    if isinstance(value, bool) or not isinstance(value, int | float | np.ndarray | np.number):
        return None
    try:
        return np.asarray(value, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError, OverflowError):
        return None


def _in_words(steps: Iterable[Step]) -> tuple[str, ...]:
    """Each step in a word; one that repeats another is as many."""
    words: list[str] = []
    for step in steps:
        times = step.times if isinstance(step, Repeat) else step.steps if isinstance(step, Advance) else 1
        word = next(word for kind, word in _WORDS.items() if isinstance(step, kind))
        words.append(f"{word} {times} times" if times > 1 else word)
    return tuple(words)

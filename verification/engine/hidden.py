# SPDX-License-Identifier: MIT
"""Where nothing that is seen was lost, but the run differs: what else would put it right?"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.optim import Optimizer

from verification.engine.trial import resume
from verification.losses import SPREADS, Loss
from verification.state import Part
from verification.state import find as find_in
from verification.state.places import NoPlaceError, component_of, place_of
from verification.state.transplant import copied

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from verification.engine.experiment import Experiment
    from verification.engine.perturbation import Meddle
    from verification.engine.trial import Spread
    from verification.state import Change

_STREAMS = {
    "random": "the global generator of Python (random)",
    "numpy.random": "the global generator of numpy (numpy.random)",
    "torch": "the global generator of torch (torch.default_generator)",
    "torch.cuda": "the global generators of torch on CUDA (torch.cuda)",
}


def find(
    experiment: Experiment, cut: int, *, used: bool, heal: Sequence[Change], spread: Spread
) -> tuple[list[Loss], list[str]]:
    """Put back what no snapshot compares, or can look into, and see whether that heals.

    That are global generators, gradients, the defaults of optimizers, and objects that are opaque.

    Returns:
        What was lost: the fewest of one kind that heal together; empty if nothing heals.
        And the generators among them by name, which have to be put back for anything else to be seen.
    """
    search = _Search(experiment, cut, used, heal, spread)
    if streams := search.streams():
        return search.generators(streams), streams
    return search.uncompared() or search.opaque(), []


@dataclass(frozen=True)
class _Search:
    experiment: Experiment
    cut: int
    used: bool
    heal: Sequence[Change]
    spread: Spread

    def streams(self) -> list[str]:
        """Global generators; elsewhere than in closed loop they are set before every step."""
        if not self.experiment.closed_loop:
            return []
        names = list(self.experiment.living(self.cut).streams)
        return _fewest(names, lambda some: self._heals(streams=some))

    def generators(self, streams: list[str]) -> list[Loss]:
        """The losses of global generators."""
        names = [_STREAMS[one] for one in streams]
        together = "this" if len(names) == 1 else " and ".join(names)
        why = f"nothing that is seen was lost; with {together} put back nothing follows"
        return [self._loss(one, why, Part.GENERATOR) for one in names]

    def uncompared(self) -> list[Loss]:
        """Gradients and the defaults of optimizers, which most updates set or leave unread."""
        theirs = self.experiment.driver.roots(self.experiment.living(self.cut).agent)
        tensors = find_in(theirs, torch.Tensor)
        gradients: dict[str, list[str]] = defaultdict(list)
        for path, tensor in tensors.items():
            if tensor.is_leaf and tensor.requires_grad:
                gradients[f"{component_of(path)}.grad"].append(f"{path}.grad")
        places = {
            **gradients,
            **{f"{path}.defaults": [f"{path}.defaults"] for path in find_in(theirs, Optimizer)},
        }

        def heals(some: Sequence[str]) -> bool:
            paths = [path for one in some for path in places[one]]
            return self._heals(meddle=lambda roots: _copy(roots, theirs, paths))

        why = "everything that is compared was put back; with this put back, too, nothing follows"
        found = _fewest(list(places), heals)
        several = {one: f"of {len(paths)} parameters" for one, paths in gradients.items() if len(paths) > 1}
        return [self._loss(one, why, Part.OTHER, content=several.get(one, "")) for one in found]

    def opaque(self) -> list[Loss]:
        """Objects that cannot be looked into: those of the saved agent take their place."""
        for path, kind in self.experiment.loaded(self.cut, used=self.used).opaque.items():
            theirs = self.experiment.driver.roots(self.experiment.living(self.cut).agent)

            def move(
                roots: Mapping[str, object], path: str = path, theirs: Mapping[str, object] = theirs
            ) -> None:
                try:
                    place_of(roots, path).put(place_of(theirs, path).value)
                except (NoPlaceError, AttributeError, TypeError):
                    return

            healed = self._heals(meddle=move)
            self.experiment.forget_living(self.cut)  # what was moved has been used since
            if healed:
                why = f"a {kind}, which cannot be looked into; with that of the saved agent nothing follows"
                return [self._loss(path, why, Part.OTHER)]
        return []

    def _heals(self, *, streams: Sequence[str] = (), meddle: Meddle | None = None) -> bool:
        trial = resume(
            self.experiment, self.cut, used=self.used, heal=self.heal, streams=streams, meddle=meddle
        )
        return trial.spread is None

    def _loss(self, name: str, why: str, part: Part, *, content: str = "") -> Loss:
        part_of = self.experiment.part_of
        effect, first = self.spread.effect(part_of), self.spread.first(part_of)
        return Loss(name, name, part.value, SPREADS, content, effect, why, first=first)


def _fewest(names: list[str], heals: Callable[[Sequence[str]], bool]) -> list[str]:
    """Of several things to put back those that are needed; none if all of them do not heal."""
    if not names or not heals(names):
        return []
    for one in list(names):
        others = [name for name in names if name != one]
        if others and heals(others):
            names = others
    return names


def _copy(roots: Mapping[str, object], theirs: Mapping[str, object], paths: Sequence[str]) -> None:
    for path in paths:
        with contextlib.suppress(NoPlaceError):
            place_of(roots, path).put(copied(place_of(theirs, path).value))

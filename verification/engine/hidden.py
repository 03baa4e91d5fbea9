# SPDX-License-Identifier: MIT
"""Where nothing that is seen was lost, but the run differs: what else would put it right?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.engine.trial import resume
from verification.losses import SPREADS, Loss
from verification.state import Part
from verification.state.places import NoPlaceError, place_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verification.engine.experiment import Experiment
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
) -> Loss | None:
    """Put back each global generator, and each object that cannot be looked into, and see whether that heals.

    Returns:
        What was lost, if one of them does.
    """
    effect, first = spread.effect(experiment.part_of), spread.first(experiment.part_of)
    if experiment.closed_loop:
        streams = list(experiment.living(cut).streams)
        if resume(experiment, cut, used=used, heal=heal, streams=streams).spread is None:
            for one in list(streams):
                others = [name for name in streams if name != one]
                if others and resume(experiment, cut, used=used, heal=heal, streams=others).spread is None:
                    streams = others
            name = " and ".join(_STREAMS[one] for one in streams)
            why = "nothing that is seen was lost; with this put back nothing follows"
            part = Part.GENERATOR.value
            return Loss(name, name, part, SPREADS, effect=effect, experiment=why, first=first)
    for path, kind in experiment.loaded(cut, used=used).opaque.items():
        theirs = experiment.driver.roots(experiment.living(cut).agent)

        def move(
            roots: Mapping[str, object], path: str = path, theirs: Mapping[str, object] = theirs
        ) -> None:
            try:
                place_of(roots, path).put(place_of(theirs, path).value)
            except (NoPlaceError, AttributeError, TypeError):
                return

        trial = resume(experiment, cut, used=used, heal=heal, meddle=move)
        experiment.forget_living(cut)  # what was moved has been used since
        if trial.spread is None:
            why = f"a {kind}, which cannot be looked into; with that of the saved agent nothing follows"
            part = Part.OTHER.value
            return Loss(path, path, part, SPREADS, effect=effect, experiment=why, first=first)
    return None

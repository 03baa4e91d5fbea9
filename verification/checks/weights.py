# SPDX-License-Identifier: MIT
"""Level ``weights``: a loaded agent acts exactly as the saved one did."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from verification.checks.registry import check
from verification.engine.experiment import steps
from verification.engine.global_rng import seed_globals
from verification.levels import Level
from verification.program import Act
from verification.state import Part, compare, take

if TYPE_CHECKING:
    from collections.abc import Set

    from verification.engine.experiment import Experiment
    from verification.state import Snapshot

_LOADED = ["loading_leaves_the_checkpoint_unchanged", "a_checkpoint_is_a_snapshot"]


@check(level=Level.WEIGHTS, after=_LOADED)
def online_networks_survive_reload(experiment: Experiment) -> None:
    """Every weight and buffer of the networks that are trained comes back bit for bit.

    A network that is never saved comes back with random weights, and nothing fails.
    """
    survives(experiment, Part.ONLINE)


@check(level=Level.WEIGHTS, after=["online_networks_survive_reload"])
def actions_survive_reload(experiment: Experiment) -> None:
    """A restored agent chooses bitwise the same actions, through everything an action passes through.

    Observation statistics, action scales and modes shape actions without being weights.
    """
    for cut in experiment.program.cuts:
        original = experiment.start()
        for position in range(1, cut + 1):
            experiment.step(original, position)
        expected = _action(experiment, original)
        if differences := compare(expected, _action(experiment, experiment.load(cut))):
            experiment.fail(f"the agent restored after {steps(cut)} acts differently", differences)
        experiment.counted |= experiment.differ(expected, _action(experiment, experiment.receiver()))


def _action(experiment: Experiment, agent: object) -> Snapshot:
    seed_globals(experiment.program.entropy)
    probe = Act(copy.deepcopy(experiment.program.probe))
    return take({"action": experiment.driver.perform(agent, probe, reloaded=True)})


def survives(experiment: Experiment, *parts: Part, telling: Set[Part] | None = None) -> None:
    """Fail if anything in ``parts`` differs from the reference right after loading at any cut.

    Args:
        experiment: what is asked.
        parts: what is compared.
        telling: the parts in which the cold arm must differ for the example to count; ``parts`` by
            default. Some things cannot differ before a load, but be broken by it.
    """
    __tracebackhide__ = True
    compared = frozenset(parts)
    for cut in experiment.program.cuts:
        experiment.count_if_cold_differs(cut, compared if telling is None else telling)
        if differences := experiment.after_load(cut, compared):
            names = " and ".join(part.value for part in parts)
            experiment.fail(f"{names} saved after {steps(cut)} came back different", differences)

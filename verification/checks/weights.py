# SPDX-License-Identifier: MIT
"""Level ``weights``: a loaded agent acts exactly as the saved one did."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from verification.checks.losing import lost, refuse_losses, survives
from verification.checks.registry import check
from verification.engine.consequences import judge
from verification.engine.experiment import ALL_PARTS
from verification.engine.global_rng import seed_globals
from verification.engine.trial import restored
from verification.errors import NotApplicable
from verification.levels import Level
from verification.program import Act
from verification.state import Part, compare, take

if TYPE_CHECKING:
    from verification.engine.experiment import Experiment
    from verification.state import Snapshot

_LOADED = ["loading_restores_something", "a_checkpoint_is_a_snapshot"]
_NOT_ONLINE = ALL_PARTS - {Part.ONLINE}


@check(level=Level.WEIGHTS, needs=_LOADED)
def online_networks_survive_reload(experiment: Experiment) -> None:
    """Every weight and buffer of the networks that are trained comes back bit for bit.

    A network that is never saved comes back with random weights, and nothing fails.
    """
    survives(experiment, Part.ONLINE)


@check(level=Level.WEIGHTS, needs=_LOADED, after=["online_networks_survive_reload"])
def actions_survive_reload(experiment: Experiment) -> None:
    """A restored agent chooses bitwise the same actions, through everything an action passes through.

    Observation statistics, action scales and modes shape actions without being weights.
    """
    if not experiment.driver.acts:
        raise NotApplicable("the adapter has no act(agent, observation)")
    for cut in experiment.program.cuts:
        original = experiment.start()
        for position in range(1, cut + 1):
            experiment.step(original, position)
        expected = _action(experiment, original, reloaded=False)
        judgement = judge(experiment, cut)
        whole = judgement.healing
        if differences := compare(expected, _action(experiment, restored(experiment, cut, heal=whole)[0])):
            experiment.fail(
                f"restored after {experiment.taken(cut)}, the agent acts differently, although nothing "
                "seen is lost",
                differences,
            )
        telling = []
        for loss, group in lost(experiment, judgement, _NOT_ONLINE):
            own = group.changes if group is not None else ()
            others = [change for change in whole if change not in own]
            if compare(expected, _action(experiment, restored(experiment, cut, heal=others)[0])):
                telling.append((loss, group))
        sentence = f"the agent restored after {experiment.taken(cut)} acts differently"
        refuse_losses(experiment, telling, sentence, cut)
        experiment.counted |= experiment.differ(expected, _action(experiment, experiment.receiver()))


def _action(experiment: Experiment, agent: object, *, reloaded: bool = True) -> Snapshot:
    seed_globals(experiment.program.entropy)
    probe = Act(copy.deepcopy(experiment.program.probe))
    return take({"action": experiment.driver.perform(agent, probe, reloaded=reloaded)})

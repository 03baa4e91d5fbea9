# SPDX-License-Identifier: MIT
"""Names for the classes in kept programs: this project's have names that outlive a move."""

from __future__ import annotations

import importlib
import operator
from typing import Any

#: Where each of this project's classes is now. A move changes the right side; the left side is in files.
PLACES = {
    "program.Program": "verification.program:Program",
    "program.Learn": "verification.program:Learn",
    "program.Repeat": "verification.program:Repeat",
    "program.Act": "verification.program:Act",
    "program.Advance": "verification.program:Advance",
    "program.Implant": "verification.program:Implant",
    "program.Operate": "verification.program:Operate",
    "config.AgentConfig": "verification.strategies.config:AgentConfig",
    "config.CNN": "verification.strategies.config:CNN",
    "config.Conv": "verification.strategies.config:Conv",
    "config.OptimizerSpec": "verification.strategies.config:OptimizerSpec",
    "config.ScheduleSpec": "verification.strategies.config:ScheduleSpec",
    "config.Transitions": "verification.strategies.config:Transitions",
    "config.Treatment": "verification.strategies.config:Treatment",
    "config.Wave": "verification.strategies.config:Wave",
    "moments.OptimizerState": "verification.strategies.moments:OptimizerState",
    "cloning.CloningConfig": "verification.specimens.cloning:CloningConfig",
    "ddpg.DDPGConfig": "verification.specimens.ddpg:DDPGConfig",
    "dqn.DQNConfig": "verification.specimens.dqn:DQNConfig",
    "norms.NormsConfig": "verification.specimens.norms:NormsConfig",
    "population.PopulationConfig": "verification.specimens.population:PopulationConfig",
    "sac.SACConfig": "verification.specimens.sac:SACConfig",
    "td3.Batch": "td3_core.replay:Batch",
    "td3.CNNConfig": "td3_core.config:CNNConfig",
    "td3.ConvLayer": "td3_core.config:ConvLayer",
    "td3.OptimizerConfig": "td3_core.optimizers:OptimizerConfig",
    "td3.ScheduleConfig": "td3_core.optimizers:ScheduleConfig",
    "td3.TD3Config": "td3_core.config:TD3Config",
}


def name_of(found: Any) -> str:
    """The name of a class or function: one of :data:`PLACES`, or ``module:qualified name``.

    Raises:
        ValueError: if nothing is found under that name, as for a lambda.
    """
    name = getattr(found, "__qualname__", None) or found.__name__
    place = f"{module_of(found)}:{name}"
    try:
        again = _at(place)
    except (ImportError, AttributeError):
        again = None
    if again is not found:
        raise ValueError(f"{found!r} is not at the top level of a module")
    return next((own for own, where in PLACES.items() if where == place), place)


def named(name: str) -> Any:
    """What has a name.

    Raises:
        ImportError, AttributeError: if it no longer exists.
    """
    return _at(PLACES.get(name, name))


def module_of(found: Any) -> str:
    """The module of a class, a function or an object that only one name stands for, such as a dtype."""
    return getattr(found, "__module__", None) or type(found).__module__


def _at(place: str) -> Any:
    module, _, name = place.partition(":")
    return operator.attrgetter(name)(importlib.import_module(module))

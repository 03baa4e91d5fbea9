# SPDX-License-Identifier: MIT
"""What a class of agents offers: how it is built, what trains it, what acts, and what saves and loads it."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from verification.scaffolding.guessing import Argument, arguments_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

# Names by their likelihood; of what a class has, the first one is taken.
_SAVES = ("save", "save_checkpoint", "save_model", "save_models", "save_agent", "save_state", "dump")
_LOADS = ("load", "load_checkpoint", "load_model", "load_models", "load_agent", "load_state", "restore")
_LEARNS = (
    *("update", "train_step", "training_step", "learn", "train_on_batch", "update_parameters", "optimize"),
    *("optimize_model", "train", "step", "fit"),
)
_ACTS = ("act", "select_action", "get_action", "choose_action", "predict", "compute_action", "sample_action")
# What the arguments of an update on transitions are called.
_TRANSITION = (
    ("observation", r"obs(ervations?)?|states?|s"),
    ("action", r"actions?|acts?|a"),
    ("reward", r"rewards?|rews?|r"),
    ("next_observation", r"next_(obs(ervations?)?|states?)|obs(ervations?)?_?next|states?_?next|s2|ns"),
    ("terminated", r"terminated|terminal|terminations?|dones?|d|not_dones?"),
)
_DISCRETE = re.compile(r"DQN|QNet|Rainbow|C51|QRDQN|IQN|Sarsa|Discrete|Bandit", re.IGNORECASE)


@dataclass(frozen=True)
class Method:
    """A method that was found for a purpose.

    Attributes:
        name: of the method.
        arguments: what it is given.
        makes_new: whether it is called on the class, and returns an agent.
    """

    name: str
    arguments: tuple[Argument, ...]
    makes_new: bool = False


@dataclass(frozen=True)
class Inspected:
    """A class, as far as an adapter needs to know it.

    Attributes:
        module: what it is imported from.
        name: of the class.
        constructor: what it is built with.
        save: how it is saved, if that was found; so for the others.
        load: how it is loaded.
        also: further pairs that save and load, such as those of a replay buffer.
        learn: what trains it.
        transition: what the arguments of ``learn`` are in a batch of transitions; empty if they are none.
        act: what chooses an action.
        deterministic: whether acting can be told to leave out noise.
        discrete: whether its actions are numbers of choices, by its name and its parameters.
        is_module: whether it is a torch module, whose ``state_dict`` can be saved.
    """

    module: str
    name: str
    constructor: tuple[Argument, ...]
    save: Method | None = None
    load: Method | None = None
    also: tuple[tuple[str, str], ...] = ()
    learn: Method | None = None
    transition: tuple[str, ...] = ()
    act: Method | None = None
    deterministic: bool = False
    discrete: bool = False
    is_module: bool = False


def inspect_class(cls: type[Any], module: str) -> Inspected:
    """Look at a class, without building anything.

    Args:
        cls: the class.
        module: what it is imported from.
    """
    known = {"policy": '"MlpPolicy"'} if hasattr(cls, "policy_aliases") else {}  # as Stable-Baselines3 has
    constructor = tuple(arguments_of(_signature(cls), known))
    learn, transition = _learns(cls)
    acting = _first(cls, _ACTS)
    parameters = list(_signature(getattr(cls, acting), skip=1).parameters) if acting else []
    state_dict = hasattr(cls, "state_dict") and hasattr(cls, "load_state_dict")
    return Inspected(
        module=module,
        name=cls.__name__,
        constructor=constructor,
        save=_with_path(cls, _SAVES),
        load=_with_path(cls, _LOADS),
        also=tuple(_pairs(cls)),
        learn=learn,
        transition=transition,
        act=Method(acting, ()) if acting and parameters else None,
        deterministic="deterministic" in parameters,
        discrete=bool(_DISCRETE.search(cls.__name__))
        or any(_counts_actions(one.name) for one in constructor),
        is_module=state_dict or issubclass(cls, torch.nn.Module),
    )


def inspect_script(script: ModuleType) -> list[Inspected]:
    """The networks that a script defines, for an agent that is no class but what its loop holds.

    Args:
        script: an imported module.
    """
    return [
        inspect_class(one, script.__name__)
        for one in vars(script).values()
        if inspect.isclass(one) and issubclass(one, torch.nn.Module) and one.__module__ == script.__name__
    ]


def _signature(function: Any, skip: int = 0) -> inspect.Signature:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return inspect.Signature()
    return signature.replace(parameters=list(signature.parameters.values())[skip:])


def _first(cls: type[Any], names: Iterable[str]) -> str:
    """The first of some names that is a method of the class's own kind, not torch's."""
    for name in names:
        found = getattr(cls, name, None)
        if callable(found) and found is not getattr(torch.nn.Module, name, None):
            return name
    return ""


def _is_of_class(cls: type[Any], name: str) -> bool:
    return isinstance(inspect.getattr_static(cls, name), classmethod | staticmethod)


def _with_path(cls: type[Any], names: Iterable[str]) -> Method | None:
    """A method that takes a path first."""
    name = _first(cls, names)
    if not name:
        return None
    of_class = _is_of_class(cls, name)
    signature = _signature(getattr(cls, name), skip=0 if of_class else 1)
    first, *_ = [*signature.parameters, ""]
    if not first:
        return None
    arguments = arguments_of(signature, {first: "path"})
    makes_new = of_class and name.startswith(("load", "restore"))
    return Method(name, tuple(one for one in arguments if one.name != "seed"), makes_new)


def _pairs(cls: type[Any]) -> Iterable[tuple[str, str]]:
    """Further methods that save and load, each with one path."""
    for name in dir(cls):
        other = f"load_{name.removeprefix('save_')}"
        if not name.startswith("save_") or name in _SAVES or not callable(getattr(cls, other, None)):
            continue
        needed = [
            one
            for one in _signature(getattr(cls, name), skip=1).parameters.values()
            if one.default is inspect.Parameter.empty and one.kind is one.POSITIONAL_OR_KEYWORD
        ]
        if len(needed) == 1:
            yield name, other


def _learns(cls: type[Any]) -> tuple[Method | None, tuple[str, ...]]:
    name = _first(cls, _LEARNS)
    if not name:
        return None, ()
    signature = _signature(getattr(cls, name), skip=1)
    needed = [
        one.name
        for one in signature.parameters.values()
        if one.default is inspect.Parameter.empty
        and one.kind in {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    ]
    transition = tuple(filter(None, map(_of_transition, needed)))
    if len(transition) == len(needed) and len(set(transition)) > 2:
        return Method(name, ()), transition
    keeps = {"reset_num_timesteps": "False"} if "reset_num_timesteps" in signature.parameters else {}
    arguments = [one for one in arguments_of(signature, keeps) if one.name != "seed"]
    return Method(name, tuple(arguments)), ()


def _of_transition(parameter: str) -> str:
    """What a parameter is in a batch of transitions; empty if it is none of it."""
    return next((what for what, pattern in _TRANSITION if re.fullmatch(pattern, parameter, re.I)), "")


def _counts_actions(parameter: str) -> bool:
    return re.fullmatch(r"(n|num)_(action|act)s?", parameter, re.IGNORECASE) is not None

# SPDX-License-Identifier: MIT
"""What to give a parameter, guessed by its name: small values, because a checkpoint needs no large agent."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass

#: What stands in for a value that nobody can guess.
UNKNOWN = "..."

# The first pattern that a name matches as a whole decides. The expressions are those of a written adapter,
# which has OBSERVATIONS, ACTIONS, environment() and, in build, a seed.
_NEEDED = (
    (r"seed|random_seed|random_state", "seed"),
    (r"(train|training|gym)?_?env(ironment)?", "environment()"),
    (r"envs|vec_env|train_envs|training_envs", "SyncVectorEnv([environment])"),
    (r"(single_)?(obs|observation|state)_space", "OBSERVATIONS"),
    (r"(single_)?(action|act)_space", "ACTIONS"),
    (r"(obs|observation|state|input)s?_?(dim|dims|size|shape_size)|n_(obs|observations|states)", "SIZE"),
    (r"(obs|observation|state)_shape", "OBSERVATIONS.shape"),
    (r"(action|act|output)s?_?(dim|dims|size)|(n|num)_(action|act)s?", "ACTION_SIZE"),
    (r"action_shape", "ACTIONS.shape"),
    (r"max_action|action_scale|action_bound|act_limit", "1.0"),
    (r"device", '"cpu"'),
    (r"(\w+_)?(lr|learning_rate)", "1e-3"),
    (r"gamma|discount(_factor)?", "0.99"),
    (r"tau|polyak", "0.05"),
    (r"(replay_|memory_)?(buffer|memory)_size|capacity|max_size|memory", "64"),
    (r"batch_size|minibatch_size", "4"),
    (r"hidden(_dim|_size|_units)?", "16"),
    (r"hidden_(dims|sizes|layers)", "[16, 16]"),
    (r"epsilon|eps", "0.1"),
    (r"(total_)?(time)?steps|(n|num|max)_(time)?steps|total_timesteps", "STEPS"),
)
# Of parameters with a default those that make an agent small and repeatable.
_WANTED = {
    "seed": "seed",
    "random_seed": "seed",
    "device": '"cpu"',
    "buffer_size": "64",
    "learning_starts": "2",
    "batch_size": "4",
    "n_steps": "8",
    "env": "environment()",
}


@dataclass(frozen=True)
class Argument:
    """A parameter and the expression that it is given.

    Attributes:
        name: of the parameter.
        text: the expression; ``...`` if nobody can guess it.
        sure: whether its name says enough.
        by_place: whether it cannot be given by its name.
    """

    name: str
    text: str
    sure: bool = True
    by_place: bool = False

    def __str__(self) -> str:
        return self.text if self.by_place else f"{self.name}={self.text}"


def arguments_of(signature: inspect.Signature, known: dict[str, str] | None = None) -> list[Argument]:
    """What to give the parameters of a function: all that it needs, and what makes an agent small.

    Args:
        signature: of the function, without ``self``.
        known: expressions by the names of parameters, which go before the guesses.
    """
    found = []
    for one in signature.parameters.values():
        if one.kind in {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
            continue
        by_place = one.kind is inspect.Parameter.POSITIONAL_ONLY
        if known and one.name in known:
            found.append(Argument(one.name, known[one.name], by_place=by_place))
        elif one.default is not inspect.Parameter.empty:
            if one.name in _WANTED and not _is_small(one, _WANTED[one.name]):
                found.append(Argument(one.name, _WANTED[one.name], by_place=by_place))
        else:
            text = guess(one)
            found.append(Argument(one.name, text, text != UNKNOWN, by_place))
    return found


def _is_small(parameter: inspect.Parameter, wanted: str) -> bool:
    """Whether a default is as small a number as is wanted."""
    return wanted.isdigit() and isinstance(parameter.default, int) and parameter.default <= int(wanted)


def guess(parameter: inspect.Parameter) -> str:
    """An expression for a parameter without a default, or ``...``."""
    for pattern, text in _NEEDED:
        if re.fullmatch(pattern, parameter.name, re.IGNORECASE):
            return text
    return UNKNOWN

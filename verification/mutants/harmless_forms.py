# SPDX-License-Identifier: MIT
"""Harmless: constants that nothing reads, and that come back equal but in another form, or not at all."""

from __future__ import annotations

import collections
import copy
import enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from verification.mutants.harmless import Addition, add
from verification.mutants.harmless_caches import sets, weights

if TYPE_CHECKING:
    from collections.abc import Callable


def comes_back(
    name: str, before: object, after: object, *, noted: bool = True
) -> Callable[[Addition], Addition]:
    """Registers the decorated, empty function as a constant that a load brings back in another form."""
    return lambda function: add(name, on="load", noted=noted, build=sets(name, before))(
        _named(function, sets(name, after))
    )


def _named(function: Any, addition: Addition) -> Addition:
    addition.__name__, addition.__doc__ = function.__name__, function.__doc__
    return addition


class Layout(enum.Enum):
    """An option of an agent."""

    ROWS = "rows"


class Range(NamedTuple):
    """Two bounds, by name."""

    low: float
    high: float


_TABLE = np.arange(6, dtype=np.float32).reshape(2, 3)


@comes_back("offset", 0, 0.0)
def integer_comes_back_as_a_float(agent: Any, _: object) -> None:
    """0 and 0.0."""


@comes_back("limit", 7, np.int64(7))
def integer_comes_back_as_one_of_numpy(agent: Any, _: object) -> None:
    """7 and np.int64(7)."""


@comes_back("scale", 0.5, torch.tensor(0.5))
def number_comes_back_as_a_tensor(agent: Any, _: object) -> None:
    """0.5 and a tensor of it."""


@comes_back("sizes", (3, 4), [3, 4])
def tuple_comes_back_as_a_list(agent: Any, _: object) -> None:
    """As JSON writes it."""


@comes_back("bounds", Range(0.0, 1.0), (0.0, 1.0))
def named_tuple_comes_back_as_a_tuple(agent: Any, _: object) -> None:
    """As torch's plain files write it."""


@comes_back("options", {"one": 1, "two": 2}, {"two": 2, "one": 1})
def dict_comes_back_in_another_order(agent: Any, _: object) -> None:
    """As a file with sorted keys writes it."""


@comes_back("options", collections.OrderedDict(one=1), {"one": 1})
def ordered_dict_comes_back_as_a_dict(agent: Any, _: object) -> None:
    """Another type of mapping."""


@comes_back("layout", Layout.ROWS, "rows")
def option_comes_back_as_its_value(agent: Any, _: object) -> None:
    """An enumeration's member and its value."""


@comes_back("device", "cpu", torch.device("cpu"))
def device_comes_back_as_an_object(agent: Any, _: object) -> None:
    """The name of a device, and the device."""


@comes_back("folder", "runs", Path("runs"))
def folder_comes_back_as_a_path(agent: Any, _: object) -> None:
    """A name and a path."""


@comes_back("table", _TABLE, np.asfortranarray(_TABLE))
def table_comes_back_in_another_memory_order(agent: Any, _: object) -> None:
    """The same numbers with other strides."""


@comes_back("table", torch.from_numpy(_TABLE), torch.from_numpy(_TABLE).double())
def table_comes_back_in_another_precision(agent: Any, _: object) -> None:
    """The same numbers in other types."""


@comes_back("zero", 0.0, -0.0)
def zero_comes_back_negative(agent: Any, _: object) -> None:
    """Equal, and other bits."""


@comes_back("template", torch.nn.PReLU(), torch.nn.PReLU().requires_grad_(False))
def unread_module_comes_back_frozen(agent: Any, _: object) -> None:
    """Nothing trains it."""


@comes_back("saved_by", None, "1.0")
def version_of_who_saved(agent: Any, _: object) -> None:
    """Known only where a file was read."""


def _apart(agent: Any, _: object) -> None:
    agent.low, agent.high = copy.deepcopy(agent.low), copy.deepcopy(agent.high)


@add("low", load=_apart)
def equal_constants_that_were_one_object(agent: Any, _: object) -> None:
    """One list under two names, and two equal ones behind the load."""
    agent.low = agent.high = [0.0, 1.0]


def _cut_off(agent: Any, _: object) -> None:
    agent.row = agent.row.clone()


@add("row", load=_cut_off)
def view_of_a_constant_table(agent: Any, _: object) -> None:
    """A row that was a view, and is a copy behind the load."""
    agent.rows = torch.from_numpy(_TABLE.copy())
    agent.row = agent.rows[1]


@add("all_weights", noted=False)
def list_of_all_parameters(agent: Any, _: object) -> None:
    """The parameters once more, in a list of their own."""
    agent.all_weights = weights(agent)


def _again(agent: Any, _: object) -> None:
    agent.callbacks = [agent.callbacks[0], *agent.callbacks[1:]]


@add("callbacks", noted=False, load=_again)
def list_of_callbacks_made_again(agent: Any, _: object) -> None:
    """Functions that are called at the end of every epoch."""
    agent.callbacks = [len, str.upper]


@add("template")
def template_of_a_network_not_saved(agent: Any, seed: int) -> None:
    """Random weights that differ in every agent, and that nothing uses."""
    generator = torch.Generator().manual_seed(seed)
    agent.template = torch.nn.Linear(2, 2)
    for weight in agent.template.parameters():
        weight.data = torch.rand(weight.shape, generator=generator)


@add("spare")
def optimizer_that_never_steps(agent: Any, seed: int) -> None:
    """Its rate is that of the constructor, whatever was saved."""
    agent.spare = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=1 / (seed + 2))


@add("seed")
def seed_of_the_constructor_remembered(agent: Any, seed: int) -> None:
    """A number that was used once."""
    agent.seed = seed


@add("arguments")
def arguments_of_the_constructor_kept(agent: Any, seed: int) -> None:
    """A copy for printing."""
    agent.arguments = {"seed": seed, "name": f"agent-{seed}", "layers": [seed, seed]}


@add("child")
def generator_that_nothing_draws_from(agent: Any, seed: int) -> None:
    """A stream for a feature that is not in use."""
    agent.child = np.random.default_rng(seed)


@add("sequence")
def seed_sequence_kept(agent: Any, seed: int) -> None:
    """What the streams were made from."""
    agent.sequence = np.random.SeedSequence(seed)

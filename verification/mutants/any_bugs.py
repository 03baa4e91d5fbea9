# SPDX-License-Identifier: MIT
"""Bugs that can be planted into any agent."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from verification.mutants.any_planting import Found, after_load, keeping, look, wrong

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from verification.engine.driver import Driver
    from verification.mutants.model import Operation

# -- dropped ------------------------------------------------------------------------------------------------


def _network_lost(found: Found, place: int) -> Callable[[Found], None]:
    path = list(found.networks)[place] if found.networks else ""
    own = [value.clone() for value in found.networks[path].state_dict().values()] if path else []

    def put_back(now: Found) -> None:
        if path in now.networks:
            for value, kept in zip(now.networks[path].state_dict().values(), own, strict=True):
                value.copy_(kept)

    return put_back


@keeping("MIS", "ray-project/ray#14119")
def first_network_lost(found: Found) -> Callable[[Found], None]:
    """The first network that was found stays the receiver's."""
    return _network_lost(found, 0)


@keeping("MIS", "ray-project/ray#14119")
def last_network_lost(found: Found) -> Callable[[Found], None]:
    """So does the last one, which often is a target."""
    return _network_lost(found, -1)


@after_load("OPT", "hill-a/stable-baselines#301")
def first_optimizer_lost(found: Found) -> None:
    """The first optimizer starts without any state."""
    for optimizer in list(found.optimizers.values())[:1]:
        optimizer.state.clear()


@after_load("OPT", "NM512/dreamerv3-torch#38")
def optimizers_lost(found: Found) -> None:
    """All of them do."""
    for optimizer in found.optimizers.values():
        optimizer.state.clear()


@after_load("OPT", "keras-team/keras#13027")
def step_counts_lost(found: Found) -> None:
    """Moments are back, how many steps they stand for is not."""
    for entry in found.moments():
        if isinstance(entry.get("step"), torch.Tensor):
            entry["step"].zero_()


@keeping("HYP", "tensorflow/tensorflow#33842")
def learning_rates_lost(found: Found) -> Callable[[Found], None]:
    """Rates stay those of the receiver."""
    own = {path: [group["lr"] for group in one.param_groups] for path, one in found.optimizers.items()}

    def put_back(now: Found) -> None:
        for path, optimizer in now.optimizers.items():
            for group, rate in zip(optimizer.param_groups, own.get(path, []), strict=False):
                group["lr"] = rate

    return put_back


@keeping("RNL", "DLR-RM/stable-baselines3#1643")
def generators_seeded_again(found: Found) -> Callable[[Found], None]:
    """Streams start where the receiver's did."""
    own = {path: copy.deepcopy(_state(generator)) for path, generator in found.generators.items()}

    def put_back(now: Found) -> None:
        for path, generator in now.generators.items():
            if path not in own:
                continue
            if isinstance(generator, torch.Generator):
                generator.set_state(own[path])
            else:
                generator.bit_generator.state = own[path]

    return put_back


def _state(generator: torch.Generator | np.random.Generator) -> Any:
    return generator.get_state() if isinstance(generator, torch.Generator) else generator.bit_generator.state


# -- swapped, cast ------------------------------------------------------------------------------------------


@after_load("MIS", "naumix/BiggerRegularizedCategorical#2")
def equal_networks_swapped(found: Found) -> None:
    """The first two networks of one shape get each other's weights."""
    shapes: dict[Any, nn.Module] = {}
    for network in found.networks.values():
        shape = tuple((name, value.shape) for name, value in network.state_dict().items())
        other = shapes.setdefault(shape, network)
        if shape and other is not network:
            first = copy.deepcopy(other.state_dict())
            other.load_state_dict(network.state_dict())
            network.load_state_dict(first)
            return


@after_load("DTY", "ultralytics/yolov5#1840")
def weights_cast(found: Found) -> None:
    """Weights come back through half precision."""
    for weight in found.weights():
        weight.copy_(weight.half())


@after_load("DTY", "pytorch/pytorch#43706")
def moments_cast(found: Found) -> None:
    """Moments come back through half precision."""
    for entry in found.moments():
        for key, value in entry.items():
            if key != "step" and isinstance(value, torch.Tensor) and value.is_floating_point():
                value.copy_(value.bfloat16())


@after_load("ORD", "pytorch/pytorch#1489")
def moments_swapped(found: Found) -> None:
    """The first two parameters of one shape in an optimizer get each other's moments."""
    for optimizer in found.optimizers.values():
        shapes: dict[Any, nn.Parameter] = {}
        for weight in [weight for group in optimizer.param_groups for weight in group["params"]]:
            other = shapes.setdefault(weight.shape, weight)
            if other is not weight and optimizer.state.get(weight) and optimizer.state.get(other):
                state = optimizer.state
                state[weight], state[other] = state[other], state[weight]
                break


# -- bound again, aliased, in another mode ------------------------------------------------------------------


@after_load("BND", "OFDataCommittee/drlfoam#2")
def optimizers_bound_to_copies(found: Found) -> None:
    """Optimizers go on with copies of the parameters."""
    for optimizer in found.optimizers.values():
        for group in optimizer.param_groups:
            group["params"] = [weight.detach().clone().requires_grad_() for weight in group["params"]]


_first_loads: dict[str, list[torch.Tensor]] = {}


@wrong("ALL", "pytorch/pytorch#196083", "load")
def loads_share_memory(driver: Driver, agent: Any, path: Path, correct: Operation) -> Any:
    """The weights of all agents loaded from one file are the same memory."""
    restored = correct(agent, path)
    weights = list(look(driver, restored).weights())
    first = _first_loads.setdefault(str(path), [weight.data for weight in weights])
    for weight, data in zip(weights, first, strict=True):
        weight.data = data
    return restored


@after_load("MOD", "XuehaiPan/Soft-Actor-Critic#1")
def left_in_eval_mode(found: Found) -> None:
    """Networks come back for evaluation only."""
    for network in found.networks.values():
        network.eval()


@after_load("FRZ", "Lightning-AI/pytorch-lightning#21901")
def frozen_by_load(found: Found) -> None:
    """Networks come back frozen."""
    for network in found.networks.values():
        network.requires_grad_(False)


# -- damaged, and side effects ------------------------------------------------------------------------------


@wrong("MUT", "pytorch/pytorch#195990", "load")
def load_appends_to_the_files(driver: Driver, agent: Any, path: Path, correct: Operation) -> Any:
    """Loading marks what it has read."""
    restored = correct(agent, path)
    for file in [file for file in path.parent.rglob("*") if file.is_file()]:
        file.write_bytes(file.read_bytes() + b"loaded")
    return restored


@wrong("PUR", "harubaru/waifu-diffusion#31", "save")
def save_changes_a_weight(driver: Driver, agent: Any, path: Path, correct: Operation) -> None:
    """A weight is not put back behind the save."""
    correct(agent, path)
    with torch.no_grad():
        for weight in list(look(driver, agent).weights())[:1]:
            weight.mul_(1.5)


@wrong("RNL", "Lightning-AI/pytorch-lightning#20204", "save")
def save_draws_a_number(driver: Driver, agent: Any, path: Path, correct: Operation) -> None:
    """Saving draws from the global generators."""
    correct(agent, path)
    torch.rand(1)


@wrong("control", "", "save")
def nothing_saved(driver: Driver, agent: Any, path: Path, correct: Operation) -> None:
    """Saving is forgotten."""


@wrong("STR", "DLR-RM/stable-baselines3#928", "load")
def nothing_loaded(driver: Driver, agent: Any, path: Path, correct: Operation) -> Any:
    """The receiver is returned as it is."""
    return agent


@wrong("control", "", "learn")
def nothing_learned(driver: Driver, agent: Any, batch: Any, correct: Operation) -> None:
    """Training is ignored."""


@wrong("control", "", "learn")
def nothing_repeatable(driver: Driver, agent: Any, batch: Any, correct: Operation) -> None:
    """Training depends on something that no seed decides."""
    correct(agent, batch)
    with torch.no_grad():
        for weight in list(look(driver, agent).weights())[:1]:
            weight.add_(float(np.random.default_rng().random()))

# SPDX-License-Identifier: MIT
"""Bugs that can be planted into any agent, by wrapping its adapter's members; its state is discovered."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from verification.driver import Driver
from verification.mutants.model import Mutant, MutantAdapter, Operation
from verification.state import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from verification.adapter import Adapter


@dataclass(frozen=True)
class Found:
    """What can be found in an agent, each by its path: whole networks, optimizers and generators."""

    networks: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    generators: dict[str, torch.Generator | np.random.Generator]

    def moments(self) -> Iterator[dict[str, Any]]:
        """The state of every parameter that an optimizer has stepped."""
        return (entry for optimizer in self.optimizers.values() for entry in optimizer.state.values())

    def weights(self) -> Iterator[nn.Parameter]:
        """The parameters of all networks."""
        return (weight for network in self.networks.values() for weight in network.parameters())


def _look(driver: Driver, agent: Any) -> Found:
    roots = driver.roots(agent)
    modules = find(roots, nn.Module)
    inner = {id(child) for module in modules.values() for child in module.modules() if child is not module}
    return Found(
        networks={path: module for path, module in modules.items() if id(module) not in inner},
        optimizers=find(roots, Optimizer),
        generators=find(roots, torch.Generator) | find(roots, np.random.Generator),
    )


@dataclass(frozen=True)
class _Bug:
    """A wrong operation in place of a member; it is called with the adapter's driver first."""

    bug_class: str
    thread: str
    member: str
    operation: Operation

    def operations(self, driver: Driver) -> dict[str, Operation]:
        """What the mutant of this driver's adapter does wrong."""
        return {self.member: partial(self.operation, driver)}


_bugs: dict[str, _Bug] = {}


def mutants_of(adapter: Adapter) -> dict[str, Mutant]:
    """All mutants of one adapter's agent by name; which checks kill them depends on the agent."""
    driver = Driver(adapter)
    return {
        name: Mutant(
            name,
            adapter.name,
            bug.bug_class,
            bug.thread,
            (),
            "",
            {bug.member: partial(bug.operation, driver)},
        )
        for name, bug in _bugs.items()
    }


class AnyMutantAdapter(MutantAdapter):
    """A mutant of an adapter that is not built in: another process makes it from the adapter itself."""

    def __reduce__(self) -> Any:
        return _again, (self.adapter, self.mutant.name)


def _again(adapter: Adapter, name: str) -> AnyMutantAdapter:
    return AnyMutantAdapter(adapter, mutants_of(adapter)[name])


# -- kinds of bugs ------------------------------------------------------------------------------------------


def _wrong(bug_class: str, thread: str, member: str) -> Callable[[Operation], Operation]:
    """Register a wrong operation in place of a member."""

    def register(operation: Operation) -> Operation:
        _bugs[operation.__name__] = _Bug(bug_class, thread, member, operation)
        return operation

    return register


def _after_load(bug_class: str, thread: str) -> Callable[[Callable[[Found], None]], Callable[[Found], None]]:
    """Register what a load does to the agent that it has restored."""

    def register(change: Callable[[Found], None]) -> Callable[[Found], None]:
        def load(driver: Driver, agent: Any, path: Path, correct: Operation) -> Any:
            restored = correct(agent, path)
            with torch.no_grad():
                change(_look(driver, restored))
            return restored

        load.__name__ = change.__name__
        _wrong(bug_class, thread, "load")(load)
        return change

    return register


def _keeping(bug_class: str, thread: str) -> Callable[[Any], Any]:
    """Register what of the receiver's state survives a load: takes it out, and returns what puts it back."""

    def register(take_out: Callable[[Found], Callable[[Found], None]]) -> Any:
        def load(driver: Driver, agent: Any, path: Path, correct: Operation) -> Any:
            put_back = take_out(_look(driver, agent))
            restored = correct(agent, path)
            with torch.no_grad():
                put_back(_look(driver, restored))
            return restored

        load.__name__ = take_out.__name__
        _wrong(bug_class, thread, "load")(load)
        return take_out

    return register


# -- dropped ------------------------------------------------------------------------------------------------


def _network_lost(found: Found, place: int) -> Callable[[Found], None]:
    path = list(found.networks)[place] if found.networks else ""
    own = [value.clone() for value in found.networks[path].state_dict().values()] if path else []

    def put_back(now: Found) -> None:
        if path in now.networks:
            for value, kept in zip(now.networks[path].state_dict().values(), own, strict=True):
                value.copy_(kept)

    return put_back


@_keeping("MIS", "ray-project/ray#14119")
def first_network_lost(found: Found) -> Callable[[Found], None]:
    """The first network that was found stays the receiver's."""
    return _network_lost(found, 0)


@_keeping("MIS", "ray-project/ray#14119")
def last_network_lost(found: Found) -> Callable[[Found], None]:
    """So does the last one, which often is a target."""
    return _network_lost(found, -1)


@_after_load("OPT", "hill-a/stable-baselines#301")
def first_optimizer_lost(found: Found) -> None:
    """The first optimizer starts without any state."""
    for optimizer in list(found.optimizers.values())[:1]:
        optimizer.state.clear()


@_after_load("OPT", "NM512/dreamerv3-torch#38")
def optimizers_lost(found: Found) -> None:
    """All of them do."""
    for optimizer in found.optimizers.values():
        optimizer.state.clear()


@_after_load("OPT", "keras-team/keras#13027")
def step_counts_lost(found: Found) -> None:
    """Moments are back, how many steps they stand for is not."""
    for entry in found.moments():
        if isinstance(entry.get("step"), torch.Tensor):
            entry["step"].zero_()


@_keeping("HYP", "tensorflow/tensorflow#33842")
def learning_rates_lost(found: Found) -> Callable[[Found], None]:
    """Rates stay those of the receiver."""
    own = {path: [group["lr"] for group in one.param_groups] for path, one in found.optimizers.items()}

    def put_back(now: Found) -> None:
        for path, optimizer in now.optimizers.items():
            for group, rate in zip(optimizer.param_groups, own.get(path, []), strict=False):
                group["lr"] = rate

    return put_back


@_keeping("RNL", "DLR-RM/stable-baselines3#1643")
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


@_after_load("MIS", "naumix/BiggerRegularizedCategorical#2")
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


@_after_load("DTY", "ultralytics/yolov5#1840")
def weights_cast(found: Found) -> None:
    """Weights come back through half precision."""
    for weight in found.weights():
        weight.copy_(weight.half())


@_after_load("DTY", "pytorch/pytorch#43706")
def moments_cast(found: Found) -> None:
    """Moments come back through half precision."""
    for entry in found.moments():
        for key, value in entry.items():
            if key != "step" and isinstance(value, torch.Tensor) and value.is_floating_point():
                value.copy_(value.bfloat16())


@_after_load("ORD", "pytorch/pytorch#1489")
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


@_after_load("BND", "OFDataCommittee/drlfoam#2")
def optimizers_bound_to_copies(found: Found) -> None:
    """Optimizers go on with copies of the parameters."""
    for optimizer in found.optimizers.values():
        for group in optimizer.param_groups:
            group["params"] = [weight.detach().clone().requires_grad_() for weight in group["params"]]


_first_loads: dict[str, list[torch.Tensor]] = {}


@_wrong("ALL", "pytorch/pytorch#196083", "load")
def loads_share_memory(driver: Driver, agent: Any, path: Path, correct: Operation) -> Any:
    """The weights of all agents loaded from one file are the same memory."""
    restored = correct(agent, path)
    weights = list(_look(driver, restored).weights())
    first = _first_loads.setdefault(str(path), [weight.data for weight in weights])
    for weight, data in zip(weights, first, strict=True):
        weight.data = data
    return restored


@_after_load("MOD", "XuehaiPan/Soft-Actor-Critic#1")
def left_in_eval_mode(found: Found) -> None:
    """Networks come back for evaluation only."""
    for network in found.networks.values():
        network.eval()


@_after_load("FRZ", "Lightning-AI/pytorch-lightning#21901")
def frozen_by_load(found: Found) -> None:
    """Networks come back frozen."""
    for network in found.networks.values():
        network.requires_grad_(False)


# -- damaged, and side effects ------------------------------------------------------------------------------


@_wrong("MUT", "pytorch/pytorch#195990", "load")
def load_appends_to_the_files(driver: Driver, agent: Any, path: Path, correct: Operation) -> Any:
    """Loading marks what it has read."""
    restored = correct(agent, path)
    for file in [file for file in path.parent.rglob("*") if file.is_file()]:
        file.write_bytes(file.read_bytes() + b"loaded")
    return restored


@_wrong("PUR", "harubaru/waifu-diffusion#31", "save")
def save_changes_a_weight(driver: Driver, agent: Any, path: Path, correct: Operation) -> None:
    """A weight is not put back behind the save."""
    correct(agent, path)
    with torch.no_grad():
        for weight in list(_look(driver, agent).weights())[:1]:
            weight.mul_(1.5)


@_wrong("RNL", "Lightning-AI/pytorch-lightning#20204", "save")
def save_draws_a_number(driver: Driver, agent: Any, path: Path, correct: Operation) -> None:
    """Saving draws from the global generators."""
    correct(agent, path)
    torch.rand(1)


@_wrong("control", "", "save")
def nothing_saved(driver: Driver, agent: Any, path: Path, correct: Operation) -> None:
    """Saving is forgotten."""


@_wrong("STR", "DLR-RM/stable-baselines3#928", "load")
def nothing_loaded(driver: Driver, agent: Any, path: Path, correct: Operation) -> Any:
    """The receiver is returned as it is."""
    return agent


@_wrong("control", "", "learn")
def nothing_learned(driver: Driver, agent: Any, batch: Any, correct: Operation) -> None:
    """Training is ignored."""


@_wrong("control", "", "learn")
def nothing_repeatable(driver: Driver, agent: Any, batch: Any, correct: Operation) -> None:
    """Training depends on something that no seed decides."""
    correct(agent, batch)
    with torch.no_grad():
        for weight in list(_look(driver, agent).weights())[:1]:
            weight.add_(float(np.random.default_rng().random()))

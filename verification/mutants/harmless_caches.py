# SPDX-License-Identifier: MIT
"""Harmless: what the run makes anew before anything reads it, or nothing ever reads."""

from __future__ import annotations

import collections
import copy
import functools
import time
from types import SimpleNamespace
from typing import Any

import torch

from verification.mutants.harmless import Addition, add
from verification.state import find


def sets(name: str, value: object) -> Addition:
    """Gives an attribute a value."""

    def addition(agent: Any, _: object) -> None:
        setattr(agent, name, copy.deepcopy(value))

    return addition


def weights(agent: Any) -> list[torch.Tensor]:
    """The parameters that are found in an agent."""
    return [*find({"agent": agent}, torch.nn.Parameter).values()]


def _norm(agent: Any) -> torch.Tensor:
    """A number that follows from what was learned."""
    initialized = [one.detach() for one in weights(agent) if not torch.nn.parameter.is_lazy(one)]
    return torch.stack([one.double().square().sum() for one in initialized]).sum()


@add("last_loss", on="train", build=sets("last_loss", None))
def last_loss_for_a_log(agent: Any, _: object) -> None:
    """The loss of the latest update, which the next one overwrites."""
    agent.last_loss = _norm(agent).item()


@add("late", on="train")
def missing_before_the_first_use(agent: Any, _: object) -> None:
    """An attribute that does not exist before the first update."""
    agent.late = _norm(agent)


@add("last_batch", on="train", build=sets("last_batch", None))
def last_batch_kept(agent: Any, batch: object) -> None:
    """The latest batch, or the latest number of steps."""
    agent.last_batch = copy.deepcopy(batch)


@add("last_action", on="act", build=sets("last_action", None))
def last_action_kept(agent: Any, action: Any) -> None:
    """The latest action."""
    agent.last_action = copy.deepcopy(action)


@add("distribution", on="act", build=sets("distribution", None))
def distribution_of_the_last_action(agent: Any, action: Any) -> None:
    """An object of the library that holds tensors of the latest action."""
    mean = torch.as_tensor(action, dtype=torch.float64)
    agent.distribution = torch.distributions.Normal(mean, torch.ones_like(mean))


@add("last_graph", on="train", build=sets("last_graph", None))
def last_graph_kept(agent: Any, _: object) -> None:
    """A tensor that is no leaf, with the graph that it came from."""
    leaf = torch.full((2,), _norm(agent).item(), requires_grad=True)
    agent.last_graph = leaf * 2


@add("buffer", on="train", build=sets("buffer", torch.zeros(2)))
def scratch_memory(agent: Any, _: object) -> None:
    """A tensor that every update fills in place."""
    agent.buffer.fill_(_norm(agent).item())


@add("unread", on="train", noted=False, build=sets("unread", torch.nn.PReLU()))
def gradients_left_by_the_last_update(agent: Any, _: object) -> None:
    """Gradients that every update overwrites, and no step uses."""
    for weight in agent.unread.parameters():
        weight.grad = torch.full_like(weight, _norm(agent).item())


@add("metrics", on="train", build=sets("metrics", {}))
def metrics_of_the_last_update(agent: Any, _: object) -> None:
    """A dict that is filled by the first update."""
    agent.metrics["norm"] = _norm(agent).item()
    agent.metrics["batches"] = [1]


@add("recent", on="train", build=sets("recent", collections.deque(maxlen=2)))
def last_losses_for_a_moving_average(agent: Any, _: object) -> None:
    """A short window, which is full again after some updates."""
    agent.recent.append(_norm(agent).item())


@add("warned", on="train", build=sets("warned", False))
def warned_once(agent: Any, _: object) -> None:
    """A flag that keeps a warning from being issued twice."""
    agent.warned = True


@add("seen", on="train", build=sets("seen", set()))
def seen_so_far(agent: Any, _: object) -> None:
    """A set of what has been noticed, which the first update notices again."""
    agent.seen.add("updated")


@add("step_function", on="train", build=sets("step_function", None))
def step_compiled_at_the_first_update(agent: Any, _: object) -> None:
    """A function that is made when it is first needed."""
    if agent.step_function is None:
        agent.step_function = functools.partial(torch.add, alpha=2)


@add("phase", on="train", build=sets("phase", "idle"), act=sets("phase", "acting"))
def phase_set_before_use(agent: Any, _: object) -> None:
    """A mode that every update and every action sets."""
    agent.phase = "training"


def _evaluate(agent: Any, _: object) -> None:
    agent.dropout.eval()


@add("dropout", on="train", build=sets("dropout", torch.nn.Dropout().eval()), act=_evaluate)
def module_mode_set_before_use(agent: Any, _: object) -> None:
    """A module's mode that every update and every action sets."""
    agent.dropout.train()


@add("norm", on="load")
def metric_computed_at_load(agent: Any, _: object) -> None:
    """What follows from the state is computed where it is printed, so that only a load adds it."""
    agent.norm = _norm(agent).item()


@add("seconds", on="train", build=sets("seconds", 0.0))
def time_spent(agent: Any, _: object) -> None:
    """The seconds since some moment, which no two runs share."""
    agent.seconds += time.perf_counter() % 1


@add("profile", on="train", build=sets("profile", SimpleNamespace(last=0.0, calls=[])))
def profile_of_the_last_update(agent: Any, _: object) -> None:
    """An object with times in it."""
    agent.profile.last = time.perf_counter()
    agent.profile.calls = [time.perf_counter()]


@add(
    "shapes",
    on="build",
    noted=False,
    act=lambda agent, action: agent.shapes(tuple(torch.as_tensor(action).shape)),
)
def cache_of_a_function(agent: Any, _: object) -> None:
    """A function that remembers its results."""
    agent.shapes = functools.lru_cache(len)

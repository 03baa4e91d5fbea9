# SPDX-License-Identifier: MIT
"""Public checkpoint bugs that show only in unusual parameters, optimizers and schedules."""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING, Any

from verification.mutants.killers import (
    BINDING,
    MOMENTS,
    ONLINE_NETWORKS,
    RESUME,
    SCHEDULES,
)
from verification.mutants.model import plant as plant_into
from verification.mutants.pieces import changing, keeping

if TYPE_CHECKING:
    from pathlib import Path

    from verification.mutants.model import Plant
    from verification.specimens.zoo import Zoo

plant: Plant = partial(plant_into, "zoo")

# -- parameters ---------------------------------------------------------------------------------------------


def _thaw(contents: dict[str, Any], _: dict[str, Any]) -> None:
    contents["requires_grad"] = dict.fromkeys(contents["requires_grad"], True)


plant(
    "FRZ",
    "Lightning-AI/pytorch-lightning#21901",
    ONLINE_NETWORKS,
    "agent.online",
    name="frozen_networks_are_thawed",
)(changing(_thaw))


@plant("FMT", "Comfy-Org/ComfyUI#3932", RESUME, "agent.online", on="load")
def parameters_made_contiguous(agent: Zoo, path: Path, correct: Any) -> Zoo:
    """A format that knows no strides: kernels that were channels-last come back channels-first."""
    agent = correct(agent, path)
    for parameter in agent.online.parameters():
        parameter.data = parameter.data.contiguous()
    return agent


@plant(
    "TIE", "pytorch/pytorch#188346", (BINDING, "loading_shares_no_memory", RESUME), "agent.online", on="load"
)
def critic_gets_a_cnn_of_its_own(agent: Zoo, path: Path, correct: Any) -> Zoo:
    """The CNN that actor and critic share is made twice."""
    agent = correct(agent, path)
    if "critic_cnn" in agent.online:
        agent.online["critic_cnn"] = copy.deepcopy(agent.online["critic_cnn"])
    return agent


# -- optimizers ---------------------------------------------------------------------------------------------


def _renumber(contents: dict[str, Any], _: dict[str, Any]) -> None:
    for saved in contents["optimizers"].values():
        saved["state"] = dict(enumerate(saved["state"].values()))


plant(
    "ORD",
    "wochenlong/lora-scripts-next#320",
    MOMENTS,
    "optimizers",
    name="entries_move_up_past_a_parameter_without_any",
)(changing(_renumber))


def _first_group_only(contents: dict[str, Any], own: dict[str, Any]) -> None:
    for name, saved in contents["optimizers"].items():
        saved["param_groups"][1:] = own["optimizers"][name]["param_groups"][1:]


plant(
    "HYP",
    "pytorch/pytorch#1489",
    (SCHEDULES, RESUME),
    "param_groups",
    name="options_of_further_groups_lost",
)(changing(_first_group_only))

# -- schedules ----------------------------------------------------------------------------------------------


@plant("SCH", "pytorch/pytorch#119168", (SCHEDULES, RESUME), "['lr']", on="load")
def making_the_schedules_resets_the_rates(agent: Zoo, path: Path, correct: Any) -> Zoo:
    """Schedules are made after their optimizers are loaded, and write their first rate into them."""
    agent = correct(agent, path)
    for name in agent.schedules:
        for group in agent.optimizers[name].param_groups:
            group["lr"] = group.get("initial_lr", group["lr"])
    return agent


def _parts_restart(contents: dict[str, Any], own: dict[str, Any]) -> None:
    for name, saved in contents["schedules"].items():
        if "_schedulers" in saved:
            saved["_schedulers"] = own["schedules"][name]["_schedulers"]


plant(
    "SCH",
    "pytorch/pytorch#171515",
    SCHEDULES,
    "_schedulers",
    name="parts_of_a_schedule_start_again",
)(changing(_parts_restart))
plant("SCH", "lightly-ai/lightly-train#301", SCHEDULES, "agent.schedules", name="schedules_of_the_zoo_lost")(
    keeping("schedules")
)

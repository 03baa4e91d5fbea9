# SPDX-License-Identifier: MIT
"""Public checkpoint bugs in temperature, prioritised replay, averaged weights and the replay ratio."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from verification.mutants.killers import (
    ACTIONS,
    BINDING,
    GENERATORS,
    LEAVES,
    MOMENTS,
    ONLINE_NETWORKS,
    SAVING,
    STEPS,
    TARGET_NETWORKS,
)
from verification.mutants.model import plant as plant_into
from verification.mutants.pieces import changing, copying, keeping, losing_attributes

if TYPE_CHECKING:
    from pathlib import Path

    from verification.mutants.model import Plant
    from verification.specimens.sac import SAC

plant: Plant = partial(plant_into, "sac")

# -- temperature --------------------------------------------------------------------------------------------

plant("ALP", "astooke/rlpyt#122", STEPS, "agent.alpha", name="cached_temperature_is_stale")(
    losing_attributes("alpha")
)
plant(
    "ALP",
    "thu-ml/tianshou#676",
    MOMENTS,
    "agent.temperature_optimizer",
    name="temperature_optimizer_lost",
)(keeping("temperature_optimizer"))
plant(
    "ALP",
    "pranz24/pytorch-soft-actor-critic#35",
    (ONLINE_NETWORKS, STEPS),
    "agent.log_alpha",
    name="temperature_lost",
)(keeping("log_alpha"))


@plant("BND", "DLR-RM/stable-baselines3#391", BINDING, "agent.temperature_optimizer")
def temperature_is_a_new_parameter(agent: SAC, path: Path, correct: Any) -> SAC:
    """The optimizer goes on with a parameter that the agent has no longer."""
    agent = correct(agent, path)
    agent.log_alpha = torch.nn.Parameter(agent.log_alpha.detach().clone())
    return agent


# -- averaged weights ---------------------------------------------------------------------------------------

plant("EMA", "ultralytics/yolov5#310", ONLINE_NETWORKS, "agent.actor[", name="average_loaded_into_the_actor")(
    copying("averaged_actor", "actor")
)
plant("EMA", "ai2cm/ace#349", ACTIONS, "agent.averaged_actor", name="average_restarts_at_the_actor")(
    copying("actor", "averaged_actor")
)
plant("EMA", "Megvii-BaseDetection/YOLOX#1318", ACTIONS, "agent.averaged_actor", name="average_not_saved")(
    keeping("averaged_actor")
)


@plant(
    "PUR",
    "harubaru/waifu-diffusion#31",
    SAVING,
    "agent.actor",
    on="save",
)
def average_left_in_the_actor(agent: SAC, path: Path, correct: Any) -> None:
    """The average is put into the actor after the file has been written, and never taken out again."""
    correct(agent, path)
    agent.actor.load_state_dict(agent.averaged_actor.state_dict())


@plant("PUR", "atomistic-machine-learning/schnetpack#785", ONLINE_NETWORKS, "agent.actor", on="save")
def saved_while_the_average_was_swapped_in(agent: SAC, path: Path, correct: Any) -> None:
    """The file is written while the average stands in for the actor."""
    raw = {name: value.clone() for name, value in agent.actor.state_dict().items()}
    agent.actor.load_state_dict(agent.averaged_actor.state_dict())
    correct(agent, path)
    agent.actor.load_state_dict(raw)


# -- prioritised replay -------------------------------------------------------------------------------------

plant("BUF", "thu-ml/tianshou#728", LEAVES, "agent.replay.priorities", name="priorities_lost")(
    keeping("replay.priorities", "replay.priority_sum", "replay.max_priority", "replay.ranking")
)
plant("BUF", "thu-ml/tianshou#728", LEAVES, "agent.replay.max_priority", name="largest_priority_lost")(
    keeping("replay.max_priority")
)
plant("EXP", "tensorpack/tensorpack#1094", LEAVES, "agent.importance", name="annealing_restarts")(
    keeping("importance")
)


@plant("BUF", "pytorch/rl#3120", "a_new_process_resumes_the_same", "agent.replay.priority_sum")
def sum_of_priorities_computed_anew(agent: SAC, path: Path, correct: Any) -> SAC:
    """Added up in another order, the sum has other bits."""
    agent = correct(agent, path)
    agent.replay.priority_sum = float(agent.replay.priorities.sum())
    return agent


@plant("BUF", "pytorch/rl#4369", LEAVES, "agent.replay.ranking")
def ranking_through_json(agent: SAC, path: Path, correct: Any) -> SAC:
    """Its tuples come back as lists."""
    agent = correct(agent, path)
    agent.replay.ranking = json.loads(json.dumps(agent.replay.ranking))
    return agent


@plant("DTY", "SlopDotCash/asi#2714", LEAVES, "agent.replay.priorities")
def priorities_through_float32(agent: SAC, path: Path, correct: Any) -> SAC:
    """Priorities are stored in the precision of the networks."""
    agent = correct(agent, path)
    agent.replay.priorities[:] = agent.replay.priorities.astype("float32")
    return agent


# -- replay ratio and pieces --------------------------------------------------------------------------------

plant("CNT", "Eclectic-Sheep/sheeprl#280", LEAVES, "agent.gradient_steps", name="replay_ratio_catches_up")(
    keeping("gradient_steps")
)
plant("CNT", "ray-project/ray#29554", LEAVES, "agent.environment_steps", name="replay_ratio_waits")(
    keeping("environment_steps")
)
plant(
    "MIS",
    "RLinf/RLinf#706",
    (ONLINE_NETWORKS, ACTIONS, TARGET_NETWORKS, MOMENTS, STEPS, LEAVES, "resuming_leaves_no_residue"),
    "agent.log_alpha",
    name="only_actor_and_critic_saved",
)(
    keeping(
        *("critic_target", "averaged_actor", "log_alpha", "temperature_optimizer", "gradient_steps", "replay")
    )
)


@plant("MIS", "naumix/BiggerRegularizedCategorical#2", TARGET_NETWORKS, "agent.critic_target")
def online_critic_loaded_into_the_target(agent: SAC, path: Path, correct: Any) -> SAC:
    """Copied and pasted: one name was not changed."""
    restored: SAC = changing(_critic_twice)(agent, path, correct)
    return restored


def _critic_twice(contents: dict[str, Any], _: dict[str, Any]) -> None:
    contents["critic_target"] = contents["critic"]


plant(
    "RNG",
    "AI-Hypercomputer/maxtext#276",
    STEPS,
    "agent.noise",
    name="stream_of_the_policy_lost",
)(keeping("noise"))
plant("RNG", "vllm-project/speculators#1027", GENERATORS, "agent.sampler", name="sampling_lost")(
    keeping("sampler")
)
plant(
    "MIS",
    "borisdayma/dalle-mini#71",
    MOMENTS,
    "agent.critic_optimizer",
    name="loaded_state_thrown_away",
)(keeping("critic_optimizer"))

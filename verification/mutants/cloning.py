# SPDX-License-Identifier: MIT
"""Public checkpoint bugs in gradient scaling and accumulation, data order, warm-up and best weights."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from verification.mutants.killers import (
    COUNTERS,
    GENERATORS,
    HYPER_PARAMETERS,
    LEAVES,
    RESUME,
    SCHEDULES,
    STEPS,
)
from verification.mutants.model import plant as plant_into
from verification.mutants.pieces import changing, converting, keeping, setting

if TYPE_CHECKING:
    from pathlib import Path

    from verification.mutants.model import Plant
    from verification.specimens.cloning import Cloning

plant: Plant = partial(plant_into, "cloning")

# -- gradient scaler ----------------------------------------------------------------------------------------

plant(
    "AMP",
    "huggingface/transformers#11663",
    COUNTERS,
    "agent.scaler._scale",
    name="loss_scale_lost",
)(keeping("scaler.scale"))
plant(
    "AMP",
    "facebookresearch/metaseq#3",
    COUNTERS,
    "agent.scaler._growth_tracker",
    name="steps_since_the_last_overflow_lost",
)(keeping("scaler._growth_tracker"))
plant(
    "MIS",
    "facebookresearch/detectron2#3686",
    (COUNTERS, HYPER_PARAMETERS),
    "agent.scaler.",
    name="scaler_never_asked_for_its_state",
)(keeping("scaler"))


@plant("PUR", "huggingface/accelerate#4289", COUNTERS, "agent.scaler", on="load")
def load_advances_the_scaler(agent: Cloning, path: Path, correct: Any) -> Cloning:
    """Making the optimizer's state with a step on nothing counts as a step without overflow."""
    agent = correct(agent, path)
    state = agent.scaler.state_dict()
    agent.scaler.load_state_dict({**state, "_growth_tracker": state["_growth_tracker"] + 1})
    return agent


# -- gradient accumulation ----------------------------------------------------------------------------------

plant(
    "ACC",
    "huggingface/transformers#22143",
    STEPS,
    "agent.policy",
    name="half_accumulated_gradients_lost",
)(keeping("gradients"))
plant("ACC", "Nerogar/OneTrainer#1465", COUNTERS, "agent.micro_steps", name="place_in_the_window_lost")(
    setting("micro_steps", 0)
)
plant("DTY", "facebookresearch/fairscale#50", STEPS, "agent.policy", name="gradients_through_half_precision")(
    converting(
        "gradients",
        lambda gradients: [None if one is None else one.bfloat16().float() for one in gradients],
    )
)


def _where_there_are_some(contents: dict[str, Any], own: dict[str, Any]) -> None:
    pairs = zip(contents["gradients"], own["gradients"], strict=True)
    contents["gradients"] = [kept if saved is None else saved for saved, kept in pairs]


plant(
    "ACC",
    "EleutherAI/gpt-neox#308",
    "loading_leaves_no_residue",
    "agent.policy",
    name="gradients_of_the_receiver_kept",
)(changing(_where_there_are_some))


def _in_batches(contents: dict[str, Any], _: dict[str, Any]) -> None:
    if contents["sampler"]["index"]:
        contents["sampler"]["index"] = contents["updates"] * contents["config"]["batch_size"]


plant(
    "ACC",
    "huggingface/transformers#8624",
    LEAVES,
    "agent.sampler.index",
    name="place_without_the_accumulation_factor",
)(changing(_in_batches))

# -- data ---------------------------------------------------------------------------------------------------

plant(
    "DAT",
    "KempnerInstitute/KempnerForge#51",
    (GENERATORS, LEAVES, "resuming_leaves_no_residue"),
    "agent.sampler",
    name="sampler_never_saved",
)(keeping("sampler"))
plant("DAT", "pytorch/pytorch#11813", LEAVES, "agent.sampler.permutation", name="order_of_the_epoch_lost")(
    keeping("sampler.permutation")
)
plant(
    "RNG",
    "huggingface/transformers#11582",
    GENERATORS,
    "agent.sampler.generator",
    name="later_epochs_reshuffled",
)(keeping("sampler.generator"))
plant("OBO", "NguyenJus/custom-sam-peft#308", LEAVES, "agent.sampler.index", name="epoch_walked_again")(
    setting("sampler.index", 0)
)
plant("OBO", "catalyst-team/catalyst#764", LEAVES, "agent.sampler.epoch", name="last_epoch_repeated")(
    converting("sampler.epoch", lambda epoch: max(0, epoch - 1))
)
plant("OBO", "ByteDance-Seed/VeOmni#798", COUNTERS, "agent.micro_steps", name="phantom_batch_counted")(
    converting("micro_steps", lambda number: number + 1)
)

# How far into an epoch each loaded agent was; no part of it.
_SKIPPED: weakref.WeakKeyDictionary[Cloning, int] = weakref.WeakKeyDictionary()


def _skip_in_every_epoch(agent: Cloning, steps: int, correct: Any) -> None:
    for _ in range(steps):
        epoch = agent.sampler.epoch
        correct(agent, 1)
        if agent.sampler.epoch > epoch:
            agent.sampler.index = _SKIPPED.get(agent, 0)


@plant(
    "DAT",
    "allenai/open-instruct#681",
    RESUME,
    "agent.sampler.index",
    advance=_skip_in_every_epoch,
)
def batches_skipped_in_every_epoch(agent: Cloning, path: Path, correct: Any) -> Cloning:
    """What was to be skipped once is skipped at the start of all later epochs."""
    agent = correct(agent, path)
    _SKIPPED[agent] = agent.sampler.index
    return agent


# -- schedule and best weights ------------------------------------------------------------------------------

plant(
    "SCH",
    "meta-pytorch/torchtune#2730",
    SCHEDULES,
    "agent.schedule._step_count",
    name="calls_of_the_schedule_lost",
)(keeping("schedule._step_count"))
plant("SCH", "ultralytics/yolov5#292", SCHEDULES, "['lr']", name="rate_of_the_warm_up_set_again")(
    changing(lambda contents, _: _first_rate(contents))
)
plant("BST", "huggingface/transformers#28544", COUNTERS, "agent.best_loss", name="best_loss_lost")(
    keeping("best_loss")
)
plant(
    "BST",
    "Lightning-AI/pytorch-lightning#1463",
    COUNTERS,
    "agent.evaluations_without_record",
    name="wait_for_a_record_starts_again",
)(setting("evaluations_without_record", 0))
plant("BST", "MIC-DKFZ/nnUNet#401", LEAVES, "agent.best_weights", name="best_weights_lost")(
    keeping("best_weights")
)


@plant("SCH", "pytorch/pytorch#171515", SCHEDULES, "agent.", on="load")
def schedule_built_at_the_number_of_updates(agent: Cloning, path: Path, correct: Any) -> Cloning:
    """A new schedule that begins at ``last_epoch`` takes one more step when it is built."""
    agent = correct(agent, path)
    schedule = torch.optim.lr_scheduler.LinearLR(
        agent.optimizer, 0.25, total_iters=agent.config.warm_up, last_epoch=agent.updates
    )
    agent.schedule = schedule
    return agent


def _first_rate(contents: dict[str, Any]) -> None:
    for group in contents["optimizer"]["param_groups"]:
        group["lr"] = group["initial_lr"] * 0.25


@plant("ALS", "thunlp/OpenKE#131", LEAVES, "agent.best_weights", on="save")
def best_weights_are_the_last(agent: Cloning, path: Path, correct: Any) -> None:
    """The file holds the weights of now in the place of the best ones."""
    correct(agent, path)
    contents = torch.load(path, weights_only=True)
    if contents["best_weights"]:
        contents["best_weights"] = contents["policy"]
    torch.save(contents, path)


@plant("ALS", "WenjieDu/PyPOTS#667", RESUME, "agent.best_weights", on="load")
def best_weights_refer_to_the_policy(agent: Cloning, path: Path, correct: Any) -> Cloning:
    """Their tensors are the policy's own from now on."""
    agent = correct(agent, path)
    agent.policy.load_state_dict(agent.best_weights or agent.policy.state_dict(), strict=True)
    agent.best_weights = agent.policy.state_dict() if agent.best_weights else {}
    return agent

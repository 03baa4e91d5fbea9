# SPDX-License-Identifier: MIT
"""Networks of ``td3_core`` that never reach the file, or never leave it."""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING

from verification.mutants.killers import (
    MOMENTS,
    ONLINE_NETWORKS,
    TARGET_NETWORKS,
)
from verification.mutants.td3_parts import (
    NETWORKS,
    TARGETS,
    lose,
    losing,
    pieces,
    plant,
    then,
)

if TYPE_CHECKING:
    from pathlib import Path

    from td3_core.training.run import TrainingRun
    from verification.mutants.model import Operation


lose("actor_lost", "MIS", "FluxVLA/FluxVLA#72", ONLINE_NETWORKS, "agent.actor", "actor")
lose("critic_lost", "MIS", "FluxVLA/FluxVLA#72", ONLINE_NETWORKS, "agent.critic", "critic")
lose("actor_cnn_lost", "MIS", "ray-project/ray#14119", ONLINE_NETWORKS, "agent.actor_cnn.", "actor_cnn")
lose("critic_cnn_lost", "MIS", "ray-project/ray#14119", ONLINE_NETWORKS, "agent.critic_cnn.", "critic_cnn")
lose("targets_lost", "TGT", "hill-a/stable-baselines#93", TARGET_NETWORKS, "_target", *TARGETS)
lose(
    "critic_cnn_target_lost",
    "TGT",
    "hill-a/stable-baselines#93",
    TARGET_NETWORKS,
    "agent.critic_cnn_target.",
    "critic_cnn_target",
)


@plant("MIS", "ray-project/ray#14119", (ONLINE_NETWORKS, MOMENTS), "_cnn.")
def guard_on_a_renamed_attribute(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """The CNNs and their optimizers are kept only by agents with a ``cnn_extractor``, which none has."""
    names = ("actor_cnn", "critic_cnn", "actor_cnn_optimizer", "critic_cnn_optimizer")
    load = correct if hasattr(run.agent, "cnn_extractor") else partial(losing(*names), correct=correct)
    restored: TrainingRun = load(run, path)
    return restored


@plant("MIS", "naumix/BiggerRegularizedCategorical#2", ONLINE_NETWORKS, "_cnn.")
@then
def cnns_swapped(run: TrainingRun) -> None:
    """Each CNN gets the other one's weights, where the shapes allow it."""
    agent = run.agent
    if agent.actor_cnn is not None and agent.config.actor_cnn == agent.config.critic_cnn:
        assert agent.critic_cnn is not None
        actor = copy.deepcopy(agent.actor_cnn.state_dict())
        agent.actor_cnn.load_state_dict(agent.critic_cnn.state_dict())
        agent.critic_cnn.load_state_dict(actor)


@plant("MIS", "naumix/BiggerRegularizedCategorical#2", ONLINE_NETWORKS, "agent.critic_cnn.")
@then
def one_cnn_restored_into_both(run: TrainingRun) -> None:
    """A line was copied, and one of its two names not changed."""
    agent = run.agent
    if agent.critic_cnn is not None and agent.config.actor_cnn == agent.config.critic_cnn:
        assert agent.actor_cnn is not None
        agent.critic_cnn.load_state_dict(agent.actor_cnn.state_dict())


@plant("TGT", "sfujim/TD3#20", TARGET_NETWORKS, "_target")
@then
def targets_recreated_from_online(run: TrainingRun) -> None:
    """Targets become copies of the online networks."""
    for name, network in pieces(run, NETWORKS):
        getattr(run.agent, f"{name}_target").load_state_dict(network.state_dict())


@plant("TGT", "rlcode/reinforcement-learning#86", TARGET_NETWORKS, "_target")
def targets_synced_before_the_weights_are_loaded(
    run: TrainingRun, path: Path, correct: Operation
) -> TrainingRun:
    """Targets become copies of what the online networks were before."""
    first = {name: copy.deepcopy(network.state_dict()) for name, network in pieces(run, NETWORKS)}
    run = correct(run, path)
    for name, weights in first.items():
        getattr(run.agent, f"{name}_target").load_state_dict(weights)
    return run


@plant("EMA", "ultralytics/yolov5#310", ONLINE_NETWORKS, "agent.actor")
@then
def average_saved_as_the_network(run: TrainingRun) -> None:
    """Only the slowly following copy is in the file, and both are filled with it."""
    run.agent.actor.load_state_dict(run.agent.actor_target.state_dict())


@plant("STR", "pytorch/examples#1029", ONLINE_NETWORKS, "agent.critic")
def wrong_prefix_is_not_strict(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """All keys have a prefix, and ``strict=False`` loads none of them without a word."""
    own = copy.deepcopy(run.agent.critic.state_dict())
    run = correct(run, path)
    saved = {f"critic.{key}": value.clone() for key, value in run.agent.critic.state_dict().items()}
    run.agent.critic.load_state_dict(own)
    run.agent.critic.load_state_dict(saved, strict=False)
    return run


@plant("PRE", "karpathy/nanoGPT#325", ONLINE_NETWORKS, "agent.actor")
def compiled_prefix_is_not_stripped(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """A compiled network was saved; its keys fit no plain one, and nobody is told."""
    own = copy.deepcopy(run.agent.actor.state_dict())
    run = correct(run, path)
    saved = {f"_orig_mod.{key}": value.clone() for key, value in run.agent.actor.state_dict().items()}
    run.agent.actor.load_state_dict({**own, **{key: saved[key] for key in saved if key in own}})
    return run


@plant("STR", "PIQuIL/QuCumber#18", ONLINE_NETWORKS, "bias")
def missing_key_is_not_strict(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """The last key is missing from the file, which ``strict=False`` hides."""
    last, own = list(run.agent.actor.state_dict().items())[-1]
    own = own.clone()
    run = correct(run, path)
    run.agent.actor.load_state_dict({last: own}, strict=False)
    return run

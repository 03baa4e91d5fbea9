# SPDX-License-Identifier: MIT
"""Pieces of ``td3_core`` that never reach the file, or never leave it."""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING, Any

from verification.mutants.killers import (
    COUNTERS,
    GENERATORS,
    HYPER_PARAMETERS,
    LEAVES,
    MOMENTS,
    ONLINE_NETWORKS,
    SCHEDULES,
    STEPS,
    TARGET_NETWORKS,
)
from verification.mutants.td3_parts import (
    NETWORKS,
    OPTIMIZERS,
    SCHEDULERS,
    TARGETS,
    entries,
    groups,
    losing,
    pieces,
    plant,
    then,
)

if TYPE_CHECKING:
    from pathlib import Path

    from td3_core.training import TrainingRun
    from verification.mutants.model import Operation


def _lost(
    name: str, bug_class: str, thread: str, killed_by: str | tuple[str, ...], leaf: str, *attributes: str
) -> None:
    plant(bug_class, thread, killed_by, leaf, name=name)(losing(*attributes))


# -- networks -----------------------------------------------------------------------------------------------

_lost("actor_lost", "MIS", "FluxVLA/FluxVLA#72", ONLINE_NETWORKS, "agent.actor", "actor")
_lost("critic_lost", "MIS", "FluxVLA/FluxVLA#72", ONLINE_NETWORKS, "agent.critic", "critic")
_lost("actor_cnn_lost", "MIS", "ray-project/ray#14119", ONLINE_NETWORKS, "agent.actor_cnn.", "actor_cnn")
_lost("critic_cnn_lost", "MIS", "ray-project/ray#14119", ONLINE_NETWORKS, "agent.critic_cnn.", "critic_cnn")
_lost("targets_lost", "TGT", "hill-a/stable-baselines#93", TARGET_NETWORKS, "_target", *TARGETS)
_lost(
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


# -- optimizers ---------------------------------------------------------------------------------------------

_lost("actor_optimizer_lost", "OPT", "hill-a/stable-baselines#301", MOMENTS, "actor_opt", "actor_optimizer")
_lost("optimizers_lost", "OPT", "NM512/dreamerv3-torch#38", MOMENTS, "_optimizer.state", *OPTIMIZERS)
_lost(
    "actor_cnn_optimizer_lost",
    "OPT",
    "NM512/dreamerv3-torch#38",
    MOMENTS,
    "agent.actor_cnn_optimizer.state",
    "actor_cnn_optimizer",
)
_lost(
    "critic_cnn_optimizer_lost",
    "OPT",
    "NM512/dreamerv3-torch#38",
    MOMENTS,
    "agent.critic_cnn_optimizer.state",
    "critic_cnn_optimizer",
)
_lost(
    "only_weights_restored",
    "OPT",
    "thinking-machines-lab/tinker-feedback#127",
    (MOMENTS, COUNTERS),
    "_optimizer.state",
    *OPTIMIZERS,
    *SCHEDULERS,
    "total_it",
)


@plant("MIS", "CodefyUI/CodefyUI#118", MOMENTS, "agent.critic_optimizer.state")
@then
def optimizer_that_never_stepped_saved(run: TrainingRun) -> None:
    """The saver holds another object than the one that trains."""
    run.agent.critic_optimizer.state.clear()


@plant("MIS", "borisdayma/dalle-mini#71", MOMENTS, "agent.critic_optimizer.state")
def optimizer_restored_on_a_copy(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """The restored state goes into an object that is thrown away."""
    restored: TrainingRun = losing("critic_optimizer")(run, path, correct)
    return restored


@plant("MIS", "NVIDIA-NeMo/Megatron-Bridge#3832", MOMENTS, "_optimizer.state")
def several_optimizers_are_skipped(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """One branch of the load, for agents with more optimizers than two, forgets them."""
    several = len(list(pieces(run, OPTIMIZERS))) > 2
    load = partial(losing(*OPTIMIZERS), correct=correct) if several else correct
    restored: TrainingRun = load(run, path)
    return restored


@plant("OPT", "Lightning-AI/pytorch-lightning#2613", MOMENTS, "_optimizer.state")
def new_agents_get_no_optimizer_state(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """One of two ways to load, the one into an agent that has not trained, forgets the optimizers."""
    load = correct if any(True for _ in entries(run)) else partial(losing(*OPTIMIZERS), correct=correct)
    restored: TrainingRun = load(run, path)
    return restored


@plant("OPT", "keras-team/tf-keras#70", MOMENTS, "['step']")
@then
def numbers_do_not_fit_the_format(run: TrainingRun) -> None:
    """The format keeps arrays, and drops the step count, which is none."""
    for entry in entries(run):
        entry.pop("step", None)


@plant("OPT", "keras-team/keras#13027", MOMENTS, "['step']")
@then
def adam_step_lost(run: TrainingRun) -> None:
    """Bias correction restarts."""
    for entry in entries(run):
        if "step" in entry:
            entry["step"].zero_()


@plant("LAZ", "NVIDIA-NeMo/Automodel#2779", MOMENTS, "_optimizer.state")
@then
def state_of_the_last_parameter_dropped(run: TrainingRun) -> None:
    """A parameter without gradient in this step is taken for one that never had any."""
    for _, optimizer in pieces(run, OPTIMIZERS):
        optimizer.state.pop(optimizer.param_groups[0]["params"][-1], None)


# -- counters, hyper-parameters, schedules ------------------------------------------------------------------

_lost("total_it_lost", "CNT", "pfnet/pfrl#183", COUNTERS, "agent.total_it", "total_it")
for _name in ("discount", "tau", "policy_noise", "noise_clip", "policy_freq", "exploration_noise"):
    _lost(f"{_name}_lost", "HYP", "SforAiDl/genrl#37", HYPER_PARAMETERS, _name, _name)
_lost("schedules_lost", "SCH", "lightly-ai/lightly-train#301", SCHEDULES, "_scheduler.", *SCHEDULERS)


def _options_kept(*names: str) -> Operation:
    """A load that leaves options of the optimizers as the receiver was built with them."""

    def load(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
        own = [{name: group[name] for name in names if name in group} for group in groups(run)]
        run = correct(run, path)
        for group, kept in zip(groups(run), own, strict=True):
            group.update(kept)
        return run

    return load


plant(
    "HYP", "tensorflow/tensorflow#33842", (HYPER_PARAMETERS, SCHEDULES), "['lr']", name="learning_rate_lost"
)(_options_kept("lr"))
plant("SCH", "NVIDIA/Megatron-LM#7468", HYPER_PARAMETERS, "['weight_decay']", name="weight_decay_lost")(
    _options_kept("weight_decay")
)
plant(
    "HYP",
    "pytorch/pytorch#129683",
    (HYPER_PARAMETERS, SCHEDULES),
    "param_groups",
    name="only_tensors_restored",
)(_options_kept("lr", "betas", "eps", "weight_decay", "alpha", "momentum", "dampening"))


@plant("SCH", "lightly-ai/lightly-train#301", SCHEDULES, "_scheduler.last_epoch")
@then
def warm_up_repeats(run: TrainingRun) -> None:
    """The schedule's position restarts."""
    for _, scheduler in pieces(run, SCHEDULERS):
        scheduler.last_epoch = 0


@plant("SCH", "pytorch/pytorch#29697", SCHEDULES, "['lr']")
@then
def drop_of_the_rate_lost(run: TrainingRun) -> None:
    """The schedule is restored, the rate that it had set is not."""
    for _, scheduler in pieces(run, SCHEDULERS):
        for group, rate in zip(scheduler.optimizer.param_groups, scheduler.base_lrs, strict=True):
            group["lr"] = rate


# -- streams and the run around the agent -------------------------------------------------------------------

_lost(
    "exploration_stream_lost",
    "RNG",
    "DLR-RM/stable-baselines3#1526",
    GENERATORS,
    "agent.exploration_generator",
    "exploration_generator",
)
_lost(
    "replay_stream_lost",
    "RNG",
    "vllm-project/speculators#1027",
    GENERATORS,
    "agent.replay_generator",
    "replay_generator",
)
_lost(
    "noise_stream_lost",
    "RNG",
    "AI-Hypercomputer/maxtext#276",
    STEPS,
    "agent.target_noise_generator",
    "target_noise_generator",
)


@plant("RNG", "Farama-Foundation/Gymnasium#185", GENERATORS, "agent.exploration_generator")
def stream_lost_during_warm_up(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """While actions are still random ones, their generator is not thought of."""
    own = run.agent.exploration_generator.get_state()
    run = correct(run, path)
    if run.steps <= run.learning_starts:
        run.agent.exploration_generator.set_state(own)
    return run


def _replay(run: TrainingRun, **changes: Any) -> None:
    vars(run.replay_buffer).update(changes)


@plant("BUF", "nicklashansen/tdmpc2#28", LEAVES, "run.replay_buffer")
def replay_lost(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """The replay buffer starts empty."""
    empty = copy.deepcopy(run.replay_buffer.state_dict())
    run = correct(run, path)
    run.replay_buffer.load_state_dict(empty)
    return run


@plant("BUF", "pytorch/rl#3120", LEAVES, "run.replay_buffer.position")
@then
def replay_cursor_lost(run: TrainingRun) -> None:
    """The transitions are back, the place where the next one goes is not."""
    _replay(run, position=0)


@plant("BUF", "chainer/chainerrl#130", LEAVES, "run.replay_buffer.full")
@then
def wrapped_flag_lost(run: TrainingRun) -> None:
    """A buffer that has wrapped around comes back as one that is filling."""
    _replay(run, full=False)


@plant("CNT", "ray-project/ray#29554", LEAVES, "run.steps")
def step_count_of_the_run_lost(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Environment steps restart, updates do not."""
    own = run.steps
    run = correct(run, path)
    run.steps = own
    return run


@plant("BST", "MIC-DKFZ/nnUNet#401", LEAVES, "run.history")
@then
def best_episode_forgotten(run: TrainingRun) -> None:
    """The returns so far are gone: the next episode is the best one."""
    run.history = []


@plant("ENV", "DLR-RM/stable-baselines3#1643", LEAVES, "run.episode")
@then
def episode_starts_afresh(run: TrainingRun) -> None:
    """The environment is reset after the load."""
    if run.steps:
        run.episode = type(run.episode)(run.env)

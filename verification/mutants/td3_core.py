# SPDX-License-Identifier: MIT
"""Public checkpoint bugs, planted into ``td3_core``; each function is the wrong operation.

``correct`` is the right operation; most mutants do it, and then what the bug leaves behind.
"""

from __future__ import annotations

import copy
import random
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from verification.mutants.model import Operation
from verification.mutants.model import plant as plant_into

if TYPE_CHECKING:
    from pathlib import Path

    from td3_core.training import TrainingRun

NETWORKS = ("actor", "critic", "actor_cnn", "critic_cnn")
plant = partial(plant_into, "td3_core")


def losing(*names: str) -> Operation:
    """A load that leaves attributes of the agent as they were in the receiver."""

    def load(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
        there = [name for name in names if getattr(run.agent, name) is not None]
        kept = {name: _kept(getattr(run.agent, name)) for name in there}
        run = correct(run, path)
        for name, value in kept.items():
            _put_back(run.agent, name, value)
        return run

    return load


def _kept(value: Any) -> Any:
    if hasattr(value, "state_dict"):
        return copy.deepcopy(value.state_dict())
    return value.get_state() if hasattr(value, "get_state") else value


def _put_back(agent: object, name: str, kept: Any) -> None:
    value = getattr(agent, name)
    if hasattr(value, "load_state_dict"):
        value.load_state_dict(kept)
    elif hasattr(value, "set_state"):
        value.set_state(kept)
    else:
        setattr(agent, name, kept)


# -- pieces that never reach the file, or never leave it ----------------------------------------------------

plant(
    "MIS",
    "ray-project/ray#14119",
    "online_networks_survive_reload",
    "agent.actor_cnn.",
    name="actor_cnn_not_saved",
)(losing("actor_cnn"))
plant(
    "MIS",
    "ray-project/ray#14119",
    "online_networks_survive_reload",
    "agent.critic_cnn.",
    name="critic_cnn_not_saved",
)(losing("critic_cnn"))
plant(
    "OPT",
    "NM512/dreamerv3-torch#38",
    "optimizer_state_survives_reload",
    "agent.actor_cnn_optimizer.state",
    name="actor_cnn_optimizer_not_saved",
)(losing("actor_cnn_optimizer"))
plant(
    "OPT",
    "NM512/dreamerv3-torch#38",
    "optimizer_state_survives_reload",
    "agent.critic_cnn_optimizer.state",
    name="critic_cnn_optimizer_not_saved",
)(losing("critic_cnn_optimizer"))
plant(
    "TGT",
    "hill-a/stable-baselines#93",
    "targets_survive_reload",
    "agent.critic_cnn_target.",
    name="target_cnn_lost",
)(losing("critic_cnn_target"))
plant(
    "HYP", "SforAiDl/genrl#37", "hyper_parameters_survive_reload", "policy_noise", name="hyper_parameter_lost"
)(losing("policy_noise"))
plant(
    "RNG",
    "DLR-RM/stable-baselines3#1526",
    "generators_survive_reload",
    "agent.exploration_generator",
    name="exploration_stream_lost",
)(losing("exploration_generator"))
plant(
    "RNG",
    "AI-Hypercomputer/maxtext#276",
    "next_steps_survive_reload",
    "agent.target_noise_generator",
    name="noise_stream_lost",
)(losing("target_noise_generator"))


@plant("MIS", "ray-project/ray#14119", "online_networks_survive_reload", "_cnn.")
def guard_on_a_renamed_attribute(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """The CNNs and their optimizers are kept only by agents with a ``cnn_extractor``, which none has."""
    pieces = ("actor_cnn", "critic_cnn", "actor_cnn_optimizer", "critic_cnn_optimizer")
    load = correct if hasattr(run.agent, "cnn_extractor") else partial(losing(*pieces), correct=correct)
    restored: TrainingRun = load(run, path)
    return restored


@plant("TGT", "sfujim/TD3#20", "targets_survive_reload", "_target.")
def targets_recreated_from_online(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """Targets become copies of the online networks."""
    run = correct(run, path)
    for name in NETWORKS:
        if getattr(run.agent, name) is not None:
            getattr(run.agent, f"{name}_target").load_state_dict(getattr(run.agent, name).state_dict())
    return run


@plant("CNT", "pfnet/pfrl#183", "counters_survive_reload", "agent.total_it")
def total_it_lost(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """The number of updates restarts."""
    run = correct(run, path)
    run.agent.total_it = 0
    return run


@plant("OPT", "keras-team/keras#13027", "optimizer_state_survives_reload", "['step']")
def adam_step_lost(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """Bias correction restarts."""
    run = correct(run, path)
    for entry in _optimizer_entries(run):
        if "step" in entry:
            entry["step"].zero_()
    return run


@plant("DTY", "pytorch/pytorch#43706", "optimizer_state_survives_reload", "_optimizer.state")
def moments_through_bfloat16(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """Moments are stored in another precision."""
    run = correct(run, path)
    for entry in _optimizer_entries(run):
        for key, value in entry.items():
            if key != "step" and isinstance(value, torch.Tensor):
                value.copy_(value.bfloat16().float())
    return run


@plant("MIS", "naumix/BiggerRegularizedCategorical#2", "online_networks_survive_reload", "_cnn.")
def cnns_swapped(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """Each CNN gets the other one's weights, where the shapes allow it."""
    run = correct(run, path)
    agent = run.agent
    if (
        agent.actor_cnn is not None
        and agent.critic_cnn is not None
        and agent.config.actor_cnn == agent.config.critic_cnn
    ):
        actor = copy.deepcopy(agent.actor_cnn.state_dict())
        agent.actor_cnn.load_state_dict(agent.critic_cnn.state_dict())
        agent.critic_cnn.load_state_dict(actor)
    return run


def _optimizer_entries(run: TrainingRun) -> list[dict[str, Any]]:
    optimizers = [getattr(run.agent, f"{name}_optimizer") for name in NETWORKS]
    return [entry for optimizer in optimizers if optimizer is not None for entry in optimizer.state.values()]


# -- objects that no longer belong together -----------------------------------------------------------------


@plant("BND", "OFDataCommittee/drlfoam#2", "objects_stay_bound", "agent.critic_optimizer.param_groups")
def optimizer_bound_to_stale_parameters(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """The critic is replaced by an equal one; its optimizer goes on with the old one's parameters."""
    run = correct(run, path)
    run.agent.critic = copy.deepcopy(run.agent.critic)
    return run


@plant("BND", "pfnet/pytorch-pfn-extras#187", "objects_stay_bound", "agent.actor_optimizer.param_groups")
def parameters_assigned(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """``load_state_dict(assign=True)`` puts new parameters into the actor."""
    run = correct(run, path)
    run.agent.actor.load_state_dict(copy.deepcopy(run.agent.actor.state_dict()), assign=True)
    return run


# -- modes, schedules, hidden state -------------------------------------------------------------------------


@plant("MOD", "XuehaiPan/Soft-Actor-Critic#1", "modes_survive_reload", ".training")
def networks_left_in_eval_mode(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """Loading ends as if only evaluation were to follow."""
    run = correct(run, path)
    for name in NETWORKS:
        if getattr(run.agent, name) is not None:
            getattr(run.agent, name).eval()
    return run


plant(
    "SCH", "lightly-ai/lightly-train#301", "schedules_survive_reload", "_scheduler.", name="schedules_lost"
)(losing(*(f"{name}_scheduler" for name in NETWORKS)))

# State that no walk over the agent finds: what a process keeps beside it.
_BESIDE: weakref.WeakKeyDictionary[TrainingRun, Any] = weakref.WeakKeyDictionary()


def _act_at_half_scale(run: TrainingRun, observation: Any, correct: Any) -> Any:
    action = correct(run, observation)
    return action / 2 if run in _BESIDE else action


@plant("NPB", "ligerlac/torchlogix#23", "actions_survive_reload", "action", act=_act_at_half_scale)
def action_scale_of_another_process(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """What actions pass through last is kept beside the agent, and a loaded one finds another value there."""
    run = correct(run, path)
    _BESIDE[run] = "loaded"
    return run


# -- save changes the agent, or not only the agent ----------------------------------------------------------


@plant(
    "PUR",
    "atomistic-machine-learning/schnetpack#785",
    "saving_leaves_the_agent_unchanged",
    "target_noise_generator",
    on="save",
)
def save_advances_a_generator(run: TrainingRun, path: Path, correct: Any) -> None:
    """Saving draws from the agent's own noise, and saves the position before the draw."""
    correct(run, path)
    torch.rand(1, generator=run.agent.target_noise_generator)


@plant(
    "RNL",
    "Lightning-AI/pytorch-lightning#20204",
    "saving_leaves_global_generators_unchanged",
    "torch",
    on="save",
)
def save_advances_a_global_generator(run: TrainingRun, path: Path, correct: Any) -> None:
    """Saving draws a random file name, or builds a network, from the global stream."""
    correct(run, path)
    torch.rand(1)


_ALIASES: dict[str, Any] = {}


def _load_aliases(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    run = correct(run, path)
    run.agent.actor.load_state_dict(_ALIASES.get(str(path), run.agent.actor.state_dict()))
    return run


@plant(
    "ALS", "WenjieDu/PyPOTS#667", "a_checkpoint_is_a_snapshot", "agent.actor[", on="save", load=_load_aliases
)
def checkpoint_aliases_live_tensors(run: TrainingRun, path: Path, correct: Any) -> None:
    """The best weights are kept as references to the live ones."""
    correct(run, path)
    _ALIASES[str(path)] = run.agent.actor.state_dict()


@plant("MUT", "AUTOMATIC1111/stable-diffusion-webui#13535", "loading_leaves_the_checkpoint_unchanged")
def load_rewrites_the_file(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """Loading marks the file as loaded."""
    run = correct(run, path)
    path.write_bytes(path.read_bytes() + b"loaded")
    return run


# -- what the receiver or another agent brings along --------------------------------------------------------


@plant("BNS", "pytorch/pytorch#110850", "loading_leaves_no_residue", "_optimizer.state")
def residue_of_the_receiver_kept(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """Optimizer state is restored only where there is some: before the first step, the receiver's stays."""
    kept = {}
    for name in NETWORKS:
        optimizer = getattr(run.agent, f"{name}_optimizer")
        if optimizer is not None:
            kept[name] = copy.deepcopy(optimizer.state_dict()["state"])
    run = correct(run, path)
    for name, state in kept.items():
        optimizer = getattr(run.agent, f"{name}_optimizer")
        if state and not optimizer.state:
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return run


_ADOPTED: dict[str, Any] = {}


@plant("ALL", "pytorch/pytorch#196083", "loading_shares_no_memory", "agent.")
def agents_adopt_the_same_tensors(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """A file is read once; ``Optimizer.load_state_dict`` adopts the tensors of whatever dict it is given."""
    run = correct(run, path)
    for name in NETWORKS:
        optimizer = getattr(run.agent, f"{name}_optimizer")
        if optimizer is not None:
            optimizer.load_state_dict(
                _ADOPTED.setdefault(f"{path}{name}", copy.deepcopy(optimizer.state_dict()))
            )
    return run


# -- streams, replay, processes -----------------------------------------------------------------------------


@plant("RNL", "DLR-RM/stable-baselines3#1643", "generators_survive_reload", "_generator")
def load_seeds_again(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """Every stream restarts from the seed that the receiver was built with."""
    seed = run.agent.exploration_generator.initial_seed()
    run = correct(run, path)
    run.agent.exploration_generator.manual_seed(seed)
    return run


@plant("BUF", "pytorch/rl#3120", "every_leaf_survives_reload", "run.replay_buffer")
def replay_lost(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """The replay buffer starts empty."""
    empty = copy.deepcopy(run.replay_buffer.state_dict())
    run = correct(run, path)
    run.replay_buffer.load_state_dict(empty)
    return run


def _advance_with_global_noise(run: TrainingRun, steps: int, correct: Any) -> None:
    correct(run, steps + random.randrange(2))


@plant(
    "RNG",
    "huggingface/transformers#11582",
    "resume_equals_uninterrupted",
    "",
    advance=_advance_with_global_noise,
)
def global_stream_not_saved(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """Training draws from Python's global generator, whose state is in no checkpoint."""
    restored: TrainingRun = correct(run, path)
    return restored


def _save_the_first_life(run: TrainingRun, path: Path, correct: Any) -> None:
    lives = _BESIDE.get(run, 0)
    if lives > 1:
        run.agent.total_it += 1
    correct(run, path)
    path.with_suffix(".lives").write_text(str(lives))


@plant(
    "HYP",
    "DLR-RM/stable-baselines3#1373",
    "repeated_reloads_change_nothing",
    "agent.total_it",
    save=_save_the_first_life,
)
def value_drifts_over_cycles(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """What has been saved and loaded more than once is not saved as it is."""
    run = correct(run, path)
    _BESIDE[run] = int(path.with_suffix(".lives").read_text()) + 1
    return run


def _in_the_order_of_a_set(run: TrainingRun) -> list[torch.Tensor]:
    """The critic's parameters, by a set of their names: another order in every process."""
    parameters = dict(run.agent.critic.named_parameters())
    return [parameters[name] for name in set(parameters)]


def _save_in_the_order_of_a_set(run: TrainingRun, path: Path, correct: Any) -> None:
    correct(run, path)
    state = run.agent.critic_optimizer.state
    torch.save(
        [dict(state.get(key, {})) for key in _in_the_order_of_a_set(run)], path.with_suffix(".moments")
    )


@plant(
    "ORD",
    "Toni-SM/skrl#431",
    "a_new_process_resumes_the_same",
    "agent.critic_optimizer.state",
    save=_save_in_the_order_of_a_set,
)
def moments_in_the_order_of_a_set(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """The twin critics' equal shapes hide that each gets moments of the other."""
    run = correct(run, path)
    entries = torch.load(path.with_suffix(".moments"), weights_only=True)
    for parameter, saved in zip(_in_the_order_of_a_set(run), entries, strict=True):
        for key, value in run.agent.critic_optimizer.state.get(parameter, {}).items():
            if isinstance(value, torch.Tensor) and key in saved and saved[key].shape == value.shape:
                value.copy_(saved[key])
    return run


# -- controls: what no check could judge without ------------------------------------------------------------


@plant("control", "", "saving_writes_a_checkpoint", on="save")
def save_writes_nothing(run: TrainingRun, path: Path, correct: Any) -> None:
    """Saving is forgotten."""


@plant("control", "", "training_changes_the_agent", on="learn")
def training_is_ignored(run: TrainingRun, batch: Any, correct: Any) -> None:
    """A step only counts."""
    run.agent.total_it += 1


@plant("control", "thinking-machines-lab/tinker-feedback#127", "loading_restores_something", "agent.")
def load_does_nothing(run: TrainingRun, path: Path, correct: Any) -> TrainingRun:
    """The receiver is returned as it is."""
    return run


@plant("control", "", "runs_are_repeatable", on="learn")
def training_is_not_repeatable(run: TrainingRun, batch: Any, correct: Any) -> None:
    """Training depends on something that no seed decides: the verdict is inconclusive, never failed."""
    correct(run, batch)
    with torch.no_grad():
        next(run.agent.actor.parameters()).add_(float(np.random.default_rng().random()))

# SPDX-License-Identifier: MIT
"""Saves and loads of ``td3_core`` that do more than they should, once or again with every cycle."""

from __future__ import annotations

import copy
import random
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import torch

from verification.mutants.killers import (
    ACTIONS,
    COUNTERS,
    GENERATORS,
    HYPER_PARAMETERS,
    LEAVES,
    MOMENTS,
    ONLINE_NETWORKS,
    REPEATED,
    RESUME,
    SAVING,
    SCHEDULES,
    STEPS,
)
from verification.mutants.td3_parts import OPTIMIZERS, SCHEDULERS, losing, pieces, plant, then

if TYPE_CHECKING:
    from pathlib import Path

    from td3_core.training.run import TrainingRun
    from verification.mutants.model import Operation


# State that no walk over the agent finds: what a process keeps beside it.
_beside: weakref.WeakKeyDictionary[TrainingRun, Any] = weakref.WeakKeyDictionary()

# -- saving changes the agent, or not only the agent --------------------------------------------------------


@plant("PUR", "pytorch/pytorch#125708", SAVING, "target_noise_generator", on="save")
def save_advances_a_generator(run: TrainingRun, path: Path, correct: Operation) -> None:
    """Saving draws from the agent's own noise, and saves the position before the draw."""
    correct(run, path)
    torch.rand(1, generator=run.agent.target_noise_generator)


@plant("PUR", "harubaru/waifu-diffusion#31", SAVING, "agent.actor", on="save")
def averages_left_in_the_network(run: TrainingRun, path: Path, correct: Operation) -> None:
    """The slow copy is put into the network for the file, and stays there."""
    correct(run, path)
    run.agent.actor.load_state_dict(run.agent.actor_target.state_dict())


@plant(
    "PUR",
    "atomistic-machine-learning/schnetpack#785",
    ONLINE_NETWORKS,
    "agent.actor",
    on="save",
)
def file_written_while_averages_are_in(run: TrainingRun, path: Path, correct: Operation) -> None:
    """The slow copy is put into the network for the file, and out again; the file never held the network."""
    own = copy.deepcopy(run.agent.actor.state_dict())
    run.agent.actor.load_state_dict(run.agent.actor_target.state_dict())
    correct(run, path)
    run.agent.actor.load_state_dict(own)


def _dummy_step(optimizer: torch.optim.Optimizer, gradient: float = 0.0) -> None:
    """A step without any meaning, to see what state the optimizer would have."""
    for parameter in optimizer.param_groups[0]["params"]:
        parameter.grad = torch.full_like(parameter, gradient)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


@plant("OPT", "pytorch/pytorch#125708", SAVING, "agent.", on="save")
def saving_steps_an_empty_optimizer(run: TrainingRun, path: Path, correct: Operation) -> None:
    """State that is not there yet is made by a step on zero gradients, which decays the weights."""
    correct(run, path)
    for _, optimizer in pieces(run, OPTIMIZERS):
        if not optimizer.state:
            _dummy_step(optimizer)


@plant(
    "OPT",
    "pytorch/pytorch#133415",
    SAVING,
    "agent.",
    on="save",
)
def saving_steps_sgd(run: TrainingRun, path: Path, correct: Operation) -> None:
    """The same with SGD, which gets no state without momentum: it is stepped at every save."""
    correct(run, path)
    for _, optimizer in pieces(run, OPTIMIZERS):
        if isinstance(optimizer, torch.optim.SGD):
            _dummy_step(optimizer, gradient=1.0)


@plant("PUR", "huggingface/accelerate#4289", (ONLINE_NETWORKS, MOMENTS), "agent.")
@then
def loading_steps_the_optimizers(run: TrainingRun) -> None:
    """A step on zero gradients, meant to make room for the state, comes behind the load."""
    for _, optimizer in pieces(run, OPTIMIZERS):
        _dummy_step(optimizer)


@plant("MUT", "pytorch/pytorch#195990", "loading_leaves_the_checkpoint_unchanged")
def load_rewrites_the_file(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Loading marks the file as loaded."""
    run = correct(run, path)
    path.write_bytes(path.read_bytes() + b"loaded")
    return run


# -- off by one ---------------------------------------------------------------------------------------------


@plant("OBO", "catalyst-team/catalyst#764", COUNTERS, "agent.total_it")
@then
def last_step_is_counted_again(run: TrainingRun) -> None:
    """Training resumes at the step that was saved, not behind it."""
    run.agent.total_it = max(run.agent.total_it - 1, 0)


@plant("OBO", "ByteDance-Seed/VeOmni#798", COUNTERS, "agent.total_it")
@then
def phantom_step_is_counted(run: TrainingRun) -> None:
    """The counter goes up before it is known that there is a step."""
    run.agent.total_it += 1


@plant("CNT", "pfnet/pfrl#184", COUNTERS, "agent.total_it")
@then
def counter_restarts_in_phase(run: TrainingRun) -> None:
    """A shift by whole policy delays: every update stays the same, and everything that is logged is wrong."""
    run.agent.total_it %= run.agent.policy_freq


@plant("OBO", "NguyenJus/custom-sam-peft#308", LEAVES, "run.steps")
@then
def environment_steps_rewound(run: TrainingRun) -> None:
    """Steps are rewound and updates are not: they drift apart with every resume."""
    run.steps = max(run.steps - 1, 0)


@plant("SCH", "THUDM/slime#1547", SCHEDULES, "_scheduler.")
@then
def schedules_stepped_at_load(run: TrainingRun) -> None:
    """The loader has advanced them already."""
    with warnings.catch_warnings(action="ignore"):  # torch asks for a step of the optimizer first
        for _, scheduler in pieces(run, SCHEDULERS):
            scheduler.step()


@plant(
    "SCH",
    "ultralytics/yolov5#292",
    RESUME,
    "_optimizer.param_groups",
)
@then
def schedules_built_behind_the_load(run: TrainingRun) -> None:
    """Building a schedule writes the rate that it starts with into an optimizer that is far beyond."""
    for _, scheduler in pieces(run, SCHEDULERS):
        for group in scheduler.optimizer.param_groups:
            group["lr"] = group["initial_lr"]


@plant("HYP", "DLR-RM/stable-baselines3#1373", HYPER_PARAMETERS, "policy_freq")
@then
def policy_freq_divided_at_load(run: TrainingRun) -> None:
    """Set-up code that loading runs again divides the delay: 4, 2, 1 over the cycles."""
    run.agent.policy_freq = max(run.agent.policy_freq // 2, 1)


# -- only with several cycles -------------------------------------------------------------------------------


def _note_lives(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    run = correct(run, path)
    _beside[run] = int(path.with_suffix(".lives").read_text()) + 1
    return run


@plant(
    "HYP",
    "Stable-Baselines-Team/stable-baselines3-contrib#258",
    REPEATED,
    "agent.total_it",
    on="save",
    load=_note_lives,
)
def value_drifts_over_cycles(run: TrainingRun, path: Path, correct: Operation) -> None:
    """What has been saved and loaded more than once is not saved as it is."""
    lives = _beside.get(run, 0)
    if lives > 1:
        run.agent.total_it += 1
    correct(run, path)
    path.with_suffix(".lives").write_text(str(lives))


def _load_the_copy(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    own = copy.deepcopy(run.agent.critic_optimizer.state_dict())
    run = correct(run, path)
    _beside[run] = "restored"
    if path.with_suffix(".restored").exists():
        run.agent.critic_optimizer.load_state_dict(own)
    return run


@plant(
    "RPT", "MushroomRL/mushroom-rl#130", REPEATED, "agent.critic_optimizer", on="save", load=_load_the_copy
)
def restored_agents_save_in_another_form(run: TrainingRun, path: Path, correct: Operation) -> None:
    """A restored agent holds its optimizer's state in another place, in which the next save does not look."""
    correct(run, path)
    if _beside.get(run) == "restored":
        path.with_suffix(".restored").touch()


# -- streams ------------------------------------------------------------------------------------------------


@plant("RNL", "DLR-RM/stable-baselines3#1643", GENERATORS, "_generator")
def load_seeds_again(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """A stream restarts from the seed that the receiver was built with."""
    seed = run.agent.exploration_generator.initial_seed()
    run = correct(run, path)
    run.agent.exploration_generator.manual_seed(seed)
    return run


@plant("RNG", "cselab/korali#341", GENERATORS, "_generator")
@then
def only_the_seed_is_saved(run: TrainingRun) -> None:
    """A stream restarts from the seed of the agent that was saved."""
    run.agent.exploration_generator.manual_seed(run.agent.exploration_generator.initial_seed())


@plant("RNF", "huggingface/accelerate#4217", GENERATORS, "agent.exploration_generator")
def only_the_first_stream_is_restored(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Saving asks ``if`` for each stream, loading ``elif``."""
    restored: TrainingRun = losing("exploration_generator", "replay_generator")(run, path, correct)
    return restored


@plant("RNF", "redai-studio/Relax#317", (STEPS, GENERATORS), "agent.target_noise_generator")
def refused_streams_are_passed_over(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """A state that does not fit is refused by torch, and the exception is swallowed with the rest."""
    streams = ("target_noise_generator", "exploration_generator", "replay_generator")
    own = {name: getattr(run.agent, name).get_state() for name in streams}
    run = correct(run, path)
    saved = {name: getattr(run.agent, name).get_state()[:-1] for name in streams}
    for name in streams:
        getattr(run.agent, name).set_state(own[name])
    try:
        for name in streams:
            getattr(run.agent, name).set_state(saved[name])
    except RuntimeError:
        pass
    return run


@plant("RNG", "huggingface/transformers#11582", RESUME, on="advance")
def global_stream_not_saved(run: TrainingRun, steps: int, correct: Operation) -> None:
    """Training draws from Python's global generator, whose state is in no checkpoint."""
    correct(run, steps + random.randrange(2))


# -- what the receiver brings along, and what comes later ---------------------------------------------------


@plant("BNS", "pytorch/pytorch#110850", "loading_leaves_no_residue", "_optimizer.state")
def residue_of_the_receiver_kept(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Optimizer state is restored only where there is some: before the first step, the receiver's stays."""
    kept = {
        name: copy.deepcopy(optimizer.state_dict()["state"]) for name, optimizer in pieces(run, OPTIMIZERS)
    }
    run = correct(run, path)
    for name, optimizer in pieces(run, OPTIMIZERS):
        if kept[name] and not optimizer.state:
            optimizer.load_state_dict({**optimizer.state_dict(), "state": kept[name]})
    return run


@plant("BUF", "pytorch/rl#2264", "resuming_leaves_no_residue", "run.replay_buffer")
def empty_replay_is_not_restored(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """A buffer that was saved before its first transition leaves the receiver's as it is."""
    own = copy.deepcopy(run.replay_buffer.state_dict())
    run = correct(run, path)
    if not len(run.replay_buffer):
        run.replay_buffer.load_state_dict(own)
    return run


def _then_apply(run: TrainingRun, argument: Any, correct: Operation) -> Any:
    if run in _beside:
        _beside.pop(run)(run)
    return correct(run, argument)


@plant(
    "DEF",
    "tensorflow/tensorflow#27937",
    "loading_restores_something",
    "agent.",
    learn=_then_apply,
    act=_then_apply,
    advance=_then_apply,
)
def state_applied_at_the_next_use(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Loading only remembers the file; what is never used is never restored."""
    _beside[run] = lambda later: correct(later, path)
    return run


def _act_at_half_scale(run: TrainingRun, observation: Any, correct: Operation) -> Any:
    action = correct(run, observation)
    return action / 2 if run in _beside else action


@plant("NPB", "ligerlac/torchlogix#23", ACTIONS, "action", act=_act_at_half_scale)
def action_scale_of_another_process(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """What actions pass through last is kept beside the agent, and a loaded one finds another value there."""
    run = correct(run, path)
    _beside[run] = "loaded"
    return run

# SPDX-License-Identifier: MIT
"""Optimizers and schedules of ``td3_core`` that never reach the file, or never leave it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from verification.mutants.killers import (
    HYPER_PARAMETERS,
    LEAVES,
    MOMENTS,
    RESUME,
    SCHEDULES,
)
from verification.mutants.td3_parts import (
    OPTIMIZERS,
    SCHEDULERS,
    entries,
    groups,
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


lose("actor_optimizer_lost", "OPT", "hill-a/stable-baselines#301", MOMENTS, "actor_opt", "actor_optimizer")
lose("optimizers_lost", "OPT", "NM512/dreamerv3-torch#38", MOMENTS, "_optimizer.state", *OPTIMIZERS)
lose(
    "actor_cnn_optimizer_lost",
    "OPT",
    "NM512/dreamerv3-torch#38",
    MOMENTS,
    "agent.actor_cnn_optimizer.state",
    "actor_cnn_optimizer",
)
lose(
    "critic_cnn_optimizer_lost",
    "OPT",
    "NM512/dreamerv3-torch#38",
    MOMENTS,
    "agent.critic_cnn_optimizer.state",
    "critic_cnn_optimizer",
)
lose(
    "only_weights_restored",
    "OPT",
    "thinking-machines-lab/tinker-feedback#127",
    (MOMENTS, LEAVES, RESUME),
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


@plant("OPT", "keras-team/tf-keras#70", (MOMENTS, "loading_shares_no_memory"), "['step']")
@then
def numbers_do_not_fit_the_format(run: TrainingRun) -> None:
    """The format keeps arrays, and drops the step count, which is none."""
    for entry in entries(run):
        entry.pop("step", None)


@plant("OPT", "keras-team/keras#13027", (MOMENTS, RESUME), "['step']")
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


# -- options and schedules -----------------------------------------------------------------------------------

lose("schedules_lost", "SCH", "lightly-ai/lightly-train#301", SCHEDULES, "_scheduler.", *SCHEDULERS)


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


@plant("SCH", "lightly-ai/lightly-train#301", RESUME, "_scheduler.last_epoch")
@then
def warm_up_repeats(run: TrainingRun) -> None:
    """The schedule's position restarts."""
    for _, scheduler in pieces(run, SCHEDULERS):
        scheduler.last_epoch = 0


@plant("SCH", "pytorch/pytorch#29697", RESUME, "['lr']")
@then
def drop_of_the_rate_lost(run: TrainingRun) -> None:
    """The schedule is restored, the rate that it had set is not."""
    for _, scheduler in pieces(run, SCHEDULERS):
        for group, rate in zip(scheduler.optimizer.param_groups, scheduler.base_lrs, strict=True):
            group["lr"] = rate

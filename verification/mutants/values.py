# SPDX-License-Identifier: MIT
"""State of ``td3_core`` that comes back as something else: another precision, type, order or mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from verification.mutants.killers import (
    HYPER_PARAMETERS,
    LEAVES,
    MODES,
    MOMENTS,
    ONLINE_NETWORKS,
    REPEATED,
    SCHEDULES,
    TARGET_NETWORKS,
)
from verification.mutants.td3_parts import (
    NETWORKS,
    OPTIMIZERS,
    SCHEDULERS,
    TARGETS,
    entries,
    groups,
    pieces,
    plant,
    then,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from td3_core.training.run import TrainingRun
    from verification.mutants.model import Operation


# -- precision and layout -----------------------------------------------------------------------------------


@plant("DTY", "pytorch/pytorch#43706", MOMENTS, "_optimizer.state")
@then
def moments_through_bfloat16(run: TrainingRun) -> None:
    """Moments are stored in another precision."""
    for entry in entries(run):
        for key, value in entry.items():
            if key != "step" and isinstance(value, torch.Tensor):
                value.copy_(value.bfloat16().float())


@plant("DTY", "ultralytics/yolov5#1840", ONLINE_NETWORKS, "agent.")
@then
def weights_through_float16(run: TrainingRun) -> None:
    """The file holds half precision."""
    with torch.no_grad():
        for _, network in pieces(run, NETWORKS):
            for parameter in network.parameters():
                parameter.copy_(parameter.half().float())


@plant("DTY", "pytorch/pytorch#173901", MOMENTS, "['step']")
@then
def step_counts_become_doubles(run: TrainingRun) -> None:
    """A counter of the same value, in another precision."""
    for entry in entries(run):
        if "step" in entry:
            entry["step"] = entry["step"].double()


@plant("VER", "pytorch/pytorch#75224", (MOMENTS, "loading_shares_no_memory"), "['step']")
@then
def step_counts_become_integers(run: TrainingRun) -> None:
    """As in files of older versions of torch."""
    for entry in entries(run):
        if "step" in entry:
            entry["step"] = int(entry["step"])


@plant("FMT", "NVIDIA/physicsnemo#1597", MOMENTS, "_cnn_optimizer.state")
@then
def kernels_moments_in_another_order(run: TrainingRun) -> None:
    """Moments of convolutions are written channels last, and read channels first."""
    for entry in entries(run, ("actor_cnn_optimizer", "critic_cnn_optimizer")):
        for value in entry.values():
            if isinstance(value, torch.Tensor) and value.dim() == 4:
                value.copy_(value.permute(0, 2, 3, 1).reshape(value.shape).clone())


@plant("FMT", "NVIDIA/physicsnemo#1614", ONLINE_NETWORKS, "agent.critic_cnn.")
@then
def kernels_in_another_order(run: TrainingRun) -> None:
    """The same with the kernels themselves."""
    for _, network in pieces(run, ("critic_cnn",)):
        for parameter in network.parameters():
            if parameter.dim() == 4:
                with torch.no_grad():
                    parameter.copy_(parameter.permute(0, 2, 3, 1).reshape(parameter.shape).clone())


# -- normalisation statistics -------------------------------------------------------------------------------


def _normalizations(run: TrainingRun, names: tuple[str, ...]) -> Iterator[nn.BatchNorm2d]:
    for _, network in pieces(run, names):
        yield from (module for module in network.modules() if isinstance(module, nn.BatchNorm2d))


@plant("BNS", "torch/nn#1165", ONLINE_NETWORKS, "running_")
@then
def running_statistics_lost(run: TrainingRun) -> None:
    """Only parameters were saved."""
    for module in _normalizations(run, NETWORKS):
        module.reset_running_stats()


@plant("BNS", "pytorch/pytorch#110850", ONLINE_NETWORKS, "num_batches_tracked")
def count_of_batches_kept(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """A file without the count leaves the receiver's."""
    own = [module.num_batches_tracked.clone() for module in _normalizations(run, NETWORKS)]  # type: ignore[union-attr]
    run = correct(run, path)
    for module, count in zip(_normalizations(run, NETWORKS), own, strict=True):
        module.num_batches_tracked.copy_(count)  # type: ignore[union-attr]
    return run


@plant("BNS", "facebookresearch/habitat-lab#570", ONLINE_NETWORKS, "num_batches_tracked")
@then
def count_of_batches_is_zero(run: TrainingRun) -> None:
    """Mean and variance came back, how many batches they stand for did not."""
    for module in _normalizations(run, NETWORKS):
        module.num_batches_tracked.zero_()  # type: ignore[union-attr]


@plant("TGT", "Stable-Baselines-Team/stable-baselines3-contrib#99", TARGET_NETWORKS, "running_")
@then
def statistics_of_targets_lost(run: TrainingRun) -> None:
    """Targets are filled from the parameters alone."""
    for module in _normalizations(run, TARGETS):
        module.reset_running_stats()


# -- modes and flags ----------------------------------------------------------------------------------------


@plant("MOD", "XuehaiPan/Soft-Actor-Critic#1", MODES, ".training")
@then
def networks_put_into_train_mode(run: TrainingRun) -> None:
    """Loading ends as if only training were to follow, also of the targets."""
    for _, network in pieces(run, NETWORKS + TARGETS):
        network.train()


@plant(
    "FRZ",
    "Lightning-AI/pytorch-lightning#21901",
    (ONLINE_NETWORKS, "loading_shares_no_memory"),
    "agent.actor",
)
@then
def network_comes_back_frozen(run: TrainingRun) -> None:
    """The optimizer reports a learning rate, and the actor never moves."""
    run.agent.actor.requires_grad_(False)


# -- types and shapes of containers -------------------------------------------------------------------------


@plant("ENC", "google-deepmind/ferminet#105", REPEATED, "")
@then
def tuples_come_back_as_lists(run: TrainingRun) -> None:
    """Through JSON, in which there are no tuples."""
    for group in groups(run):
        group.update({key: list(value) for key, value in group.items() if isinstance(value, tuple)})


@plant("ENC", "google/flax#1550", SCHEDULES, "milestones")
@then
def integer_keys_come_back_as_text(run: TrainingRun) -> None:
    """Through JSON, in which keys are strings: no milestone is ever reached."""
    for _, scheduler in pieces(run, SCHEDULERS):
        milestones = getattr(scheduler, "milestones", None)
        if isinstance(milestones, dict):
            scheduler.milestones = type(milestones)({str(step): n for step, n in milestones.items()})


@plant("LAZ", "pytorch/pytorch#1488", (MOMENTS, "loading_shares_no_memory"), "_optimizer.state")
@then
def state_is_a_plain_dict(run: TrainingRun) -> None:
    """A parameter that gets its first gradient later raises KeyError."""
    for _, optimizer in pieces(run, OPTIMIZERS):
        optimizer.state = dict(optimizer.state)


@plant("LAZ", "pytorch/pytorch#2647", (MOMENTS, "loading_shares_no_memory"), "_optimizer.state")
@then
def empty_state_comes_back_half_made(run: TrainingRun) -> None:
    """Saved before the first step: entries come back with a step count and no moments."""
    for _, optimizer in pieces(run, OPTIMIZERS):
        if not optimizer.state:
            for parameter in optimizer.param_groups[0]["params"]:
                optimizer.state[parameter] = {"step": torch.tensor(0.0)}


@plant("VER", "pytorch/pytorch#68733", (HYPER_PARAMETERS, "loading_shares_no_memory"), "['maximize']")
@then
def flag_of_a_newer_version_missing(run: TrainingRun) -> None:
    """Options come from a file that was written before there was such a flag."""
    for group in groups(run):
        group.pop("maximize", None)


@plant("VER", "thu-ml/tianshou#458", TARGET_NETWORKS, "agent.critic_cnn_target.")
def renamed_key_is_skipped(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """The file has a key by its old name; what is not found by the new one stays as it is."""
    network = run.agent.critic_cnn_target
    own = None if network is None else {key: value.clone() for key, value in network.state_dict().items()}
    run = correct(run, path)
    if network is not None and own is not None:
        network.load_state_dict(own)
    return run


@plant("BUF", "DLR-RM/stable-baselines3#484", LEAVES, "run.replay_buffer")
@then
def replay_comes_back_in_double_precision(run: TrainingRun) -> None:
    """Arrays are made with numpy's default type."""
    arrays: dict[str, Any] = vars(run.replay_buffer)["_arrays"]
    for name in ("action", "reward"):
        arrays[name] = arrays[name].astype(np.float64)

# SPDX-License-Identifier: MIT
"""Objects of ``td3_core`` that no longer belong together, or belong together that should not."""

from __future__ import annotations

import copy
import weakref
from typing import TYPE_CHECKING, Any

import torch

from verification.mutants.killers import BINDING, MOMENTS
from verification.mutants.td3_parts import (
    NETWORKS,
    OPTIMIZERS,
    pieces,
    plant,
    then,
    twins,
)

if TYPE_CHECKING:
    from pathlib import Path

    from td3_core.training.run import TrainingRun
    from verification.mutants.model import Operation


# -- what trains is not what acts ---------------------------------------------------------------------------


@plant("BND", "OFDataCommittee/drlfoam#2", BINDING, "agent.critic_optimizer.param_groups")
@then
def optimizer_bound_to_stale_parameters(run: TrainingRun) -> None:
    """The critic is replaced by an equal one; its optimizer goes on with the old one's parameters."""
    run.agent.critic = copy.deepcopy(run.agent.critic)


@plant("BND", "astooke/rlpyt#103", BINDING, "_optimizer.param_groups")
@then
def networks_rebuilt_without_their_optimizers(run: TrainingRun) -> None:
    """All networks are new objects with the right weights; nothing trains them."""
    for name, network in pieces(run, NETWORKS):
        setattr(run.agent, name, copy.deepcopy(network))


@plant("BND", "pfnet/pytorch-pfn-extras#187", BINDING, "agent.actor_optimizer.param_groups")
@then
def parameters_assigned(run: TrainingRun) -> None:
    """``load_state_dict(assign=True)`` puts new parameters into the actor."""
    run.agent.actor.load_state_dict(copy.deepcopy(run.agent.actor.state_dict()), assign=True)


@plant("BND", "ildoonet/pytorch-gradual-warmup-lr#27", BINDING, "agent.actor_scheduler.optimizer")
@then
def scheduler_drives_a_dead_optimizer(run: TrainingRun) -> None:
    """The schedule was copied together with its optimizer, and turns the rate of the copy."""
    if run.agent.actor_scheduler is not None:
        live = run.agent.actor_optimizer
        run.agent.actor_scheduler = copy.deepcopy(run.agent.actor_scheduler, {id(live.state): {}})


@plant("BND", "Lightning-AI/pytorch-lightning#18279", BINDING, "_scheduler.optimizer")
@then
def optimizers_replaced_under_their_schedules(run: TrainingRun) -> None:
    """The agent's optimizers are wrapped anew; the schedules know the old wrappers."""
    for name, optimizer in pieces(run, OPTIMIZERS):
        wrapped = copy.copy(optimizer)
        wrapped.param_groups = [dict(group) for group in optimizer.param_groups]
        setattr(run.agent, name, wrapped)


@plant("FRZ", "mosaicml/composer#1002", BINDING, "param_groups")
@then
def parameter_removed_from_its_group(run: TrainingRun) -> None:
    """Freezing edited the group, and the edit was made again at load, for another parameter."""
    run.agent.actor_optimizer.param_groups[0]["params"] = run.agent.actor_optimizer.param_groups[0]["params"][
        :-1
    ]


@plant("TIE", "safetensors/safetensors#236", BINDING, "agent.critic")
@then
def equal_tensors_are_tied(run: TrainingRun) -> None:
    """The format stores equal tensors once: targets become the online parameters themselves."""
    online = dict(run.agent.critic.named_parameters())
    for name, parameter in run.agent.critic_target.named_parameters():
        if torch.equal(parameter, online[name]):
            parameter.data = online[name].data


# -- each gets what belongs to another ----------------------------------------------------------------------


@plant("ORD", "pytorch/pytorch#1489", MOMENTS, "agent.critic_optimizer.state")
@then
def moments_of_the_twins_swapped(run: TrainingRun) -> None:
    """The critic's halves have equal shapes, and the load lists them the other way round."""
    state = run.agent.critic_optimizer.state
    for one, other in twins(run):
        if one in state and other in state:
            state[one], state[other] = state[other], state[one]


@plant("ORD", "pytorch/xla#9224", MOMENTS, "agent.critic_optimizer.state")
@then
def every_index_is_the_first(run: TrainingRun) -> None:
    """Both halves of the critic get the moments of the first."""
    state = run.agent.critic_optimizer.state
    for one, other in twins(run):
        if one in state and other in state:
            state[other] = copy.deepcopy(state[one])


def _in_the_order_of_a_set(run: TrainingRun) -> list[dict[str, Any]]:
    """The moments of each network's parameters, by a set of their names: another order in every process."""
    moments = []
    for name, network in pieces(run, NETWORKS):
        parameters, state = dict(network.named_parameters()), getattr(run.agent, f"{name}_optimizer").state
        moments += [state.get(parameters[name], {}) for name in set(parameters)]
    return moments


def _save_in_the_order_of_a_set(run: TrainingRun, path: Path, correct: Operation) -> None:
    correct(run, path)
    torch.save([dict(entry) for entry in _in_the_order_of_a_set(run)], path.with_suffix(".moments"))


@plant(
    "ORD",
    "Toni-SM/skrl#431",
    "a_new_process_resumes_the_same",
    "_optimizer",
    save=_save_in_the_order_of_a_set,
)
def moments_in_the_order_of_a_set(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Equal shapes hide that a parameter gets the moments of another one."""
    run = correct(run, path)
    saved = torch.load(path.with_suffix(".moments"), weights_only=True)
    for moments, entry in zip(_in_the_order_of_a_set(run), saved, strict=True):
        for key, value in moments.items():
            if isinstance(value, torch.Tensor) and key in entry and entry[key].shape == value.shape:
                value.copy_(entry[key])
    return run


# -- shared with the checkpoint, or with another agent ------------------------------------------------------

_live: dict[str, Any] = {}


def _load_live(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    run = correct(run, path)
    run.agent.actor.load_state_dict(_live.get(str(path), run.agent.actor.state_dict()))
    return run


@plant("ALS", "WenjieDu/PyPOTS#667", "a_checkpoint_is_a_snapshot", "agent.actor[", on="save", load=_load_live)
def checkpoint_refers_to_live_tensors(run: TrainingRun, path: Path, correct: Operation) -> None:
    """The best weights are kept as references to the live ones."""
    correct(run, path)
    _live[str(path)] = run.agent.actor.state_dict()


_pending: weakref.WeakKeyDictionary[TrainingRun, list[Path]] = weakref.WeakKeyDictionary()


def _learn_and_write(run: TrainingRun, batch: Any, correct: Operation) -> None:
    correct(run, batch)
    for path in _pending.pop(run, []):
        run.save(path)


@plant(
    "ALS", "pytorch/torchtitan#930", "a_checkpoint_is_a_snapshot", "agent.", on="save", learn=_learn_and_write
)
def file_written_a_step_later(run: TrainingRun, path: Path, correct: Operation) -> None:
    """The save returns before the state has been copied, and the file is written during the next step."""
    correct(run, path)
    _pending.setdefault(run, []).append(path)


_caches: dict[str, Any] = {}


@plant("ALL", "pytorch/pytorch#196083", ("loading_shares_no_memory", "loading_leaves_no_residue"), "agent.")
def agents_adopt_the_same_tensors(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """A file is read once; ``Optimizer.load_state_dict`` adopts the tensors of whatever dict it is given."""
    run = correct(run, path)
    for name, optimizer in pieces(run, OPTIMIZERS):
        optimizer.load_state_dict(_caches.setdefault(f"{path}{name}", copy.deepcopy(optimizer.state_dict())))
    return run


@plant("ALL", "pytorch/rl#3966", ("loading_shares_no_memory", "loading_leaves_no_residue"), "agent.")
def weights_are_the_caches_tensors(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """Parameters point into the contents of a file that is read once for all agents."""
    run = correct(run, path)
    for name, network in pieces(run, NETWORKS):
        for key, parameter in network.named_parameters():
            parameter.data = _caches.setdefault(f"{path}{name}{key}", parameter.data)
    return run


@plant(
    "BND",
    "Trusted-AI/adversarial-robustness-toolbox#1580",
    ("loading_shares_no_memory", "loading_leaves_no_residue"),
    "agent.",
)
def clones_share_an_optimizer(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """The second agent from one file gets the optimizer state of the first, not a copy of it."""
    run = correct(run, path)
    state = run.agent.critic_optimizer.state
    kept = _caches.setdefault(f"{path}state", list(state.values()))
    for parameter, entry in zip(list(state), kept, strict=True):
        state[parameter] = entry
    return run


@plant("MUT", "AUTOMATIC1111/stable-diffusion-webui#13535", "a_checkpoint_is_a_snapshot", "agent.actor")
def loading_empties_a_cache(run: TrainingRun, path: Path, correct: Operation) -> TrainingRun:
    """The contents of a file are kept in memory, and taken out of there: the second load finds none."""
    own = copy.deepcopy(run.agent.actor.state_dict())
    run = correct(run, path)
    if str(path) in _caches:
        run.agent.actor.load_state_dict(own)
    _caches[str(path)] = "empty"
    return run

# SPDX-License-Identifier: MIT
"""Public checkpoint bugs in parametrised, shared, frozen, lazy and normalising modules and global streams."""

from __future__ import annotations

import copy
import random
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from verification.mutants.killers import (
    ACTIONS,
    BINDING,
    HYPER_PARAMETERS,
    MODES,
    MOMENTS,
    ONLINE_NETWORKS,
    RESUME,
    STEPS,
    TARGET_NETWORKS,
)
from verification.mutants.model import Operation
from verification.mutants.model import plant as plant_into
from verification.mutants.pieces import changing, converting, keeping, loosely

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from verification.mutants.model import Plant
    from verification.specimens.norms import Norms

plant: Plant = partial(plant_into, "norms")


def keeping_keys(networks: str, chosen: Callable[[str], bool]) -> Operation:
    """A load that leaves the entries of state dicts whose keys are chosen as in the receiver."""

    def change(contents: dict[str, Any], own: dict[str, Any]) -> None:
        for network in networks.split():
            for key in filter(chosen, own[network]):
                contents[network][key] = own[network][key]

    return changing(change)


def _is_power_iteration(key: str) -> bool:
    return key.endswith(("._u", "._v"))


# -- parametrised weights -----------------------------------------------------------------------------------

plant("SPN", "pytorch/pytorch#21251", ONLINE_NETWORKS, "._u", name="vectors_of_the_spectral_norm_lost")(
    keeping_keys("critic", _is_power_iteration)
)
plant("BNS", "pytorch/pytorch#84053", TARGET_NETWORKS, "._u", name="buffers_of_the_average_never_follow")(
    keeping_keys("critic_target", _is_power_iteration)
)
plant(
    "TGT",
    "Stable-Baselines-Team/stable-baselines3-contrib#99",
    TARGET_NETWORKS,
    "agent.critic_target.",
    name="target_gets_parameters_but_no_buffers",
)(keeping_keys("critic_target", lambda key: _is_power_iteration(key) or key.startswith("trunk.frozen")))


def _average_vectors(contents: dict[str, Any], _: dict[str, Any]) -> None:
    for key in filter(_is_power_iteration, contents["critic"]):
        contents["critic_target"][key] = (contents["critic"][key] + contents["critic_target"][key]) / 2


plant("EMA", "NCAR/miles-credit#409", TARGET_NETWORKS, "._u", name="vectors_of_the_spectral_norm_averaged")(
    changing(_average_vectors)
)


@plant("SPN", "pytorch/pytorch#22545", ONLINE_NETWORKS, "agent.critic.spectral", on="load")
def normalised_weight_becomes_the_original(agent: Norms, path: Path, correct: Any) -> Norms:
    """The file holds the weight that is multiplied with, and it is normalised once more."""
    agent = correct(agent, path)
    with torch.no_grad():
        layer: Any = agent.critic.spectral
        layer.parametrizations.weight.original.copy_(layer.weight.clone())
    return agent


# -- shared parameters --------------------------------------------------------------------------------------


@plant("TIE", "pytorch/pytorch#188346", BINDING, "agent.", on="load")
def assigning_unties_the_trunk(agent: Norms, path: Path, correct: Any) -> Norms:
    """``assign=True`` gives the critic a first layer of its own."""
    agent = correct(agent, path)
    agent.critic.load_state_dict(copy.deepcopy(agent.critic.state_dict()), assign=True)
    return agent


@plant("TIE", "huggingface/accelerate#1204", BINDING, "agent.critic.trunk", on="load")
def each_network_gets_a_trunk(agent: Norms, path: Path, correct: Any) -> Norms:
    """Modules are made anew one by one, and what was shared is made twice."""
    agent = correct(agent, path)
    agent.actor.trunk = copy.deepcopy(agent.critic.trunk)
    return agent


plant(
    "TIE",
    "safetensors/safetensors#236",
    ONLINE_NETWORKS,
    "agent.actor.trunk.first",
    name="other_name_of_a_shared_tensor_wins",
)(keeping_keys("critic", lambda key: key.startswith("trunk.first")))
plant(
    "TIE",
    "HorizonRobotics/alf#554",
    TARGET_NETWORKS,
    "agent.critic_target.trunk",
    name="names_of_shared_tensors_dropped_from_the_target",
)(keeping_keys("critic_target", lambda key: key.startswith("trunk.")))


# -- frozen, unused and lazy layers -------------------------------------------------------------------------


@plant("FRZ", "Lightning-AI/pytorch-lightning#21901", ONLINE_NETWORKS, "agent.actor.trunk.first", on="load")
def shared_layer_comes_back_frozen(agent: Norms, path: Path, correct: Any) -> Norms:
    """The whole trunk is frozen again, although only one layer of it was."""
    agent = correct(agent, path)
    agent.actor.trunk.requires_grad_(False)
    return agent


plant("FRZ", "mosaicml/composer#1002", ONLINE_NETWORKS, "trunk.frozen", name="only_what_is_trained_is_saved")(
    keeping_keys("actor critic", lambda key: key.startswith("trunk.frozen"))
)


def _without_gaps(optimizer: dict[str, Any]) -> dict[str, Any]:
    entries = list(optimizer["state"].values())
    return {**optimizer, "state": dict(enumerate(entries))}


plant(
    "ORD",
    "wochenlong/lora-scripts-next#320",
    MOMENTS,
    "agent.actor_optimizer.state",
    name="states_shifted_over_the_unused_head",
)(converting("actor_optimizer", _without_gaps))


@plant("BND", "pfnet/pytorch-pfn-extras#187", BINDING, "agent.actor_optimizer.param_groups", on="load")
def lazy_layer_made_again(agent: Norms, path: Path, correct: Any) -> Norms:
    """Loading materialises a new output layer, which the optimizer does not know."""
    agent = correct(agent, path)
    agent.actor.output = copy.deepcopy(agent.actor.output)
    return agent


# -- buffers, attributes, statistics, modes -----------------------------------------------------------------

plant("NPB", "ligerlac/torchlogix#23", (ACTIONS, STEPS), "trunk.wiring", name="wiring_drawn_again")(
    keeping("wiring")
)
plant(
    "NPB",
    "pytorch/torchtitan#316",
    (ONLINE_NETWORKS, TARGET_NETWORKS),
    "trunk.gain",
    name="buffer_in_no_state_dict_lost",
)(keeping("gain"))
plant(
    "BNS",
    "pytorch/pytorch#110850",
    ONLINE_NETWORKS,
    "agent.actor.norm.num_batches_tracked",
    name="count_of_the_cumulative_average_kept",
)(keeping_keys("actor", lambda key: key.endswith("num_batches_tracked")))
plant(
    "BNS", "torch/nn#1165", ONLINE_NETWORKS, "agent.actor.norm.running_mean", name="cumulative_average_lost"
)(keeping_keys("actor", lambda key: "running_" in key))


@plant("MOD", "XuehaiPan/Soft-Actor-Critic#1", MODES, ".training", on="load")
def dropout_stays_off(agent: Norms, path: Path, correct: Any) -> Norms:
    """Loading ends as if the actor were to act only."""
    agent = correct(agent, path)
    agent.actor.eval()
    return agent


@plant("HYP", "DLR-RM/stable-baselines3#1403", HYPER_PARAMETERS, "agent.actor.dropout.p", on="load")
def restored_config_does_not_reach_the_modules(agent: Norms, path: Path, correct: Any) -> Norms:
    """The rate of dropout is right in the config, and the constructor's where it is used."""
    rate = agent.actor.dropout.p
    agent = correct(agent, path)
    agent.actor.dropout.p = rate
    return agent


# -- prefixes -----------------------------------------------------------------------------------------------


def prefixed(network: str, prefix: str) -> Operation:
    """A load whose file has prefixed keys for a network, which ``strict=False`` forgives."""

    def change(contents: dict[str, Any], own: dict[str, Any]) -> None:
        saved = {f"{prefix}{key}": value for key, value in contents[network].items()}
        contents[network] = loosely(own[network], saved)

    return changing(change)


plant(
    "PRE",
    "hpcaitech/ColossalAI#768",
    TARGET_NETWORKS,
    "agent.critic_target",
    name="target_under_a_wrappers_prefix",
)(prefixed("critic_target", "module."))
plant(
    "PRE", "pytorch/torchtitan#2622", ONLINE_NETWORKS, "agent.", name="prefixes_stripped_in_one_order_only"
)(prefixed("actor", "module._orig_mod."))

plant("STR", "pytorch/pytorch#451", ONLINE_NETWORKS, "agent.critic.output", name="unknown_keys_ignored")(
    keeping_keys("critic", lambda key: key.startswith("output"))
)

# -- what is restored only later ----------------------------------------------------------------------------

_DEFERRED: weakref.WeakKeyDictionary[Norms, dict[str, Any]] = weakref.WeakKeyDictionary()


def _after_restoring(agent: Norms, argument: Any, correct: Any) -> None:
    if agent in _DEFERRED:
        agent.critic_optimizer.load_state_dict(_DEFERRED.pop(agent))
    correct(agent, argument)


@plant(
    "DEF",
    "tensorflow/tensorflow#27937",
    RESUME,
    "agent.critic_optimizer.state",
    learn=_after_restoring,
    advance=_after_restoring,
)
def moments_restored_at_the_first_step(agent: Norms, path: Path, correct: Any) -> Norms:
    """The optimizer's state waits until it is first asked for; who saves before that saves none."""
    own = copy.deepcopy(agent.critic_optimizer.state_dict())
    agent = correct(agent, path)
    _DEFERRED[agent] = copy.deepcopy(agent.critic_optimizer.state_dict())
    agent.critic_optimizer.load_state_dict({**_DEFERRED[agent], "state": own["state"]})
    return agent


# -- global streams -----------------------------------------------------------------------------------------

plant("RNG", "DLR-RM/stable-baselines3#1526", RESUME, "global generator", name="torchs_stream_lost")(
    keeping("generators.torch")
)
plant("RNG", "vllm-project/speculators#1027", RESUME, "global generator", name="numpys_stream_lost")(
    keeping("generators.numpy")
)
plant("RNG", "huggingface/transformers#11582", RESUME, "global generator", name="pythons_stream_lost")(
    keeping("generators.python")
)
plant(
    "RNF", "huggingface/accelerate#4217", RESUME, "global generator", name="streams_restored_by_an_elif_chain"
)(keeping("generators.numpy", "generators.python"))
plant("RNF", "redai-studio/Relax#317", RESUME, "global generator", name="refused_state_drops_every_stream")(
    keeping("generators")
)


def _seeded(state: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator()
    generator.set_state(state)
    return torch.Generator().manual_seed(generator.initial_seed()).get_state()


plant("RNG", "cselab/korali#341", RESUME, "global generator", name="only_the_seed_of_torchs_stream_saved")(
    converting("generators.torch", _seeded)
)


@plant("RNL", "DLR-RM/stable-baselines3#1643", RESUME, "global generator", on="load")
def global_streams_seeded_again(agent: Norms, path: Path, correct: Any) -> Norms:
    """Loading ends with the seeds that the constructor was given."""
    agent = correct(agent, path)
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    return agent


@plant("RNL", "Lightning-AI/pytorch-lightning#20204", RESUME, "global generator", on="load")
def network_built_behind_the_streams(agent: Norms, path: Path, correct: Any) -> Norms:
    """A network is initialised after the streams have been restored."""
    agent = correct(agent, path)
    torch.nn.Linear(2, 2)
    return agent


@plant("RNL", "huggingface/transformers#17055", RESUME, "global generator", on="load")
def data_order_drawn_behind_the_streams(agent: Norms, path: Path, correct: Any) -> Norms:
    """Making an iterator over the data draws from a stream that has been restored."""
    agent = correct(agent, path)
    np.random.permutation(4)
    return agent


@plant("RNL", "Lightning-AI/pytorch-lightning#20204", "saving_leaves_global_generators_unchanged", on="save")
def save_advances_a_global_generator(agent: Norms, path: Path, correct: Any) -> None:
    """Saving draws a random file name, or builds a network, from the global stream."""
    correct(agent, path)
    torch.rand(1)

# SPDX-License-Identifier: MIT
"""Whether a checkpoint is from such an agent: everything that does not fit, by name."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from td3_core.checkpoint.architecture import network_mismatches
from td3_core.checkpoint.contents import EXTRA_SECTIONS, GENERATORS, NETWORKS, TRAINED_NETWORKS, capture
from td3_core.checkpoint.optimizer_state import Staged, key_mismatches
from td3_core.config import HYPER_PARAMETERS, OptimizerConfig, TD3Config
from td3_core.errors import CheckpointError, ConfigError
from td3_core.quoting import LISTED, listed, quoted
from td3_core.rng import is_state
from td3_core.validation import is_count

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import torch

    from td3_core.agent import TD3

#: Fields of the config that must agree, because the agent was built by them.
_ARCHITECTURE = (
    "image_shape",
    "image_dtype",
    "vector_size",
    "action_size",
    "actor_cnn",
    "critic_cnn",
    "actor_hidden",
    "critic_hidden",
)


def refuse_mismatches(
    agent: TD3, contents: Mapping[str, Any], *, source: str | os.PathLike[str]
) -> tuple[TD3Config, dict[str, Staged]]:
    """The config in ``contents`` and the optimizers that it describes, if they are from such an agent.

    Raises:
        CheckpointError: they are not; the message lists every mismatch by name.
    """
    config, problems = config_of(contents)
    optimizers = {} if config is None else _staged(agent, config)
    problems += _mismatches(agent, config, optimizers, contents)
    if problems or config is None:
        raise CheckpointError(f"{source} does not fit the agent:\n  " + listed(problems, "\n  "))
    return config, optimizers


def config_of(contents: Mapping[str, Any]) -> tuple[TD3Config | None, list[str]]:
    """The config in a checkpoint, or ``None`` and what is wrong with it."""
    if "config" not in contents:
        return None, ["config: missing from the checkpoint"]
    try:
        return TD3Config.from_dict(contents["config"]), []
    except (ConfigError, TypeError) as error:
        return None, [f"config: {error}"]


def _staged(agent: TD3, config: TD3Config) -> dict[str, Staged]:
    """An optimizer and a schedule as ``config`` describes them, for every network that has them."""
    staged = {}
    for name in TRAINED_NETWORKS:
        network: torch.nn.Module | None = getattr(agent, name)
        part: OptimizerConfig | None = getattr(config, f"{name}_optimizer")
        if network is not None and part is not None:
            staged[name] = Staged(part, network)
    return staged


def _mismatches(
    agent: TD3, config: TD3Config | None, optimizers: Mapping[str, Staged], contents: Mapping[str, Any]
) -> list[str]:
    own = capture(agent)
    needed = {*own, "format_version"} - {"config"}  # whose absence has been told
    known = needed | {"config", *EXTRA_SECTIONS}
    problems = [f"{key}: missing from the checkpoint" for key in sorted(needed - set(contents))]
    unexpected = islice((quoted(key).strip("'") for key in contents if key not in known), LISTED)
    problems += [f"{key}: unexpected in the checkpoint" for key in unexpected]
    if config is not None:
        problems += _config_mismatches(agent.config, config, contents)
    if "total_it" in contents and not is_count(contents["total_it"]):
        problems.append(f"total_it: {quoted(contents['total_it'])} in the checkpoint, must be a count")
    if "torch_version" in contents and type(contents["torch_version"]) is not str:
        problems.append(f"torch_version: {quoted(contents['torch_version'])} in the checkpoint, must be text")
    for name in NETWORKS:
        key = f"{name}_state_dict"
        if key in contents:
            problems += _network_mismatches(key, contents[key], own[key])
    if config is not None:
        for name in TRAINED_NETWORKS:
            problems += _optimizer_mismatches(name, optimizers.get(name), contents)
    for name in GENERATORS:
        if f"{name}_state" in contents and not is_state(contents[f"{name}_state"]):
            problems.append(f"{name}_state: not the state of a torch generator")
    for key in ("training_modes", "requires_grad"):
        if key in contents:
            problems += _flag_mismatches(key, contents[key], own[key])
    return problems


def _config_mismatches(own: TD3Config, saved: TD3Config, contents: Mapping[str, Any]) -> list[str]:
    pairs = {name: (getattr(saved, name), getattr(own, name)) for name in _ARCHITECTURE}
    for name in TRAINED_NETWORKS:
        mine, other = getattr(own, f"{name}_optimizer"), getattr(saved, f"{name}_optimizer")
        pairs[f"{name}_optimizer"] = (_kind(other), _kind(mine))
    problems = [
        f"config.{name}: {quoted(other)} in the checkpoint, {quoted(mine)} in the agent"
        for name, (other, mine) in pairs.items()
        if other != mine
    ]
    stated = {name: getattr(saved, name) for name in HYPER_PARAMETERS}
    stated["use_dict_buffer"] = saved.use_dict_buffer
    return problems + [
        f"{name}: {quoted(contents[name])} in the checkpoint, and {quoted(value)} in its config"
        for name, value in stated.items()
        if name in contents and (type(contents[name]) is not type(value) or contents[name] != value)
    ]


def _kind(config: OptimizerConfig | None) -> str | None:
    if config is None:
        return None
    return config.name if config.schedule is None else f"{config.name} with {config.schedule.name}"


def _network_mismatches(where: str, saved: Any, own: Mapping[str, torch.Tensor] | None) -> list[str]:
    if (saved is None) != (own is None):
        return [
            f"{where}: " + ("None in the checkpoint" if saved is None else "the agent has no such network")
        ]
    if own is None:
        return []
    return network_mismatches(where, saved, ((key, tuple(t.shape), t.dtype) for key, t in own.items()))


def _optimizer_mismatches(name: str, staged: Staged | None, contents: Mapping[str, Any]) -> list[str]:
    problems = []
    for kind in ("optimizer", "scheduler"):
        key = f"{name}_{kind}_state_dict"
        if key not in contents:
            continue
        if staged is not None:
            problems += getattr(staged, f"{kind}_mismatches")(key, contents[key])
        elif contents[key] is not None:
            problems.append(f"{key}: the agent has no such {kind}")
    return problems


def _flag_mismatches(where: str, saved: Any, own: Mapping[str, Mapping[str, bool]]) -> list[str]:
    if not isinstance(saved, dict) or not all(isinstance(flags, dict) for flags in saved.values()):
        return [f"{where}: must be a dict of dicts"]
    problems = key_mismatches(where, saved, own)
    for net, flags in saved.items():
        if net in own:
            problems += key_mismatches(f"{where}[{net!r}]", flags, own[net])
            wrong = [path for path, flag in flags.items() if path in own[net] and type(flag) is not bool]
            problems += [
                f"{where}[{net!r}][{path!r}]: must be True or False, not {quoted(flags[path])}"
                for path in wrong
            ]
    return problems
